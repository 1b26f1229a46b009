//! Errors as the API answers them: `{"error":{"code","message","at"}}`.

use crate::filter::FilterError;
use crate::ingest::Unreadable;
use crate::live::NoRoom;
use crate::store::StoreError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was not answered as hoped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// A word for programs.
    pub code: &'static str,
    /// A sentence for people, with what to do instead.
    pub message: String,
    /// Where in the filter, in bytes.
    pub at: Option<usize>,
}

impl ApiError {
    /// Makes an error.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), at: None }
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// What was sent cannot be read.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// Answers at a path: those of Langfuse's API have errors as its clients read them, `{"message","error"}`.
    #[must_use]
    pub fn at_path(self, path: &str) -> Response {
        if !path.starts_with("/api/public/") {
            return self.into_response();
        }
        let error = match self.status {
            StatusCode::NOT_FOUND => "LangfuseNotFoundError",
            StatusCode::UNAUTHORIZED => "UnauthorizedError",
            StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowedError",
            _ => self.code,
        };
        let body = Json(json!({ "message": self.message, "error": error }));
        self.with_headers((self.status, body).into_response())
    }

    /// Returns how many seconds to wait before asking again, if that can help.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE if self.code == "busy" => Some(1),
            StatusCode::SERVICE_UNAVAILABLE => Some(5),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body =
            json!({ "error": { "code": self.code, "message": self.message, "at": self.at } });
        self.with_headers((self.status, Json(body)).into_response())
    }
}

impl ApiError {
    fn with_headers(&self, mut response: Response) -> Response {
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // Not `Basic`: a browser would ask for a name and a password, and hold back the page's requests until then.
            let value = HeaderValue::from_static("Bearer realm=\"glassbox\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let (status, code) = match &error {
            StoreError::Cursor => (StatusCode::BAD_REQUEST, "bad_cursor"),
            StoreError::TooMuch => (StatusCode::BAD_REQUEST, "too_much"),
            StoreError::Slow => (StatusCode::UNPROCESSABLE_ENTITY, "too_slow"),
            StoreError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            error if error.is_temporary() => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "store_broken"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<NoRoom> for ApiError {
    fn from(error: NoRoom) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_room", error.to_string())
    }
}

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        Self {
            at: Some(error.at),
            ..Self::new(StatusCode::BAD_REQUEST, "bad_filter", error.message)
        }
    }
}

impl From<Unreadable> for ApiError {
    fn from(error: Unreadable) -> Self {
        Self::bad_request(error.0)
    }
}

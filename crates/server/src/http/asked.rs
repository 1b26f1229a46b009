//! What an address asks for, in its path and behind its question mark; what cannot be read is told as our other errors are.

use super::error::ApiError;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What an address asks for.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let asked = Query::try_from_uri(&parts.uri);
        // The rejection's own message says only that something is wrong; the fields are in what it was made of.
        asked.map(|Query(asked)| Self(asked)).map_err(|rejection| {
            ApiError::bad_request(format!(
                "the address asks for something else: {}",
                rejection.body_text()
            ))
        })
    }
}

/// Nothing is asked for behind the question mark; what is there nevertheless is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// What stands in the path.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let found = Path::from_request_parts(parts, state).await;
        found.map(|Path(found)| Self(found)).map_err(|rejection| {
            let message = format!("the address cannot be read: {}", rejection.body_text());
            ApiError::bad_request(message).at_path(parts.uri.path())
        })
    }
}

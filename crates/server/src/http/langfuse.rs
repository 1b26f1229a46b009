//! Langfuse's own API, as far as its clients need it: batches are taken, and what was sent is read.
//!
//! What cannot be done is told as Langfuse does: `{"message", "error"}`.

mod question;
mod observations;
mod traces;
mod scores;
mod daily;

pub(super) use daily::list as daily;
pub(super) use observations::{by_cursor, list as observations, one as observation};
pub(super) use scores::{create as create_score, list as scores, one as score};
pub(super) use traces::{list as traces, one as trace, session, sessions};

use super::App;
use super::app::work;
use super::body;
use super::error::ApiError;
use crate::ingest::langfuse;
use crate::langfuse::PROJECT;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// An error as Langfuse's clients read it.
pub(super) struct Failed(ApiError);

impl Failed {
    fn not_found(what: &str) -> Self {
        Self(ApiError::not_found(what))
    }

    fn bad_request(message: &str) -> Self {
        Self(ApiError::bad_request(message))
    }
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let retry_after = error.retry_after().map(|seconds| ("retry-after", seconds.to_string()));
        let name = match error.status {
            StatusCode::NOT_FOUND => "LangfuseNotFoundError",
            _ => error.code,
        };
        let body = Json(json!({ "message": error.message, "error": name }));
        (error.status, axum::response::AppendHeaders(retry_after), body).into_response()
    }
}

/// Takes a batch, and answers each event alone, as Langfuse does: 207.
pub(super) async fn ingest(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failed> {
    Ok(keep(&app, headers, body).await?)
}

/// The one project that there is: clients look here whether their keys are good.
pub(super) async fn projects() -> Json<Value> {
    let organization = json!({ "id": PROJECT, "name": "Glassbox" });
    Json(json!({
        "data": [{ "id": PROJECT, "name": "Glassbox", "metadata": {}, "organization": organization }],
    }))
}

async fn keep(app: &App, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let bytes = body::read(body, &app.limits).await?;
    app.counters.request(bytes.len());
    let limits = app.limits;
    let read = work(move || {
        let plain = body::plain(bytes, &headers, &limits)?;
        Ok::<_, ApiError>(langfuse(&plain)?)
    })
    .await??;
    if !read.batch.blocks.is_empty() || !read.batch.scores.is_empty() {
        app.receive(read.batch).await?;
    }
    if !read.errors.is_empty() {
        app.counters.reject("events of Langfuse's that are not known", read.errors.len());
    }
    let body = json!({ "successes": read.successes, "errors": read.errors });
    Ok((StatusCode::MULTI_STATUS, Json(body)).into_response())
}

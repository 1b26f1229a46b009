//! Langfuse's batches over HTTP.

use super::App;
use super::app::work;
use super::body;
use super::error::ApiError;
use crate::ingest::langfuse;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;

/// Takes a batch, and answers each event alone, as Langfuse does: 207.
pub(super) async fn ingest(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match keep(&app, headers, body).await {
        Ok(response) => response,
        // Langfuse's clients read `message`.
        Err(error) => {
            let retry_after =
                error.retry_after().map(|seconds| ("retry-after", seconds.to_string()));
            let body = Json(json!({ "message": error.message, "error": error.code }));
            (error.status, axum::response::AppendHeaders(retry_after), body).into_response()
        }
    }
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

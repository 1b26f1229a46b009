//! Langfuse's own API, as far as its clients need it: batches are taken, and what was sent is read.
//!
//! What cannot be done is told as Langfuse does: `{"message", "error"}`.

mod question;
mod conditions;
mod observations;
mod traces;
mod score_query;
mod scores;
mod daily;
mod measures;
mod metrics;

pub(super) use daily::list as daily;
pub(super) use metrics::list as metrics;
pub(super) use observations::{by_cursor, list as observations, one as observation};
pub(super) use scores::{
    by_cursor as scores_by_cursor, create as create_score, list as scores, one as score,
};
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
use axum::http::{HeaderMap, Method, StatusCode, Uri};
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
        error.at_path(PATHS)
    }
}

/// How all paths of this API begin.
pub(super) const PATHS: &str = "/api/public/";

/// What can be read and sent here, for whoever asks for something else.
const ROUTES: [&str; 20] = [
    "GET health",
    "GET projects",
    "GET traces",
    "GET traces/ID",
    "GET observations",
    "GET observations/ID",
    "GET v2/observations",
    "GET sessions",
    "GET sessions/ID",
    "GET scores",
    "GET scores/ID",
    "GET v2/scores",
    "GET v2/scores/ID",
    "GET v3/scores",
    "GET metrics",
    "GET v2/metrics",
    "GET metrics/daily",
    "POST scores",
    "POST ingestion",
    "POST otel/v1/traces",
];

/// Answers what there is not here.
pub(super) fn unknown(method: &Method, uri: &Uri) -> Response {
    let message = not_served(method, uri);
    ApiError::new(StatusCode::NOT_FOUND, "not_found", message).at_path(PATHS)
}

/// Answers what is asked for in another way.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let message = match uri.path().starts_with(PATHS) {
        true => not_served(&method, &uri),
        false => format!("{method} is not answered here; see /api/v1/openapi.json"),
    };
    ApiError::new(status, "method_not_allowed", message).at_path(uri.path())
}

fn not_served(method: &Method, uri: &Uri) -> String {
    let asked = uri.path().trim_start_matches(PATHS);
    let routes = ROUTES.join(", ");
    format!(
        "{method} {asked} is not answered here: this is a glassbox server, which answers {routes} below {PATHS}"
    )
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

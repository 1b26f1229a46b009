//! Spans that begin, announced by Glassbox programs.

use super::App;
use super::app::work;
use super::body;
use super::error::ApiError;
use crate::ingest::announcement;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// Takes announcements. The answer says whether the process was known: if not, it announces again what runs.
pub(super) async fn announce(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let bytes = body::read(body, &app.limits).await?;
    let limits = app.limits;
    let read = work(move || {
        let plain = body::plain(bytes, &headers, &limits)?;
        Ok::<_, ApiError>(announcement(&plain, &limits)?)
    })
    .await??;
    // The registry first: a span that ends at once is taken out of it again.
    let (known, abandoned) = app.registry.hear(read.announced);
    let mut started = 0;
    if !read.batch.blocks.is_empty() {
        started = app.keep(read.batch).await?.changed;
    }
    if !abandoned.is_empty() {
        // Nobody waits for it; what is still running then is marked when the server starts again.
        drop(app.store.abandon(abandoned));
    }
    Ok(Json(json!({ "known": known, "started": started })))
}

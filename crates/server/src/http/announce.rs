//! Spans that begin, announced by Glassbox programs.

use super::App;
use super::app::work;
use super::body;
use super::error::ApiError;
use crate::ingest::announcement;
use crate::store::{Store, StoreError};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use glassbox_trace::id::{SpanId, TraceId};
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
    let began = read.announced.started.clone();
    // The registry first: a span that ends at once is taken out of it again.
    let heard = app.registry.hear(read.announced)?;
    let mut started = 0;
    if !read.batch.blocks.is_empty() {
        started = app.keep(read.batch).await?.changed;
    }
    if started < began.len() {
        // One that had ended before is not taken out by its end.
        let over = app.ask(move |store| ended(store, began)).await?;
        app.registry.forget(&over);
    }
    if !heard.abandoned.is_empty() {
        // Nobody waits for it; what is still running then is marked when the server starts again.
        drop(app.store.abandon(heard.abandoned));
    }
    Ok(Json(json!({ "known": heard.is_known, "started": started })))
}

/// Returns those of some spans that have ended.
fn ended(
    store: &dyn Store,
    spans: Vec<(TraceId, SpanId)>,
) -> Result<Vec<(TraceId, SpanId)>, StoreError> {
    let mut over = Vec::new();
    for (trace, span) in spans {
        if store.span(trace, span)?.is_some_and(|span| span.summary.state.is_final()) {
            over.push((trace, span));
        }
    }
    Ok(over)
}

//! The query API's records: what was said of a trace itself and of none of its spans, as Langfuse's clients do.

use super::App;
use super::api::{answer, id};
use super::asked::{Asked, InPath, Nothing};
use super::error::ApiError;
use crate::view::RawSpan;
use crate::wire::{Any, WireSpan};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use glassbox_trace::id::TraceId;
use glassbox_trace::vocabulary::dialects::langfuse_old;
use glassbox_trace::vocabulary::{general, langfuse as keys};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// What was said of a trace itself.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Records {
    /// One record a trace at most; none if nothing was said.
    items: Vec<Record>,
}

/// What was said of a trace itself, and when.
#[derive(Debug, Serialize, JsonSchema)]
struct Record {
    /// The trace.
    trace_id: String,
    /// When it began, as was said, microseconds since the epoch.
    at_us: i64,
    /// What was said, as it was sent.
    record: Said,
}

/// What can be said of a trace; what was not is `null`.
#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    /// Its name.
    name: Option<String>,
    /// What went in.
    input: Option<Value>,
    /// What came out.
    output: Option<Value>,
    /// Further facts.
    metadata: Option<Value>,
    /// The conversation.
    session_id: Option<String>,
    /// The end user.
    user_id: Option<String>,
    /// Where the program runs.
    environment: Option<String>,
    /// The release of the program.
    release: Option<String>,
    /// The version of the program.
    version: Option<String>,
    /// Labels.
    tags: Vec<String>,
}

pub(super) async fn of_trace(
    State(app): State<Arc<App>>,
    InPath(trace_id): InPath<String>,
    _: Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let trace_id = id::<TraceId>(&trace_id)?;
    let found =
        app.ask(move |store| Ok(store.trace(trace_id, 0)?.map(|_| store.records(trace_id))));
    let records = found.await?.ok_or_else(|| ApiError::not_found("trace"))??;
    let items = records.iter().filter_map(record).collect();
    Ok(answer(&headers, &Records { items }))
}

fn record(raw: &RawSpan) -> Option<Record> {
    let wire = WireSpan::read(&raw.bytes).ok()?;
    let value = |key: &str| wire.attributes.get(key).map(Any::to_json);
    let text = |key| wire.attributes.text(&[key]);
    Some(Record {
        trace_id: raw.summary.trace_id.clone(),
        at_us: raw.summary.start_us,
        record: Said {
            name: text(keys::TRACE_NAME),
            input: value(keys::OBSERVATION_INPUT),
            output: value(keys::OBSERVATION_OUTPUT),
            metadata: value(langfuse_old::TRACE_METADATA),
            session_id: text(general::SESSION_ID),
            user_id: text(general::USER_ID),
            environment: text(keys::ENVIRONMENT),
            release: text(keys::RELEASE),
            version: text(keys::VERSION),
            tags: wire.attributes.get(keys::TRACE_TAGS).map(Any::to_texts).unwrap_or_default(),
        },
    })
}

//! A trace as OTLP in JSON: what `glassbox export` writes, and any receiver of OTLP reads.
//!
//! Scores are events of the spans that they are of, as the conventions have it. Those of the whole trace are on its root, and
//! so are those of spans that have not ended. What was said of the trace itself, as Langfuse's events do, is told by the
//! attributes of its root.

use super::App;
use super::api::{answer, id};
use super::asked::{Asked, InPath, Nothing};
use super::error::ApiError;
use crate::evaluation;
use crate::store::{
    Countable, MOST_SCORES_OF_TRACE, MOST_SPANS_OF_TRACE, NewScore, ScoreQuery, Store, StoreError,
};
use crate::view::{RawSpan, ScoreView};
use crate::wire::{MOST_ATTRIBUTES, MOST_EVENTS, WireSpan};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use glassbox_trace::id::TraceId;
use glassbox_trace::vocabulary::dialects::langfuse_old;
use glassbox_trace::vocabulary::langfuse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use std::collections::HashMap;
use std::sync::Arc;

/// How many scores found no room in the answer: no span of their trace has ended, or those that have are full.
const SCORES_LEFT_OUT: HeaderName = HeaderName::from_static("glassbox-scores-left-out");

/// Answers with the spans of a trace that have ended, as they arrived, and its scores.
pub(super) async fn trace(
    State(app): State<Arc<App>>,
    InPath(trace_id): InPath<String>,
    _: Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let trace_id = id::<TraceId>(&trace_id)?;
    let (spans, scores, total) = app.ask(move |store| read(store, trace_id)).await?;
    if spans.is_empty() {
        return Err(ApiError::not_found("trace"));
    }
    let work = move || {
        let untold = total.saturating_sub(scores.len());
        let (request, left_out) = request(spans, &scores);
        let mut response = answer(&headers, &request);
        let count = HeaderValue::from(left_out.saturating_add(untold));
        response.headers_mut().insert(SCORES_LEFT_OUT, count);
        response
    };
    super::app::work(work).await
}

fn read(
    store: &dyn Store,
    trace_id: TraceId,
) -> Result<(Vec<RawSpan>, Vec<ScoreView>, usize), StoreError> {
    let most = usize::try_from(MOST_SPANS_OF_TRACE).unwrap_or(usize::MAX);
    let spans = store.raw_spans(trace_id, most)?;
    let scores = store.scores_of(trace_id, MOST_SCORES_OF_TRACE)?;
    let of_trace = ScoreQuery { trace_ids: vec![trace_id], ..ScoreQuery::default() };
    let total = match scores.len() < MOST_SCORES_OF_TRACE {
        true => scores.len(),
        false => usize::try_from(store.count(Countable::Scores(&of_trace))?).unwrap_or(0),
    };
    Ok((spans, scores, total))
}

/// A span that is written, and who made it.
struct Written {
    span: Span,
    id: String,
    resource: Vec<u8>,
    scope: Vec<u8>,
}

/// Writes spans with their scores, and tells how many scores found no room. A span whose bytes are no protobuf that others
/// would read, as a damaged text makes it, is left out.
fn request(raw: Vec<RawSpan>, scores: &[ScoreView]) -> (ExportTraceServiceRequest, usize) {
    let (mut spans, mut records) = (Vec::new(), Vec::new());
    let mut told: HashMap<String, NewScore> = HashMap::new();
    for raw in raw.into_iter().filter(|raw| raw.summary.end_us.is_some()) {
        let Ok(span) = Span::decode(raw.bytes.as_slice()) else { continue };
        let wire = WireSpan::read(&raw.bytes);
        if wire.as_ref().is_ok_and(|wire| wire.is_trace_record) {
            records.push(span);
            continue;
        }
        let read = wire.iter().flat_map(evaluation::read);
        told.extend(read.map(|told| (told.score.id.clone(), told.score)));
        let RawSpan { resource, scope, .. } = raw;
        spans.push(Written { span, id: raw.summary.span_id, resource, scope });
    }
    let root = spans.iter().position(|written| written.span.parent_span_id.is_empty()).unwrap_or(0);
    if let Some(root) = spans.get_mut(root) {
        records.into_iter().for_each(|record| tell_of_trace(&mut root.span, record));
    }
    let places: HashMap<String, usize> =
        spans.iter().enumerate().map(|(place, written)| (written.id.clone(), place)).collect();
    let mut left_out = 0;
    // The first to arrive first.
    for score in scores.iter().rev() {
        if told.get(&score.id).is_some_and(|told| evaluation::is_told(score, told)) {
            continue;
        }
        let of = score.span_id.as_ref().and_then(|id| places.get(id)).copied().unwrap_or(root);
        let mut carriers = [of, root].into_iter().chain(0..spans.len());
        let has_room = |written: &Written| written.span.events.len() < MOST_EVENTS;
        match carriers.find(|place| spans.get(*place).is_some_and(has_room)) {
            Some(place) => {
                let carrier = &mut spans[place];
                carrier.span.events.push(evaluation::event(score, &carrier.id));
            }
            None => left_out += 1,
        }
    }
    (grouped(spans), left_out)
}

/// Adds what was said of a trace to its root, which says it in Langfuse's words. What the root says itself goes before that.
fn tell_of_trace(root: &mut Span, record: Span) {
    for KeyValue { key, value, .. } in record.attributes {
        let key = match key.as_str() {
            langfuse::OBSERVATION_INPUT => langfuse_old::TRACE_INPUT.to_owned(),
            langfuse::OBSERVATION_OUTPUT => langfuse_old::TRACE_OUTPUT.to_owned(),
            _ => key,
        };
        let is_known = root.attributes.iter().any(|known| known.key == key);
        if !is_known && root.attributes.len() < MOST_ATTRIBUTES {
            root.attributes.push(KeyValue { key, value, ..KeyValue::default() });
        }
    }
}

/// Spans that follow one another and come from the same place stand together.
fn grouped(spans: Vec<Written>) -> ExportTraceServiceRequest {
    let mut request = ExportTraceServiceRequest::default();
    let mut origin = None;
    for Written { span, resource, scope, .. } in spans {
        let from = (resource, scope);
        if origin.as_ref() != Some(&from) {
            request.resource_spans.push(ResourceSpans {
                resource: Resource::decode(from.0.as_slice()).ok(),
                scope_spans: vec![ScopeSpans {
                    scope: InstrumentationScope::decode(from.1.as_slice()).ok(),
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            });
            origin = Some(from);
        }
        let group = request.resource_spans.last_mut();
        if let Some(scope) = group.and_then(|group| group.scope_spans.last_mut()) {
            scope.spans.push(span);
        }
    }
    request
}

//! A trace as OTLP in JSON: what `glassbox export` writes, and any receiver of OTLP reads.

use super::App;
use super::api::{answer, id};
use super::error::ApiError;
use crate::store::MOST_SPANS_OF_TRACE;
use crate::view::RawSpan;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use glassbox_trace::id::TraceId;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use std::sync::Arc;

/// Answers with the spans of a trace that have ended, as they arrived.
pub(super) async fn trace(
    State(app): State<Arc<App>>,
    Path(trace_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let trace_id = id::<TraceId>(&trace_id)?;
    let most = usize::try_from(MOST_SPANS_OF_TRACE).unwrap_or(usize::MAX);
    let spans = app.ask(move |store| store.raw_spans(trace_id, most)).await?;
    if spans.is_empty() {
        return Err(ApiError::not_found("trace"));
    }
    let written = super::app::work(move || answer(&headers, &request(spans))).await?;
    Ok(written)
}

/// Spans that follow one another and come from the same place stand together. A span whose bytes are no protobuf that
/// others would read, as a damaged text makes it, is left out.
fn request(spans: Vec<RawSpan>) -> ExportTraceServiceRequest {
    let mut request = ExportTraceServiceRequest::default();
    let mut origin = None;
    for raw in spans.into_iter().filter(|raw| raw.summary.end_us.is_some()) {
        let Ok(span) = Span::decode(raw.bytes.as_slice()) else { continue };
        let from = (raw.resource, raw.scope);
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

//! OTLP: protobuf as it is, JSON as the protobuf that it stands for.

use super::{Limits, Unreadable};
use crate::evaluation;
use crate::received::Origin;
use crate::store::{Batch, OriginBytes, Packer};
use crate::wire::{self, WireSpan};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most reasons that are told apart.
const MOST_REASONS: usize = 20;

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// What was made of a request.
#[derive(Debug, Default)]
pub struct Accepted {
    /// What is to be kept.
    pub batch: Batch,
    /// How many spans that is.
    pub spans: usize,
    /// How many spans are not kept, by the reason.
    pub rejected: BTreeMap<String, usize>,
}

impl Accepted {
    /// Returns how many spans are not kept, and why.
    #[must_use]
    pub fn rejection(&self) -> Option<(usize, String)> {
        let count: usize = self.rejected.values().sum();
        let reasons: Vec<_> = self
            .rejected
            .iter()
            .map(|(reason, count)| format!("{count} times: {reason}"))
            .collect();
        (count > 0).then(|| (count, reasons.join("; ")))
    }
}

/// Reads an export request. A bad span is rejected alone.
///
/// # Errors
///
/// If the outer messages cannot be read.
pub fn otlp(body: &[u8], format: Format, limits: &Limits) -> Result<Accepted, Unreadable> {
    match format {
        Format::Protobuf => protobuf(body, limits),
        Format::Json => {
            let mut rejected = BTreeMap::new();
            let request = match serde_json::from_slice::<ExportTraceServiceRequest>(body) {
                Ok(request) => request,
                Err(error) => without_bad_spans(body, &mut rejected).ok_or_else(|| {
                    Unreadable(format!(
                        "expected an OTLP trace export request in JSON: {error}; if it is protobuf, send content-type application/x-protobuf"
                    ))
                })?,
            };
            let mut accepted = protobuf(&request.encode_to_vec(), limits)?;
            for (reason, count) in rejected {
                *accepted.rejected.entry(reason).or_default() += count;
            }
            Ok(accepted)
        }
    }
}

/// An export request of which the spans are still to be read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unread<'a> {
    #[serde(borrow)]
    resource_spans: Vec<UnreadResource<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UnreadResource<'a> {
    resource: Option<Resource>,
    #[serde(borrow, default)]
    scope_spans: Vec<UnreadScope<'a>>,
}

#[derive(Deserialize)]
struct UnreadScope<'a> {
    scope: Option<InstrumentationScope>,
    #[serde(borrow, default)]
    spans: Vec<&'a RawValue>,
}

/// Reads a request span by span, and leaves out those that are none; `None` if it cannot be read at all.
fn without_bad_spans(
    body: &[u8],
    rejected: &mut BTreeMap<String, usize>,
) -> Option<ExportTraceServiceRequest> {
    let unread: Unread<'_> = serde_json::from_slice(body).ok()?;
    let mut span = |json: &RawValue| match serde_json::from_str::<Span>(json.get()) {
        Ok(span) => Some(span),
        Err(error) => {
            // Where in the span is of no use without the span, and would make each reason another one.
            let error = error.to_string();
            let said = error.split(" at line ").next().unwrap_or_default();
            let reason = format!("the span could not be read: {said}");
            let is_known = rejected.len() < MOST_REASONS || rejected.contains_key(&reason);
            let reason = if is_known { reason } else { "the span could not be read".to_owned() };
            *rejected.entry(reason).or_default() += 1;
            None
        }
    };
    let mut scope = |unread: UnreadScope<'_>| ScopeSpans {
        scope: unread.scope,
        spans: unread.spans.into_iter().filter_map(&mut span).collect(),
        ..ScopeSpans::default()
    };
    let resource = |unread: UnreadResource<'_>| ResourceSpans {
        resource: unread.resource,
        scope_spans: unread.scope_spans.into_iter().map(&mut scope).collect(),
        ..ResourceSpans::default()
    };
    let resource_spans = unread.resource_spans.into_iter().map(resource).collect();
    Some(ExportTraceServiceRequest { resource_spans })
}

fn protobuf(body: &[u8], limits: &Limits) -> Result<Accepted, Unreadable> {
    let groups = wire::groups(body).map_err(|error| {
        Unreadable(format!(
            "expected an OTLP trace export request in protobuf: {error}; if it is JSON, send content-type application/json"
        ))
    })?;
    let mut accepted = Accepted::default();
    let mut packer = Packer::default();
    for group in groups {
        let origin = match group.resource_attributes() {
            Ok(attributes) => Origin::read(&attributes),
            Err(error) => {
                *accepted.rejected.entry(format!("the resource: {error}")).or_default() +=
                    group.spans.len();
                continue;
            }
        };
        let origin = Arc::new(OriginBytes::new(group.resource, group.scope, origin));
        for bytes in group.spans {
            if accepted.spans >= limits.spans {
                let reason = format!(
                    "more than {} spans in one request; send smaller batches",
                    limits.spans
                );
                *accepted.rejected.entry(reason).or_default() += 1;
                continue;
            }
            match WireSpan::read(bytes) {
                Ok(wire) if wire.fragment_at.is_none() && !wire.is_trace_record => {
                    take(&wire, bytes, &origin, &mut packer, &mut accepted);
                }
                Ok(_) => {
                    *accepted
                        .rejected
                        .entry("fields that OTLP does not have".to_owned())
                        .or_default() += 1
                }
                Err(error) => *accepted.rejected.entry(error.to_string()).or_default() += 1,
            }
        }
    }
    accepted.batch.blocks = packer.finish();
    Ok(accepted)
}

/// Takes a span, and the scores that its events tell. Events that an export wrote for a score are no part of the span.
fn take(
    wire: &WireSpan<'_>,
    bytes: &[u8],
    origin: &Arc<OriginBytes>,
    packer: &mut Packer,
    accepted: &mut Accepted,
) {
    accepted.spans += 1;
    let told = evaluation::read(wire);
    let own: Vec<_> = told.iter().filter(|told| told.is_own).map(|told| told.place).collect();
    accepted.batch.scores.extend(told.into_iter().map(|told| told.score));
    if own.is_empty() {
        return packer.push(wire, bytes, origin);
    }
    let rest = wire::without_events(bytes, &own);
    // What is left of a span that could be read can be read too.
    if let Ok(wire) = WireSpan::read(&rest) {
        packer.push(&wire, &rest, origin);
    }
}

//! OTLP to spans. What is received is untrusted: sizes and counts are limited, times cannot run backwards, and a bad
//! span is rejected alone.

use super::{Resource, cap};
use crate::span::{Span, TraceAttributes};
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use std::ops::Range;
use std::sync::Arc;

mod protobuf;
mod json;
mod attributes;
mod detail;
mod usage;
mod span;

/// How much is accepted. How deep values nest is limited as well: to 100 levels in protobuf and 128 in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The most spans in a request; the rest is rejected.
    pub spans: usize,
    /// The most attributes on a span; a span with more is rejected.
    pub attributes: usize,
    /// The most events on a span; a span with more is rejected.
    pub events: usize,
    /// The most bytes of a value, 128 at least; longer texts are cut and marked, JSON inside its strings.
    pub value_bytes: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { spans: 50_000, attributes: 1024, events: 1024, value_bytes: 4 << 20 }
    }
}

/// What a request held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// The good spans, in the order of the request.
    pub spans: Vec<Span>,
    /// Who made them: each part of the request that held good spans.
    pub origins: Vec<Origin>,
    /// The bad spans.
    pub rejected: Vec<Rejected>,
}

impl Decoded {
    /// Returns how many spans were rejected.
    #[must_use]
    pub fn rejected_spans(&self) -> usize {
        self.rejected.iter().map(Rejected::spans).sum()
    }
}

/// Who made some of the spans.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The service.
    pub resource: Resource,
    /// The instrumentation scope; may be empty.
    pub scope: Arc<str>,
    /// Which of [`Decoded::spans`] it made.
    pub spans: Range<usize>,
}

/// A span that was not accepted, or all those that were too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place among all spans of the request, from 0.
    pub index: usize,
    /// Its name, as far as it could be read.
    pub name: Arc<str>,
    /// Why it was not accepted.
    pub reason: RejectedReason,
}

impl Rejected {
    fn spans(&self) -> usize {
        match self.reason {
            RejectedReason::TooManySpans { surplus, .. } => surplus,
            _ => 1,
        }
    }
}

/// Why a span was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectedReason {
    /// The trace id has not 16 bytes, or all are zero.
    #[error(
        "the trace id is not 16 bytes, at least one not zero; in JSON send it as 32 hex digits"
    )]
    TraceId,
    /// The span id has not 8 bytes, or all are zero.
    #[error("the span id is not 8 bytes, at least one not zero; in JSON send it as 16 hex digits")]
    SpanId,
    /// The parent's id is there and has not 8 bytes.
    #[error(
        "the parent's span id is not 8 bytes; leave it out for a root, in JSON send it as 16 hex digits"
    )]
    ParentId,
    /// It has more attributes or events than allowed.
    #[error("more than {limit} {what} on one span; send fewer")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The request has more spans than allowed; stands for this one and all that follow.
    #[error("{surplus} spans over the limit of {limit} in one request; send smaller batches")]
    TooManySpans {
        /// How many are allowed.
        limit: usize,
        /// How many were over the limit.
        surplus: usize,
    },
    /// It could not be read.
    #[error("the span could not be read: {0}")]
    Malformed(String),
}

/// Why a request could not be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is no OTLP export request in protobuf.
    #[error(
        "expected an OTLP trace export request in protobuf: {0}; if it is JSON, send content-type application/json"
    )]
    Protobuf(String),
    /// It is no OTLP export request in JSON.
    #[error(
        "expected an OTLP trace export request in JSON: {0}; if it is protobuf, send content-type application/x-protobuf"
    )]
    Json(String),
}

/// Decodes an OTLP export request in protobuf.
///
/// # Errors
///
/// If the outer messages are no protobuf. A span that is none is rejected alone.
pub fn decode_protobuf(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded, DecodeError> {
    protobuf::decode(bytes, limits).map_err(|error| DecodeError::Protobuf(error.to_string()))
}

/// Decodes an OTLP export request in JSON: ids in hex, 64-bit ints as strings or numbers, unknown fields ignored.
///
/// # Errors
///
/// If the whole is no JSON, or not of the right shape down to the list of spans. A bad span is rejected alone.
pub fn decode_json(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded, DecodeError> {
    json::decode(bytes, limits).map_err(|error| DecodeError::Json(error.to_string()))
}

/// Takes spans in, one after another, within the limits.
struct Decoder<'a> {
    limits: &'a DecodeLimits,
    decoded: Decoded,
    seen: usize,
    resource: Resource,
    /// What the last span's trace shared; the next span's is most often equal, and then the same.
    trace: Arc<TraceAttributes>,
}

impl<'a> Decoder<'a> {
    fn new(limits: &'a DecodeLimits) -> Self {
        let (decoded, resource, trace) = Default::default();
        Self { limits, decoded, seen: 0, resource, trace }
    }

    fn resource(&mut self, resource: WireResource) {
        self.resource = attributes::resource(resource.attributes, self.limits);
    }

    fn scope(&mut self, name: &str) {
        let next = self.decoded.spans.len();
        let resource = self.resource.clone();
        self.decoded.origins.retain(|origin| !origin.spans.is_empty());
        self.decoded.origins.push(Origin { resource, scope: name.into(), spans: next..next });
    }

    /// Takes a span; `read` is not called for those over the limit.
    fn span(&mut self, read: impl FnOnce(&DecodeLimits) -> Result<WireSpan, Unread>) {
        let index = self.seen;
        self.seen += 1;
        if index >= self.limits.spans {
            self.reject_surplus(index);
            return;
        }
        let rejected = match read(self.limits) {
            Err(Unread { name, reason }) => Rejected { index, name: name.into(), reason },
            Ok(wire) => match self.accept(wire) {
                Ok(()) => return,
                Err((name, reason)) => Rejected { index, name, reason },
            },
        };
        self.decoded.rejected.push(rejected);
    }

    fn accept(&mut self, wire: WireSpan) -> Result<(), (Arc<str>, RejectedReason)> {
        let name: Arc<str> = cap::text(wire.name.clone(), self.limits.value_bytes).into();
        let mut span =
            span::span(wire, &self.resource, self.limits).map_err(|reason| (name, reason))?;
        if span.trace == self.trace {
            span.trace = Arc::clone(&self.trace);
        } else {
            self.trace = Arc::clone(&span.trace);
        }
        self.decoded.spans.push(span);
        if let Some(origin) = self.decoded.origins.last_mut() {
            origin.spans.end = self.decoded.spans.len();
        }
        Ok(())
    }

    fn reject_surplus(&mut self, index: usize) {
        if let Some(Rejected { reason: RejectedReason::TooManySpans { surplus, .. }, .. }) =
            self.decoded.rejected.last_mut()
        {
            *surplus += 1;
            return;
        }
        let reason = RejectedReason::TooManySpans { limit: self.limits.spans, surplus: 1 };
        self.decoded.rejected.push(Rejected { index, name: "".into(), reason });
    }

    fn finish(mut self) -> Decoded {
        self.decoded.origins.retain(|origin| !origin.spans.is_empty());
        self.decoded
    }
}

/// A span that could not be read, and its name if that could.
struct Unread {
    name: String,
    reason: RejectedReason,
}

impl Unread {
    fn malformed(error: &impl ToString) -> Self {
        Self { name: String::new(), reason: RejectedReason::Malformed(error.to_string()) }
    }

    fn too_many(name: String, what: &'static str, limit: usize) -> Self {
        Self { name, reason: RejectedReason::TooMany { what, limit } }
    }
}

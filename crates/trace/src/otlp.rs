//! Spans to OTLP and back: one encoding a destination, and a reader that trusts nobody.
//!
//! The [`Langfuse`](Profile::Langfuse) profile writes Langfuse's own keys and none of the GenAI conventions', since
//! Langfuse reads both and counts what stands there twice. The [`OpenTelemetry`](Profile::OpenTelemetry) profile
//! writes the GenAI conventions and OpenInference, which everybody else reads.
//!
//! # What comes back
//!
//! Decoding what was encoded returns equal spans, but for what a profile has no room for:
//!
//! - Both: a value that is not finite and a null attribute are left out; an attribute that is an object or a mixed
//!   array comes back as its JSON text, and one whose key the encoding uses itself is left out; durations are exact
//!   to the nanosecond up to eleven days; dollars have 15 digits; the end of a span lies after 1970 and not before
//!   its start; attempts count from 1; a generation says what went in and out either by messages or by payloads.
//! - OpenTelemetry: the first chunk comes after the start.
//! - Langfuse: texts that look like a JSON object or array come back as one, and other JSON values as their text;
//!   the first chunk has milliseconds; messages have the order of OpenAI's chat format (reasoning, texts, tool
//!   calls, each tool result its own message); the environment is in Langfuse's alphabet; names, users, sessions
//!   and tags have 200 characters; a span without a name gets one.
//! - Both: which span of another process a trace goes on from is known of the spans right below it, not of the others.
//!
//! ```
//! use glassbox_trace::otlp::{self, DecodeLimits, Encoding, Profile, Resource};
//! # use glassbox_trace::{id::*, span::*, time::Timestamp};
//! # let span = Span {
//! #     trace_id: TraceId::from_bytes([1; 16]), span_id: SpanId::from_bytes([2; 8]), parent_id: None,
//! #     name: "Predict(CoffeeShop)".into(), start: Timestamp::from_unix_nanos(1), end: Some(Timestamp::from_unix_nanos(2)),
//! #     status: Status::Ok, trace: Default::default(), input: None, output: None, notes: vec![], detail: Detail::Span,
//! #     attributes: vec![],
//! # };
//! let resource = Resource::new("coffee-shop");
//! let request = otlp::encode(&[span.clone()], &resource, &Encoding::new(Profile::OpenTelemetry));
//! let decoded = otlp::decode_protobuf(&request.to_protobuf(), &DecodeLimits::default())?;
//! assert_eq!(decoded.spans, [span]);
//! # Ok::<(), otlp::DecodeError>(())
//! ```

use crate::span::Span;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use std::borrow::Borrow;
use std::sync::Arc;

mod cap;
mod clean;
mod content;
mod field;
mod filter;
mod media;
mod wire;
mod writer;
mod parts;
mod chat;
mod encode;
mod decode;
mod lookup;

pub use decode::{
    DecodeError, DecodeLimits, Decoded, Origin, Rejected, RejectedReason, decode_json,
    decode_protobuf,
};
pub use filter::{Filter, Media, Place};

/// The name of the instrumentation scope. It must not contain "langfuse": that counts as Langfuse's own SDK.
pub const SCOPE_NAME: &str = "glassbox";

/// Which keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Langfuse's own keys.
    Langfuse,
    /// OpenTelemetry's GenAI conventions 1.41 and OpenInference.
    OpenTelemetry,
}

/// How spans are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Which keys are written.
    pub profile: Profile,
    /// How much of inputs, outputs, messages, tools and of the messages of errors is written; all else always is.
    pub content: Content,
    /// The most bytes of one attribute, 128 at least. Longer texts are cut and marked, JSON inside its strings.
    pub payload_limit: usize,
}

impl Encoding {
    /// Makes an encoding with content, and attributes of at most 1 MiB.
    #[must_use]
    pub const fn new(profile: Profile) -> Self {
        Self { profile, content: Content::Full, payload_limit: 1 << 20 }
    }
}

/// How much of the content is written: of what went in and out, what was said, and what errors and notes say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Content {
    /// All of it.
    #[default]
    Full,
    /// Only how long it is: `[1234 bytes]`. Roles, kinds of parts and names of tools stay.
    Lengths,
    /// Nothing. Of the messages of errors and notes, which may quote it, the length is written.
    None,
}

impl From<bool> for Content {
    fn from(capture: bool) -> Self {
        if capture { Self::Full } else { Self::None }
    }
}

/// Who made the spans of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// The name of the service.
    pub service_name: Arc<str>,
    /// The version of the service.
    pub service_version: Option<Arc<str>>,
    /// The environment of spans whose trace names none.
    pub environment: Option<Arc<str>>,
    /// The release of spans whose trace names none.
    pub release: Option<Arc<str>>,
    /// Further facts, by key.
    pub attributes: Vec<(Arc<str>, Arc<str>)>,
}

impl Resource {
    /// Makes a resource of which only the service's name is known.
    #[must_use]
    pub fn new(service_name: impl Into<Arc<str>>) -> Self {
        Self { service_name: service_name.into(), ..Self::default() }
    }
}

/// An OTLP export request, ready for the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request(Bytes);

impl Request {
    /// Returns the request as `application/x-protobuf`.
    #[must_use]
    pub fn to_protobuf(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Returns the request as `application/x-protobuf`, which it has been encoded to already, without a copy.
    #[must_use]
    pub fn into_protobuf(self) -> Bytes {
        self.0
    }

    /// Returns the request as `application/json`, with ids in hex.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // What was encoded can be decoded. Serializing to memory fails only for maps with keys that are not strings, and OTLP
        // has none.
        let request = ExportTraceServiceRequest::decode(self.0.clone()).unwrap_or_default();
        serde_json::to_vec(&request).unwrap_or_default()
    }
}

/// Returns an attribute of a span by its key, as the OpenTelemetry profile writes it, or one of two that the
/// conventions lack: `gen_ai.usage.total_tokens` and `gen_ai.usage.cost` (US dollars).
#[must_use]
pub fn attribute(span: &Span, key: &str) -> Option<serde_json::Value> {
    lookup::attribute(span, key)
}

/// Cuts an attribute's text that is encoded already to at most `limit` bytes, 128 at least, and marks it. What is JSON
/// stays JSON.
#[must_use]
pub fn cut_text(text: String, limit: usize) -> String {
    cap::text(text, limit).into_owned()
}

/// Encodes spans, owned or shared, as one request.
#[must_use]
pub fn encode<S: Borrow<Span>>(spans: &[S], resource: &Resource, encoding: &Encoding) -> Request {
    Request(encode::request(spans, resource, encoding, None))
}

/// Encodes spans as [`encode`] does. Every string of the spans and of the resource passes the filter exactly once: names,
/// keys, values, messages, what JSON holds, what JSON within JSON holds; but for what [it says](Filter::may_change) that it
/// could not change. What comes out is cut to the limit.
#[must_use]
pub fn encode_filtered<S: Borrow<Span>>(
    spans: &[S],
    resource: &Resource,
    encoding: &Encoding,
    filter: &dyn Filter,
) -> Request {
    Request(encode::request(spans, resource, encoding, Some(filter)))
}

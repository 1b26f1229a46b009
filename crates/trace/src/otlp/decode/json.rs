//! Reads OTLP/JSON: each span alone, so that a bad one takes no other with it.

use super::{DecodeLimits, Decoded, Decoder, Unread};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span as WireSpan, Status as WireStatus};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    resource_spans: Option<Vec<ResourceSpans<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Option<WireResource>,
    #[serde(borrow)]
    scope_spans: Option<Vec<ScopeSpans<'a>>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    scope: Option<Scope>,
    /// Not read yet: a list of anything is accepted.
    #[serde(borrow)]
    spans: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Scope {
    name: Option<String>,
}

/// The fields of a span that we read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    trace_id: Option<String>,
    span_id: Option<String>,
    parent_span_id: Option<String>,
    name: Option<String>,
    #[serde(default, deserialize_with = "nanos")]
    start_time_unix_nano: u64,
    #[serde(default, deserialize_with = "nanos")]
    end_time_unix_nano: u64,
    attributes: Option<Vec<KeyValue>>,
    events: Option<Vec<Event>>,
    status: Option<Status>,
    #[serde(default)]
    flags: u32,
    trace_state: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    message: Option<String>,
    code: Option<Code>,
}

/// OTLP/JSON has enums as numbers; some exporters send their names.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Number(i32),
    Name(String),
}

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> serde_json::Result<Decoded> {
    let request: Request<'_> = serde_json::from_slice(bytes)?;
    let mut decoder = Decoder::new(limits);
    for resource_spans in request.resource_spans.into_iter().flatten() {
        decoder.resource(resource_spans.resource.unwrap_or_default());
        for ScopeSpans { scope, spans } in resource_spans.scope_spans.into_iter().flatten() {
            decoder.scope(&scope.and_then(|scope| scope.name).unwrap_or_default());
            for span in spans.into_iter().flatten() {
                decoder.span(|limits| read_span(span.get(), limits));
            }
        }
    }
    Ok(decoder.finish())
}

fn read_span(json: &str, limits: &DecodeLimits) -> Result<WireSpan, Unread> {
    let span: Span = serde_json::from_str(json).map_err(|error| Unread::malformed(&error))?;
    let name = span.name.unwrap_or_default();
    let attributes = span.attributes.unwrap_or_default();
    if attributes.len() > limits.attributes {
        return Err(Unread::too_many(name, "attributes", limits.attributes));
    }
    let events = span.events.unwrap_or_default();
    if events.len() > limits.events {
        return Err(Unread::too_many(name, "events", limits.events));
    }
    Ok(WireSpan {
        trace_id: hex(span.trace_id),
        span_id: hex(span.span_id),
        parent_span_id: hex(span.parent_span_id),
        name,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        attributes,
        events,
        status: span.status.map(wire_status),
        flags: span.flags,
        trace_state: span.trace_state.unwrap_or_default(),
        ..WireSpan::default()
    })
}

fn wire_status(status: Status) -> WireStatus {
    let code = match status.code {
        None => 0,
        Some(Code::Number(code)) => code,
        Some(Code::Name(name)) => StatusCode::from_str_name(&name).unwrap_or_default().into(),
    };
    WireStatus { message: status.message.unwrap_or_default(), code }
}

/// Reads an id. What is no hex becomes a byte, which is too short for any id.
fn hex(id: Option<String>) -> Vec<u8> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = id.unwrap_or_default().as_bytes().chunks(2).map(byte).collect();
    bytes.unwrap_or_else(|| vec![0])
}

/// Reads nanoseconds: a number, a string of digits, or nothing.
fn nanos<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Nanos {
        Number(u64),
        Text(String),
    }

    match Option::<Nanos>::deserialize(deserializer)? {
        None => Ok(0),
        Some(Nanos::Number(nanos)) => Ok(nanos),
        Some(Nanos::Text(digits)) => digits.parse().map_err(serde::de::Error::custom),
    }
}

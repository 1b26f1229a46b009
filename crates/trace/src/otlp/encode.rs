//! Spans to OTLP: what both profiles share.

use super::clean::Clean;
use super::field::{
    ENVIRONMENT, ERROR_TYPE, RELEASE, SESSION_ID, TAGS, TRACE_NAME, USER_ID, VERSION,
};
use super::wire::{self, Attributes};
use super::writer::Writer;
use super::{Encoding, Filter, Profile, Resource, SCOPE_NAME, cap};
use crate::span::{Detail, RemoteParent, Span, SpanError, Status};
use crate::vocabulary::general;
use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as WireSpan, SpanFlags, Status as WireStatus,
};
use prost::Message as _;
use std::borrow::{Borrow, Cow};
use std::sync::Arc;

mod detail;
mod langfuse;
mod open_telemetry;

/// Two tags of one byte, and two lengths.
const MOST_LENGTHS: usize = 2 * (1 + 10);

/// Encodes spans as one request of one resource and one scope.
pub(super) fn request<S: Borrow<Span>>(
    spans: &[S],
    resource: &Resource,
    encoding: &Encoding,
    filter: Option<&dyn Filter>,
) -> Bytes {
    let clean = Clean::new(filter);
    let scope = InstrumentationScope {
        name: SCOPE_NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let head = ResourceSpans {
        resource: Some(wire_resource(resource, encoding, clean)),
        ..ResourceSpans::default()
    };
    let head = head.encode_to_vec();
    let scope = ScopeSpans { scope: Some(scope), ..ScopeSpans::default() }.encode_to_vec();

    // The lengths that stand before the spans are known behind them: they go into room that is left for them.
    let room = head.len() + scope.len() + MOST_LENGTHS;
    let mut bytes = vec![0; room];
    let mut attributes = Attributes::default();
    for span in spans {
        write_span(span.borrow(), resource, encoding, clean, &mut attributes, &mut bytes);
    }
    let scope_length = scope.len() + bytes.len() - room;
    let length = head.len() + wire::delimited_len(wire::SCOPE_SPANS, scope_length);
    let mut before = Vec::with_capacity(room);
    wire::begin(wire::RESOURCE_SPANS, length, &mut before);
    before.extend_from_slice(&head);
    wire::begin(wire::SCOPE_SPANS, scope_length, &mut before);
    before.extend_from_slice(&scope);
    let start = room - before.len();
    bytes[start..room].copy_from_slice(&before);
    Bytes::from(bytes).slice(start..)
}

fn wire_resource(resource: &Resource, encoding: &Encoding, clean: Clean<'_>) -> WireResource {
    let text = |key: &str, text: &str| {
        let text = cap::text(clean.value(Some(key), text), encoding.payload_limit);
        key_value(clean.text(key), text)
    };
    let mut attributes = vec![text(general::SERVICE_NAME, &resource.service_name)];
    if let Some(version) = &resource.service_version {
        attributes.push(text(general::SERVICE_VERSION, version));
    }
    // Langfuse gets the environment on every span and reads it there first.
    if let (Some(environment), Profile::OpenTelemetry) = (&resource.environment, encoding.profile) {
        attributes.push(text(general::DEPLOYMENT_ENVIRONMENT, environment));
    }
    for (key, value) in &resource.attributes {
        if attributes.iter().all(|taken| taken.key.as_str() != key.as_ref()) {
            attributes.push(text(key, value));
        }
    }
    WireResource { attributes, ..WireResource::default() }
}

/// An attribute of anything but a span.
fn key_value(key: impl Into<String>, text: Cow<'_, str>) -> KeyValue {
    let value = Any::StringValue(text.into_owned());
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

fn write_span(
    span: &Span,
    resource: &Resource,
    encoding: &Encoding,
    clean: Clean<'_>,
    attributes: &mut Attributes,
    bytes: &mut Vec<u8>,
) {
    let clean = clean.of_span(span.trace_id, span.span_id);
    let mut out = Writer::new(encoding, clean, attributes);
    match encoding.profile {
        Profile::Langfuse => langfuse::write(span, &mut out),
        Profile::OpenTelemetry => open_telemetry::write(span, &mut out),
    }
    detail::write(span, &mut out);
    if let Status::Error(SpanError { kind, .. }) = &span.status {
        out.text(&ERROR_TYPE, kind);
    }
    trace_attributes(span, resource, &mut out);
    for (key, value) in &span.attributes {
        let prefix = match encoding.profile {
            Profile::Langfuse => langfuse::free_prefix(key),
            Profile::OpenTelemetry => "",
        };
        out.free(prefix, key, value);
    }

    let name = match encoding.profile {
        // A root without a name is no root to Langfuse.
        Profile::Langfuse if span.name.is_empty() => span.kind().as_str().to_owned(),
        _ => out.cleaned(&span.name),
    };
    let kind = match span.detail {
        Detail::Generation(_) | Detail::Embedding(_) => SpanKind::Client,
        _ => SpanKind::Internal,
    };
    let events = match encoding.profile {
        // Langfuse drops events; it gets the notes as metadata.
        Profile::Langfuse => Vec::new(),
        Profile::OpenTelemetry => {
            span.notes.iter().map(|note| open_telemetry::event(note, &out)).collect()
        }
    };
    let remote = span.trace.remote_parent.as_deref();
    let wire_span = WireSpan {
        trace_state: remote
            .and_then(|remote| remote.trace_state.as_deref())
            .map(|state| out.cleaned(state))
            .unwrap_or_default(),
        flags: remote.map_or(0, |remote| flags(span, remote)),
        trace_id: span.trace_id.to_bytes().into(),
        span_id: span.span_id.to_bytes().into(),
        parent_span_id: span.parent_id.map(|id| id.to_bytes().into()).unwrap_or_default(),
        name,
        kind: kind.into(),
        start_time_unix_nano: span.start.unix_nanos(),
        end_time_unix_nano: span.end.map_or(0, |end| end.unix_nanos()),
        status: Some(wire_status(&span.status, &out)),
        events,
        ..WireSpan::default()
    };
    // The attributes, which are most of a span, are encoded already.
    wire::write_message(wire::SPANS, &wire_span, attributes, bytes);
}

/// The flags of a span whose trace began elsewhere: those of W3C, and whether its own parent is elsewhere.
fn flags(span: &Span, remote: &RemoteParent) -> u32 {
    let parent = if span.is_local_root() { SpanFlags::ContextIsRemoteMask as u32 } else { 0 };
    SpanFlags::ContextHasIsRemoteMask as u32 | parent | u32::from(remote.sampled)
}

/// The status; what worked is left unset, as OpenTelemetry wants it of libraries.
fn wire_status(status: &Status, out: &Writer<'_>) -> WireStatus {
    match status {
        Status::Ok => WireStatus::default(),
        Status::Error(SpanError { message, .. }) => {
            WireStatus { message: out.said(message), code: StatusCode::Error.into() }
        }
    }
}

fn trace_attributes(span: &Span, resource: &Resource, out: &mut Writer<'_>) {
    let trace = &span.trace;
    let environment = trace.environment.as_ref().or(resource.environment.as_ref());
    let release = trace.release.as_ref().or(resource.release.as_ref());
    out.optional_text(&RELEASE, release);
    out.optional_text(&VERSION, trace.version.as_ref());
    match out.encoding.profile {
        Profile::Langfuse => {
            // What is cut after the filter has seen it cannot be the unrecognisable half of a secret.
            let environment =
                environment.and_then(|name| langfuse::environment(&out.cleaned(name)));
            if let Some(environment) = environment {
                out.word(&ENVIRONMENT, environment);
            }
            let shorts = [
                (&TRACE_NAME, &trace.name),
                (&SESSION_ID, &trace.session_id),
                (&USER_ID, &trace.user_id),
            ];
            for (field, text) in shorts {
                if let Some(text) = text {
                    out.word(field, langfuse::short(&out.cleaned(text)));
                }
            }
            let tags = trace
                .tags
                .iter()
                .map(|tag| langfuse::short(&out.cleaned(tag)).to_owned())
                .collect();
            out.words(&TAGS, tags);
            langfuse::trace_metadata(&trace.metadata, out);
        }
        Profile::OpenTelemetry => {
            out.optional_text(&ENVIRONMENT, environment);
            out.optional_text(&TRACE_NAME, trace.name.as_ref());
            out.optional_text(&SESSION_ID, trace.session_id.as_ref());
            out.optional_text(&USER_ID, trace.user_id.as_ref());
            out.texts::<Arc<str>>(&TAGS, &trace.tags);
            open_telemetry::trace_metadata(&trace.metadata, out);
        }
    }
}

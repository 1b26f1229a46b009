//! One received span: its frame, and what any kind of span has.

use super::attributes::Attributes;
use super::{DecodeLimits, RejectedReason, detail};
use crate::id::{SpanId, TraceId};
use crate::otlp::field::{
    ENVIRONMENT, ERROR_TYPE, Field, INPUT, INPUT_MIME_TYPE, IS_APP_ROOT, LEVEL, NOTE_MESSAGE,
    NOTES, OUTPUT, OUTPUT_MIME_TYPE, RELEASE, SESSION_ID, STATUS_MESSAGE, TAGS, TRACE_NAME,
    USER_ID, VERSION,
};
use crate::otlp::{Resource, cap};
use crate::payload::Payload;
use crate::span::{Note, RemoteParent, Span, SpanError, Status, TraceAttributes};
use crate::time::Timestamp;
use crate::vocabulary::{gen_ai, general, langfuse, openinference};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span as WireSpan, SpanFlags, Status as WireStatus};
use serde_json::Value;
use std::sync::Arc;

/// The flags of a span that say that its parent is in another process.
const PARENT_IS_REMOTE: u32 =
    SpanFlags::ContextHasIsRemoteMask as u32 | SpanFlags::ContextIsRemoteMask as u32;

/// The flag of a trace that was recorded.
const SAMPLED: u32 = 1;

/// The name of the note on a span that ended before it began.
const CLOCK_NOTE: &str = "otlp.end_before_start";

/// Reads a span, or tells why it cannot be accepted.
pub(super) fn span(
    wire: WireSpan,
    resource: &Resource,
    limits: &DecodeLimits,
) -> Result<Span, RejectedReason> {
    let trace_id =
        wire.trace_id.try_into().map(TraceId::from_bytes).map_err(|_| RejectedReason::TraceId)?;
    let span_id =
        wire.span_id.try_into().map(SpanId::from_bytes).map_err(|_| RejectedReason::SpanId)?;
    if !trace_id.is_valid() {
        return Err(RejectedReason::TraceId);
    }
    if !span_id.is_valid() {
        return Err(RejectedReason::SpanId);
    }
    let parent_id = match wire.parent_span_id.as_slice() {
        [] => None,
        // Some exporters send zeros for a root.
        bytes => {
            let bytes = bytes.try_into().map_err(|_| RejectedReason::ParentId)?;
            Some(SpanId::from_bytes(bytes)).filter(|id| id.is_valid())
        }
    };

    let mut attributes = Attributes::new(wire.attributes, limits);
    let is_app_root = attributes.flag(&IS_APP_ROOT) == Some(true);
    attributes.drop_equal(langfuse::AS_ROOT, Some("true"));
    let is_remote = wire.flags & PARENT_IS_REMOTE == PARENT_IS_REMOTE;
    let remote_parent = parent_id.filter(|_| is_remote || is_app_root).map(|span_id| {
        let trace_state = cap::text(wire.trace_state, limits.value_bytes).into_owned();
        Arc::new(RemoteParent {
            trace_id,
            span_id,
            // Langfuse's mark alone says nothing of it; what arrives was sampled.
            sampled: !is_remote || wire.flags & SAMPLED != 0,
            trace_state: Some(trace_state).filter(|state| !state.is_empty()).map(Into::into),
        })
    });
    let mut notes: Vec<_> = wire.events.into_iter().map(|event| note(event, limits)).collect();
    notes.extend(langfuse_notes(&mut attributes));
    let start = Timestamp::from_unix_nanos(wire.start_time_unix_nano);
    let end = match Timestamp::from_unix_nanos(wire.end_time_unix_nano) {
        end if end == Timestamp::default() => None,
        end if end < start => {
            notes.push(clock_note(start, end));
            Some(start)
        }
        end => Some(end),
    };

    let detail = detail::detail(&mut attributes, start);
    let status =
        status(wire.status.unwrap_or_default(), !notes.is_empty(), &mut attributes, limits);
    Ok(Span {
        trace_id,
        span_id,
        parent_id,
        name: cap::text(wire.name, limits.value_bytes).into(),
        start,
        end,
        status,
        trace: Arc::new(TraceAttributes { remote_parent, ..trace(&mut attributes, resource) }),
        input: payload(&INPUT, &INPUT_MIME_TYPE, &mut attributes),
        output: payload(&OUTPUT, &OUTPUT_MIME_TYPE, &mut attributes),
        notes,
        detail,
        attributes: attributes.rest(),
    })
}

fn clock_note(start: Timestamp, end: Timestamp) -> Note {
    let before = start.since(end);
    let message =
        format!("the span ended {before:?} before it began; its end was set to its beginning");
    Note { at: start, name: CLOCK_NOTE.into(), message: message.into() }
}

/// Reads an event; one that has no message of its own tells its attributes.
fn note(event: Event, limits: &DecodeLimits) -> Note {
    let mut attributes = Attributes::new(event.attributes, limits);
    let message = attributes.text(&NOTE_MESSAGE).unwrap_or_else(|| {
        let rest: serde_json::Map<String, Value> = attributes
            .rest()
            .into_iter()
            .map(|(key, value)| (key.as_ref().to_owned(), value))
            .collect();
        if rest.is_empty() { "".into() } else { Value::Object(rest).to_string().into() }
    });
    let name = cap::text(event.name, limits.value_bytes).into();
    Note { at: Timestamp::from_unix_nanos(event.time_unix_nano), name, message }
}

/// Takes the notes that stand in Langfuse's metadata, all or none.
fn langfuse_notes(attributes: &mut Attributes) -> Vec<Note> {
    let note = |note: &Value| {
        Some(Note {
            at: detail::timestamp(note["time"].as_str()?)?,
            name: note["name"].as_str()?.into(),
            message: note["message"].as_str()?.into(),
        })
    };
    let read = |value: &Any| match value {
        Any::StringValue(text) => cap::structured(text)?.as_array()?.iter().map(note).collect(),
        _ => None,
    };
    attributes.take(&NOTES, read).unwrap_or_default()
}

fn status(
    wire: WireStatus,
    has_notes: bool,
    attributes: &mut Attributes,
    limits: &DecodeLimits,
) -> Status {
    let level =
        attributes.peek(langfuse::OBSERVATION_LEVEL).unwrap_or_default().to_ascii_uppercase();
    let level_is_error = matches!(level.as_str(), "ERROR" | "FATAL" | "CRITICAL");
    let is_error = wire.code == i32::from(StatusCode::Error) || level_is_error;
    let says_nothing_new = match level.as_str() {
        "ERROR" => is_error,
        "WARNING" => has_notes,
        other => other == "DEFAULT",
    };
    if says_nothing_new {
        attributes.text(&LEVEL);
    }
    if !is_error {
        return Status::Ok;
    }
    let kind = attributes.text(&ERROR_TYPE).unwrap_or_else(|| general::ERROR_TYPE_OTHER.into());
    let message: Arc<str> = cap::text(wire.message, limits.value_bytes).into();
    if message.is_empty() {
        return Status::Error(SpanError {
            kind,
            message: attributes.text(&STATUS_MESSAGE).unwrap_or_default(),
        });
    }
    attributes.drop_equal(langfuse::OBSERVATION_STATUS_MESSAGE, Some(&message));
    Status::Error(SpanError { kind, message })
}

fn trace(attributes: &mut Attributes, resource: &Resource) -> TraceAttributes {
    let session_id = attributes.text(&SESSION_ID);
    attributes.drop_equal(gen_ai::CONVERSATION_ID, session_id.as_deref());
    let mut metadata: Vec<_> = attributes.prefixed(langfuse::TRACE_METADATA);
    for (_, value) in &mut metadata {
        if let Some(structured) = value.as_str().and_then(cap::structured) {
            *value = structured;
        }
    }
    let object = attributes.object(&Field::only(openinference::METADATA)).unwrap_or_default();
    metadata.extend(object.into_iter().map(|(key, value)| (key.into(), value)));
    TraceAttributes {
        name: attributes.text(&TRACE_NAME),
        session_id,
        user_id: attributes.text(&USER_ID),
        tags: attributes.texts(&TAGS).unwrap_or_default(),
        metadata,
        environment: attributes.text(&ENVIRONMENT).or_else(|| resource.environment.clone()),
        release: attributes.text(&RELEASE).or_else(|| resource.release.clone()),
        version: attributes.text(&VERSION),
        remote_parent: None,
    }
}

/// Takes a payload: JSON if it says so, or says nothing and looks like an object or array.
fn payload(field: &Field, mime_type: &Field, attributes: &mut Attributes) -> Option<Payload> {
    let value = attributes.any(field)?;
    let mime_type = attributes.text(mime_type);
    let Value::String(text) = value else { return Some(value.into()) };
    let parsed = match mime_type.as_deref() {
        Some("application/json") => serde_json::from_str(&text).ok(),
        Some("text/plain") => None,
        _ => cap::structured(&text),
    };
    Some(parsed.map_or_else(|| text.into(), Payload::from))
}

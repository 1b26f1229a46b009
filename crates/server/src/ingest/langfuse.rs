//! Langfuse's own batches: events that create and update traces, observations and scores.

use super::{Unreadable, span};
use crate::received::{Origin, cut};
use crate::store::{Batch, NewScore, OriginBytes, Packer};
use crate::wire::WireSpan;
use glassbox_trace::vocabulary::dialects::langfuse_old;
use glassbox_trace::vocabulary::{general, langfuse as keys};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The most events of a batch.
const MOST_EVENTS: usize = 10_000;

/// What was made of a batch: what is to be kept, and an answer for each event.
#[derive(Debug, Default)]
pub struct LangfuseBatch {
    /// What is to be kept.
    pub batch: Batch,
    /// The events that were understood.
    pub successes: Vec<EventSuccess>,
    /// The events that were not.
    pub errors: Vec<EventError>,
}

/// An event that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventSuccess {
    /// The event's own id.
    pub id: String,
    /// 201.
    pub status: u16,
}

/// An event that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventError {
    /// The event's own id.
    pub id: String,
    /// 400.
    pub status: u16,
    /// What is wrong.
    pub message: String,
    /// What is wrong, once more: Langfuse's clients read either.
    pub error: String,
}

#[derive(Deserialize)]
struct Request {
    batch: Vec<Value>,
}

/// Reads a batch. Each event stands for itself.
///
/// # Errors
///
/// If there is no list of events.
pub fn langfuse(body: &[u8]) -> Result<LangfuseBatch, Unreadable> {
    let request: Request = serde_json::from_slice(body)
        .map_err(|error| Unreadable(format!("expected {{\"batch\":[..]}} in JSON: {error}")))?;
    if request.batch.len() > MOST_EVENTS {
        return Err(Unreadable(format!(
            "more than {MOST_EVENTS} events in one batch; send smaller ones"
        )));
    }
    let mut read = LangfuseBatch::default();
    let mut packer = Packer::default();
    let origin = Arc::new(OriginBytes::new(&[], &[], Origin::default()));
    for event in &request.batch {
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        let taken = match part(event) {
            Ok(Some(Part::Score(score))) => {
                read.batch.scores.push(score);
                Ok(())
            }
            Ok(Some(Part::Span(bytes))) => match WireSpan::read(&bytes) {
                Ok(wire) => {
                    packer.push(&wire, &bytes, &origin);
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        match taken {
            Ok(()) => read.successes.push(EventSuccess { id, status: 201 }),
            Err(message) => {
                read.errors.push(EventError { id, status: 400, error: message.clone(), message })
            }
        }
    }
    read.batch.blocks = packer.finish();
    Ok(read)
}

enum Part {
    Span(Vec<u8>),
    Score(NewScore),
}

/// Reads one event; `None` if there is nothing in it to keep.
fn part(event: &Value) -> Result<Option<Part>, String> {
    let kind = event["type"].as_str().ok_or("type: expected a text")?;
    let body = event["body"].as_object().ok_or("body: expected an object")?;
    let made_at = event["timestamp"].as_str().and_then(span::nanos).unwrap_or(0);
    let span = |kind: &str| {
        observation(body, kind).map(|span| Some(Part::Span(span::fragment(&span, made_at, false))))
    };
    match kind {
        "trace-create" => {
            Ok(Some(Part::Span(span::fragment(&trace(body, made_at)?, made_at, true))))
        }
        "score-create" => score(body, made_at).map(|score| Some(Part::Score(score))),
        "sdk-log" => Ok(None),
        "event-create" => span("event"),
        "observation-create" | "observation-update" => {
            let kind =
                body.get("type").and_then(Value::as_str).unwrap_or("span").to_ascii_lowercase();
            span(&kind)
        }
        other => match other.rsplit_once('-') {
            Some((kind, "create" | "update")) if crate::received::is_langfuse_kind(kind) => {
                span(kind)
            }
            _ => Err(format!("type: {other:?} is not known")),
        },
    }
}

fn text<'b>(body: &'b Map<String, Value>, key: &str) -> Option<&'b str> {
    body.get(key).and_then(Value::as_str)
}

/// What is said of a trace, as a span of its own that is none.
fn trace(body: &Map<String, Value>, made_at: u64) -> Result<Span, String> {
    let id = span::trace_id(text(body, "id").ok_or("body.id: expected a text")?);
    let mut attributes = shared(body);
    let fields = [
        ("name", keys::TRACE_NAME),
        ("input", keys::OBSERVATION_INPUT),
        ("output", keys::OBSERVATION_OUTPUT),
    ];
    add(&mut attributes, body, &fields);
    add(&mut attributes, body, &[("metadata", langfuse_old::TRACE_METADATA)]);
    let start = text(body, "timestamp").and_then(span::nanos).unwrap_or(made_at);
    Ok(Span {
        trace_id: id.to_bytes().to_vec(),
        // However the id is written: there is one record of a trace.
        span_id: span::span_id(&format!("trace record of {id}")).to_bytes().to_vec(),
        name: cut(text(body, "name").unwrap_or_default().to_owned(), 1000),
        start_time_unix_nano: start,
        end_time_unix_nano: start,
        attributes,
        ..Span::default()
    })
}

fn observation(body: &Map<String, Value>, kind: &str) -> Result<Span, String> {
    let id = text(body, "id").ok_or("body.id: expected a text")?;
    let trace = text(body, "traceId").unwrap_or(id);
    let mut attributes = shared(body);
    span::add(&mut attributes, keys::OBSERVATION_TYPE, &kind.into());
    let fields = [
        ("input", keys::OBSERVATION_INPUT),
        ("output", keys::OBSERVATION_OUTPUT),
        ("level", keys::OBSERVATION_LEVEL),
        ("statusMessage", keys::OBSERVATION_STATUS_MESSAGE),
        ("model", keys::OBSERVATION_MODEL_NAME),
        ("modelParameters", keys::OBSERVATION_MODEL_PARAMETERS),
        ("usageDetails", keys::OBSERVATION_USAGE_DETAILS),
        ("costDetails", keys::OBSERVATION_COST_DETAILS),
        ("completionStartTime", keys::OBSERVATION_COMPLETION_START_TIME),
        ("promptName", keys::OBSERVATION_PROMPT_NAME),
        ("promptVersion", keys::OBSERVATION_PROMPT_VERSION),
    ];
    add(&mut attributes, body, &fields);
    if !body.contains_key("usageDetails")
        && let Some(usage) = body.get("usage").and_then(usage)
    {
        span::add(&mut attributes, keys::OBSERVATION_USAGE_DETAILS, &usage);
    }
    if let Some(Value::Object(facts)) = body.get("metadata") {
        for (key, value) in facts {
            span::add(&mut attributes, format!("{}{key}", keys::OBSERVATION_METADATA), value);
        }
    }
    let time = |key: &str| text(body, key).and_then(span::nanos).unwrap_or(0);
    let start = time("startTime");
    // An event has no duration.
    let end = if kind == "event" { start } else { time("endTime") };
    let is_error = text(body, "level") == Some("ERROR");
    Ok(Span {
        trace_id: span::trace_id(trace).to_bytes().to_vec(),
        span_id: span::span_id(id).to_bytes().to_vec(),
        parent_span_id: text(body, "parentObservationId")
            .map(|parent| span::span_id(parent).to_bytes().to_vec())
            .unwrap_or_default(),
        name: text(body, "name").unwrap_or_default().to_owned(),
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        status: is_error.then(|| Status {
            message: text(body, "statusMessage").unwrap_or_default().to_owned(),
            code: 2,
        }),
        attributes,
        ..Span::default()
    })
}

/// What traces and observations both say.
fn shared(body: &Map<String, Value>) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    let fields = [
        ("sessionId", general::SESSION_ID),
        ("userId", general::USER_ID),
        ("environment", keys::ENVIRONMENT),
        ("release", keys::RELEASE),
        ("version", keys::VERSION),
        ("tags", keys::TRACE_TAGS),
    ];
    add(&mut attributes, body, &fields);
    attributes
}

fn add(attributes: &mut Vec<KeyValue>, body: &Map<String, Value>, fields: &[(&str, &'static str)]) {
    for (field, key) in fields {
        if let Some(value) = body.get(*field) {
            span::add(attributes, *key, value);
        }
    }
}

/// Reads usage as Langfuse's older clients send it.
fn usage(usage: &Value) -> Option<Value> {
    let usage = usage.as_object()?;
    let count = |names: &[&str]| names.iter().find_map(|name| usage.get(*name)?.as_u64());
    let mut details = Map::new();
    for (bucket, names) in [
        ("input", ["input", "promptTokens", "prompt_tokens"]),
        ("output", ["output", "completionTokens", "completion_tokens"]),
        ("total", ["total", "totalTokens", "total_tokens"]),
    ] {
        if let Some(tokens) = count(&names) {
            details.insert(bucket.to_owned(), tokens.into());
        }
    }
    (!details.is_empty()).then_some(Value::Object(details))
}

/// Reads a score as it is sent alone.
///
/// # Errors
///
/// If a field is missing.
pub fn langfuse_score(body: &Map<String, Value>, made_at_ns: u64) -> Result<NewScore, Unreadable> {
    score(body, made_at_ns).map_err(Unreadable)
}

fn score(body: &Map<String, Value>, made_at: u64) -> Result<NewScore, String> {
    let trace = text(body, "traceId").ok_or("body.traceId: expected a text")?;
    let name =
        text(body, "name").filter(|name| !name.is_empty()).ok_or("body.name: expected a text")?;
    let value = body
        .get("value")
        .filter(|value| !value.is_null())
        .ok_or("body.value: expected a number or a text")?;
    let is_boolean = text(body, "dataType") == Some("BOOLEAN");
    let value = match value.as_f64().filter(|_| is_boolean) {
        Some(number) => Value::Bool(number != 0.0),
        None => value.clone(),
    };
    let id = text(body, "id").map_or_else(|| format!("{trace}/{name}/{made_at}"), str::to_owned);
    Ok(NewScore {
        id,
        trace_id: span::trace_id(trace),
        span_id: text(body, "observationId").map(span::span_id),
        name: cut(name.to_owned(), 1000),
        value,
        comment: text(body, "comment").map(str::to_owned),
        at_us: i64::try_from(made_at / 1000).unwrap_or(i64::MAX),
    })
}

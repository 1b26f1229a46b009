//! Announcements: one line of JSON each, the process first. See `docs/live.md`.

use super::{Limits, Unreadable, span};
use crate::live::Announced;
use crate::received::{Origin, cut, size};
use crate::store::{Batch, OriginBytes, Packer};
use crate::wire::{Group, WireSpan};
use glassbox_trace::otlp::cut_text;
use glassbox_trace::vocabulary::{gen_ai, general, glassbox, langfuse, openinference};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The most bytes of the attributes of a span that runs: programs of ours send at most a quarter of it.
const MOST_BYTES_OF_START: usize = 64 << 10;

/// The most bytes of what is remembered of a process: its id, which each of its running spans names, its service, and how
/// its export does.
const MOST_BYTES_OF_ID: usize = 200;
const MOST_BYTES_OF_SERVICE: usize = 1024;
const MOST_BYTES_OF_HEALTH: usize = 16 << 10;

/// What a process announced.
#[derive(Debug, Default)]
pub struct Announcement {
    /// What is said of the process.
    pub announced: Announced,
    /// The spans that have begun.
    pub batch: Batch,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Process(ProcessLine),
    Start(Box<Start>),
    Heartbeat(IgnoredAny),
    Health(Value),
    Bye(IgnoredAny),
}

#[derive(Deserialize)]
struct ProcessLine {
    id: String,
    service: Option<String>,
    environment: Option<String>,
    release: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Start {
    trace_id: String,
    span_id: String,
    parent_id: Option<String>,
    name: String,
    kind: Option<String>,
    start_us: u64,
    model: Option<String>,
    provider: Option<String>,
    tool: Option<String>,
    input: Option<Value>,
    #[serde(default)]
    flags: u32,
    #[serde(default)]
    attributes: Map<String, Value>,
    trace_name: Option<String>,
    session_id: Option<String>,
    user_id: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// Reads announcements.
///
/// # Errors
///
/// If a line cannot be read, or the first one does not say which process it is.
pub fn announcement(body: &[u8], limits: &Limits) -> Result<Announcement, Unreadable> {
    let mut announced = Announced::default();
    let mut origin = Arc::new(OriginBytes::default());
    let mut packer = Packer::default();
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    for (at, line) in lines.enumerate() {
        let wrong = |reason: String| Unreadable(format!("line {}: {reason}", at + 1));
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            wrong(format!(
                "{error}; expected an object with one of process, start, heartbeat, health, bye"
            ))
        })?;
        if let Line::Process(process) = line {
            origin = Arc::new(origin_of(&process));
            if process.id.len() > MOST_BYTES_OF_ID {
                return Err(wrong(format!(
                    "id: expected a text of at most {MOST_BYTES_OF_ID} bytes"
                )));
            }
            announced.process = process.id;
            announced.service = process.service.map(|service| cut(service, MOST_BYTES_OF_SERVICE));
            continue;
        }
        if announced.process.is_empty() {
            return Err(wrong(
                "begin with {\"process\":{\"id\":\"..\",\"service\":\"..\"}}".to_owned(),
            ));
        }
        match line {
            Line::Start(start) if announced.started.len() < limits.spans => {
                let bytes = wire(*start).map_err(wrong)?.encode_to_vec();
                let wire = WireSpan::read(&bytes).map_err(|error| wrong(error.to_string()))?;
                packer.push(&wire, &bytes, &origin);
                let (trace, span) = (wire.trace_id, wire.span_id);
                announced.started.push((
                    glassbox_trace::id::TraceId::from_bytes(trace),
                    glassbox_trace::id::SpanId::from_bytes(span),
                ));
            }
            Line::Health(health) if size(&health) <= MOST_BYTES_OF_HEALTH => {
                announced.health = Some(health);
            }
            Line::Bye(_) => announced.bye = true,
            // A heartbeat says that it is there, which any line does; surplus starts are seen when they end, and health
            // that is too long to be shown is not.
            Line::Start(_) | Line::Heartbeat(_) | Line::Health(_) | Line::Process(_) => (),
        }
    }
    if announced.process.is_empty() {
        return Err(Unreadable(
            "nothing was sent; begin with {\"process\":{\"id\":\"..\"}}".to_owned(),
        ));
    }
    let blocks = packer.finish();
    Ok(Announcement { announced, batch: Batch { blocks, ..Batch::default() } })
}

fn origin_of(process: &ProcessLine) -> OriginBytes {
    let mut attributes = Vec::new();
    let facts = [
        (general::SERVICE_NAME, &process.service),
        (general::DEPLOYMENT_ENVIRONMENT, &process.environment),
        (langfuse::RELEASE, &process.release),
        (general::SERVICE_VERSION, &process.version),
    ];
    for (key, value) in facts {
        if let Some(value) = value {
            span::add(&mut attributes, key, &Value::String(value.clone()));
        }
    }
    let resource = span::resource(attributes);
    let group = Group { resource: &resource, ..Group::default() };
    let origin = group.resource_attributes().map(|found| Origin::read(&found)).unwrap_or_default();
    OriginBytes::new(&resource, &[], origin)
}

/// Keeps a start small, since it is kept besides the span that replaces it: texts are cut, and what is too much is left
/// out.
fn bound(attributes: &mut Vec<KeyValue>) {
    let mut left = MOST_BYTES_OF_START;
    attributes.retain_mut(|attribute| {
        let text = attribute.value.as_mut().and_then(|value| value.value.as_mut());
        if let Some(Any::StringValue(text)) = text {
            *text = cut_text(std::mem::take(text), MOST_BYTES_OF_START / 2);
        }
        left = left.saturating_sub(attribute.encoded_len());
        left > 0
    });
}

fn wire(start: Start) -> Result<Span, String> {
    let trace_id: glassbox_trace::id::TraceId =
        start.trace_id.parse().map_err(|error| format!("trace_id: {error}"))?;
    let id = |name: &str, text: &str| -> Result<Vec<u8>, String> {
        let id: glassbox_trace::id::SpanId =
            text.parse().map_err(|error| format!("{name}: {error}"))?;
        Ok(id.to_bytes().to_vec())
    };
    let mut attributes = Vec::new();
    let texts = [
        (langfuse::OBSERVATION_TYPE, start.kind),
        (gen_ai::REQUEST_MODEL, start.model),
        (gen_ai::PROVIDER_NAME, start.provider),
        (gen_ai::TOOL_NAME, start.tool),
        (glassbox::TRACE_NAME, start.trace_name),
        (general::SESSION_ID, start.session_id),
        (general::USER_ID, start.user_id),
    ];
    for (key, text) in texts {
        span::add(&mut attributes, key, &text.map_or(Value::Null, Value::String));
    }
    if let Some(input) = &start.input {
        span::add(&mut attributes, openinference::INPUT_VALUE, input);
    }
    for (key, value) in start.attributes {
        span::add(&mut attributes, key, &value);
    }
    if !start.tags.is_empty() {
        span::add(&mut attributes, openinference::TAGS, &start.tags.into());
    }
    for (key, value) in &start.metadata {
        span::add(&mut attributes, format!("{}{key}", langfuse::TRACE_METADATA), value);
    }
    bound(&mut attributes);
    Ok(Span {
        flags: start.flags,
        trace_id: trace_id.to_bytes().to_vec(),
        span_id: id("span_id", &start.span_id)?,
        parent_span_id: start
            .parent_id
            .map(|parent| id("parent_id", &parent))
            .transpose()?
            .unwrap_or_default(),
        name: start.name,
        start_time_unix_nano: start.start_us.saturating_mul(1000),
        attributes,
        ..Span::default()
    })
}

//! What lists and waterfalls show of a span, read from what arrived in whatever dialect.
//!
//! Understood are the GenAI conventions, old and new, OpenInference, Langfuse, OpenLLMetry (Traceloop) and Vercel's AI
//! SDK. Reading is a pure function of the bytes; what is odd about a span is told and not mended.

mod keys;
mod kind;
mod usage;
mod context;
mod content;
mod happened;

pub use content::{input, output};
pub use context::{Origin, TraceContext};
pub(crate) use context::{object, size, structured};
pub use happened::events_of;
pub use keys::{INPUT, OUTPUT, PROVIDER, RESPONSE_ID, RESPONSE_MODEL};

use crate::wire::{Any, WireEvent, WireSpan};
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::span::Kind;
use glassbox_trace::usage::Usage;
use glassbox_trace::vocabulary::dialects::{gen_ai_old, vercel};
use glassbox_trace::vocabulary::langfuse::metadata;
use glassbox_trace::vocabulary::{gen_ai, general, glassbox, langfuse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::UNIX_EPOCH;

/// The most bytes of a name or another short text that lists show.
const MOST_NAME: usize = 512;

/// The most bytes of the message of an error or a note.
const MOST_MESSAGE: usize = 1024;

/// The most notes that lists show; the rest is with the payload.
const MOST_NOTES: usize = 20;

/// How far a span has come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has begun and not ended.
    Running,
    /// Its process went away before it ended.
    Abandoned,
    /// It ended well.
    Done,
    /// It failed.
    Error,
}

impl State {
    /// Tells whether nothing more is expected of the span.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Error)
    }
}

/// A span as lists show it, without its payload.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedSpan {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// The parent, if it has one.
    pub parent_id: Option<SpanId>,
    /// Whether it is the topmost one of its process.
    pub is_local_root: bool,
    /// What ran.
    pub name: String,
    /// What kind of work it was.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
    /// When it began, microseconds since the epoch.
    pub start_us: i64,
    /// When it ended, microseconds since the epoch, not before it began.
    pub end_us: Option<i64>,
    /// Why it failed.
    pub error: Option<ErrorInfo>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Who serves the model.
    pub provider: Option<String>,
    /// The tool that was called.
    pub tool: Option<String>,
    /// The tokens of a model call.
    pub usage: Usage,
    /// The cost of a model call, in millionths of a millionth of a dollar.
    pub cost_pico: Option<i64>,
    /// What a model call spent its time with, if it was told.
    pub phases: Option<Phases>,
    /// What went differently than hoped for.
    pub notes: Vec<Note>,
    /// What is odd about the span itself.
    pub odd: Vec<String>,
    /// Whether it has an input.
    pub has_input: bool,
    /// Whether it has an output.
    pub has_output: bool,
    /// How the input begins.
    pub input_preview: Option<String>,
    /// How the output begins.
    pub output_preview: Option<String>,
    /// The last words of the output.
    pub output_end: Option<String>,
    /// What all spans of the trace share.
    pub context: TraceContext,
}

/// Why a span failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorInfo {
    /// The class of the error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The message for people.
    pub message: String,
}

/// What a model call spent its time with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phases {
    /// Microseconds that it waited in the program's own limiter.
    pub limiter_wait_us: i64,
    /// Microseconds that it slept between attempts.
    pub backoff_us: i64,
    /// Microseconds of that sleep that the server asked for.
    pub retry_after_us: i64,
    /// Microseconds from its start to the first chunk.
    pub first_chunk_us: Option<i64>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Whether the program's own cache answered.
    pub cache_hit: bool,
}

/// Something that happened during a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// When, microseconds since the epoch.
    pub at_us: i64,
    /// What.
    pub name: String,
    /// What it says.
    pub message: String,
}

impl ReceivedSpan {
    /// Reads what lists need of a span that `origin` made.
    #[must_use]
    pub fn read(wire: &WireSpan<'_>, origin: &Origin) -> Self {
        let attributes = &wire.attributes;
        let kind = kind::kind(wire);
        let start_us = micros(wire.start_ns);
        let mut odd = Vec::new();
        let end_us = end(wire, start_us, &mut odd);
        if wire.start_ns == 0 {
            odd.push("no start was told".to_owned());
        }
        if wire.parent_id == Some(wire.span_id) {
            odd.push("cycle: it is its own parent".to_owned());
        }
        let error = error(wire);
        let state = match (&error, end_us) {
            (_, None) => State::Running,
            (Some(_), _) => State::Error,
            (None, _) => State::Done,
        };
        let is_model_call = matches!(kind, Kind::Generation | Kind::Embedding);
        let model = keys::model(attributes).map(|text| cut(text, MOST_NAME));
        let provider = keys::provider(attributes).map(|text| cut(text, MOST_NAME));
        let (usage, cost_pico) = if is_model_call {
            usage::usage_and_cost(attributes, provider.as_deref(), model.as_deref())
        } else {
            (Usage::UNKNOWN, None)
        };
        let context = context::context(attributes, origin);
        let is_app_root =
            attributes.get(langfuse::IS_APP_ROOT).and_then(Any::as_flag) == Some(true);
        let is_local_root = wire.parent_id.is_none() || wire.parent_is_remote || is_app_root;
        let (input, output) = (content::input(wire), content::output(wire));
        let preview = |content: &Option<std::borrow::Cow<'_, Any<'_>>>| {
            content.as_deref().map(content::preview)
        };
        Self {
            trace_id: TraceId::from_bytes(wire.trace_id),
            span_id: SpanId::from_bytes(wire.span_id),
            parent_id: wire.parent_id.map(SpanId::from_bytes),
            is_local_root,
            name: cut(name(wire), MOST_NAME),
            kind,
            state,
            start_us,
            end_us,
            error,
            model: model.filter(|_| is_model_call),
            provider: provider.filter(|_| is_model_call),
            tool: (kind == Kind::Tool).then(|| {
                let name = attributes.text(keys::TOOL_NAME);
                cut(name.unwrap_or_else(|| wire.name.clone().into_owned()), MOST_NAME)
            }),
            usage,
            cost_pico,
            phases: is_model_call.then(|| phases(wire, start_us)).flatten(),
            notes: notes(wire),
            odd,
            has_input: input.is_some(),
            has_output: output.is_some(),
            input_preview: preview(&input),
            output_preview: preview(&output),
            output_end: output.as_deref().map(content::last_words),
            context: TraceContext {
                name: context.name.or_else(|| name_by_program(wire)),
                ..context
            },
        }
    }

    /// Returns how long it took, in microseconds; `None` while it is running.
    #[must_use]
    pub fn duration_us(&self) -> Option<i64> {
        self.end_us.map(|end| end.saturating_sub(self.start_us))
    }
}

/// Tells whether Langfuse has such a type of observation.
pub(crate) fn is_langfuse_kind(name: &str) -> bool {
    kind::of_langfuse(name).is_some()
}

/// The name, with the tool's where it is that of any call of a tool by Vercel's SDK.
fn name(wire: &WireSpan<'_>) -> String {
    let tool = || wire.attributes.text(&[vercel::TOOL_NAME]);
    match wire.name.as_ref() {
        name @ vercel::TOOL_CALL => tool().map_or(name.to_owned(), |tool| format!("{name} {tool}")),
        name => name.to_owned(),
    }
}

/// What the program calls a trace that has but the name of an operation of Vercel's: `ai.generateText`, or
/// `invoke_agent` and a model.
fn name_by_program(wire: &WireSpan<'_>) -> Option<String> {
    if wire.parent_id.is_some() {
        return None;
    }
    let attributes = &wire.attributes;
    let agent = || {
        let model = attributes.text(&[gen_ai::REQUEST_MODEL])?;
        let is_of_model = wire.name.strip_prefix("invoke_agent ") == Some(model.as_str());
        is_of_model.then(|| attributes.text(&[gen_ai::AGENT_NAME])).flatten()
    };
    let name = attributes.text(&[vercel::FUNCTION_ID]).or_else(agent)?;
    Some(cut(name, MOST_NAME))
}

/// Nanoseconds as microseconds; 2^64 nanoseconds fit.
const fn micros(nanos: u64) -> i64 {
    (nanos / 1000).cast_signed()
}

/// When it ended: not before it began, and not at all if no end was told.
fn end(wire: &WireSpan<'_>, start_us: i64, odd: &mut Vec<String>) -> Option<i64> {
    if wire.end_ns == 0 {
        return None;
    }
    let end_us = micros(wire.end_ns);
    if end_us < start_us {
        odd.push(format!("clock skew: it ended {} us before it began", start_us - end_us));
    }
    Some(end_us.max(start_us))
}

fn error(wire: &WireSpan<'_>) -> Option<ErrorInfo> {
    let attributes = &wire.attributes;
    let level = attributes.get(langfuse::OBSERVATION_LEVEL).and_then(Any::as_text);
    let level_is_error = level.is_some_and(|level| {
        ["error", "fatal", "critical"].iter().any(|name| level.eq_ignore_ascii_case(name))
    });
    if !wire.is_error && !level_is_error {
        return None;
    }
    let exception = wire.events.iter().rev().find(|event| event.name == "exception");
    let of_exception = |key| exception.and_then(|event| event.attributes.text(&[key]));
    let kind = attributes.text(&[general::ERROR_TYPE]);
    let kind = kind.or_else(|| of_exception(gen_ai_old::EXCEPTION_TYPE));
    let message = Some(wire.status_message.clone().into_owned()).filter(|text| !text.is_empty());
    let message = message
        .or_else(|| attributes.text(&[langfuse::OBSERVATION_STATUS_MESSAGE]))
        .or_else(|| of_exception(general::EXCEPTION_MESSAGE));
    Some(ErrorInfo {
        kind: cut(kind.unwrap_or_else(|| general::ERROR_TYPE_OTHER.to_owned()), MOST_NAME),
        message: cut(message.unwrap_or_default(), MOST_MESSAGE),
    })
}

fn phases(wire: &WireSpan<'_>, start_us: i64) -> Option<Phases> {
    let attributes = &wire.attributes;
    let micros_of = |keys: &[&str], factor: f64| {
        // The cast saturates; nobody waits for longer than 2^63 microseconds.
        attributes.first(keys, Any::as_number).map(|number| (number * factor).max(0.0) as i64)
    };
    let first_chunk_at = attributes
        .get(langfuse::OBSERVATION_COMPLETION_START_TIME)
        .and_then(Any::as_text)
        .and_then(instant_us);
    let first_chunk_us = first_chunk_at
        .map(|at| at.saturating_sub(start_us).max(0))
        .or_else(|| micros_of(keys::SECONDS_TO_FIRST_CHUNK, 1e6))
        .or_else(|| micros_of(keys::MILLIS_TO_FIRST_CHUNK, 1e3));
    let attempts = attributes.first(&[glassbox::LM_ATTEMPTS, metadata::ATTEMPTS], Any::as_count);
    let cache_hit = attributes.first(&[glassbox::LM_CACHE_HIT, metadata::CACHE_HIT], Any::as_flag);
    if first_chunk_us.is_none() && attempts.is_none() && cache_hit.is_none() {
        return None;
    }
    let waited = |keys: &[&str]| micros_of(keys, 1e6).unwrap_or(0);
    Some(Phases {
        limiter_wait_us: waited(&[glassbox::LM_LIMITER_WAIT, metadata::LIMITER_WAIT]),
        backoff_us: waited(&[glassbox::LM_BACKOFF_WAIT, metadata::BACKOFF_WAIT]),
        retry_after_us: waited(&[glassbox::LM_RETRY_AFTER_WAIT, metadata::RETRY_AFTER_WAIT]),
        first_chunk_us,
        attempts: attempts.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX)),
        cache_hit: cache_hit.unwrap_or(false),
    })
}

/// Reads an instant such as `2026-11-22T13:05:38.412Z`, which may be a JSON string.
pub(crate) fn instant_us(text: &str) -> Option<i64> {
    let text = text.trim_matches('"').trim_end_matches("+00:00");
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
}

fn notes(wire: &WireSpan<'_>) -> Vec<Note> {
    // Vercel's tell of a stream's beginning and end, which are among the phases.
    let is_note =
        |name: &str| !content::is_content(name) && !name.starts_with(vercel::STREAM_EVENT);
    let events = wire.events.iter().filter(|event| is_note(&event.name));
    let mut notes: Vec<_> = events.take(MOST_NOTES).map(note).collect();
    // Langfuse drops events, so what is sent there has them in its metadata.
    if let Some(json) = wire.attributes.get(metadata::NOTES).and_then(Any::as_text)
        && let Ok(serde_json::Value::Array(items)) = serde_json::from_str(json)
    {
        let text =
            |item: &serde_json::Value, key: &str| item[key].as_str().unwrap_or("").to_owned();
        notes.extend(items.iter().take(MOST_NOTES).map(|item| Note {
            at_us: instant_us(&text(item, "time")).unwrap_or_else(|| micros(wire.start_ns)),
            name: cut(text(item, "name"), MOST_NAME),
            message: cut(text(item, "message"), MOST_MESSAGE),
        }));
    }
    notes
}

fn note(event: &WireEvent<'_>) -> Note {
    let said = event.attributes.text(&[glassbox::NOTE_MESSAGE, general::EXCEPTION_MESSAGE]);
    let all = || match event.attributes.to_json() {
        attributes if attributes.is_empty() => String::new(),
        attributes => serde_json::Value::Object(attributes).to_string(),
    };
    Note {
        at_us: micros(event.at_ns),
        name: cut(event.name.clone().into_owned(), MOST_NAME),
        message: cut(said.unwrap_or_else(all), MOST_MESSAGE),
    }
}

/// Cuts a text to so many bytes, and marks that.
pub(crate) fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub(3)));
        text.push('…');
    }
    text
}

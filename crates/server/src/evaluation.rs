//! Scores as events of spans: how OpenTelemetry's GenAI conventions tell them, and so how they leave and come by OTLP.
//!
//! An event of anybody, `gen_ai.evaluation.result`, is a score of the span that it is on, and stays with it. Those that an
//! export wrote have the score's own id besides: they are taken out again, so that the span is as it was.

use crate::received::cut;
use crate::store::NewScore;
use crate::view::ScoreView;
use crate::wire::{Any, WireEvent, WireSpan};
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::vocabulary::{gen_ai, glassbox};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Text;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The most bytes of a score's name.
const MOST_NAME: usize = 1000;

/// What [`glassbox::SCORE_OF`] says of a score of the whole trace.
const OF_TRACE: &str = "trace";

/// A score that an event tells.
#[derive(Debug, PartialEq)]
pub struct Told {
    /// The score.
    pub score: NewScore,
    /// Which event of the span it is.
    pub place: usize,
    /// Whether the event was written for this score alone, and is no part of the span.
    pub is_own: bool,
}

/// Reads the scores that a span's events tell. The same bytes tell the same scores with the same ids.
#[must_use]
pub fn read(wire: &WireSpan<'_>) -> Vec<Told> {
    let events = wire.events.iter().enumerate();
    let events = events.filter(|(_, event)| event.name == gen_ai::EVALUATION_RESULT);
    events.filter_map(|(place, event)| told(wire, place, event)).collect()
}

fn told(wire: &WireSpan<'_>, place: usize, event: &WireEvent<'_>) -> Option<Told> {
    let text = |key: &str| event.attributes.get(key).and_then(Any::as_text);
    let name = text(gen_ai::EVALUATION_NAME).filter(|name| !name.is_empty())?;
    let own_id = text(glassbox::SCORE_ID).filter(|id| !id.is_empty());
    let exact = own_id.and_then(|_| serde_json::from_str(text(glassbox::SCORE_VALUE)?).ok());
    let value = exact.or_else(|| number(event)).or_else(|| {
        text(gen_ai::EVALUATION_SCORE_LABEL).map(|label| Value::String(label.to_owned()))
    })?;
    let span_id = SpanId::from_bytes(wire.span_id);
    let span_id = match own_id.and_then(|_| text(glassbox::SCORE_OF)) {
        Some(OF_TRACE) => None,
        Some(other) => Some(other.parse().unwrap_or(span_id)),
        None => Some(span_id),
    };
    // Who tells no time means the end of what was judged.
    let at_ns = match (event.at_ns, wire.end_ns) {
        (0, end_ns) if own_id.is_none() => end_ns,
        (at_ns, _) => at_ns,
    };
    let comment = text(gen_ai::EVALUATION_EXPLANATION);
    let why = comment.unwrap_or_default();
    let score = NewScore {
        id: own_id
            .map_or_else(|| id_of(wire, event, [name, &value.to_string(), why]), str::to_owned),
        trace_id: TraceId::from_bytes(wire.trace_id),
        span_id,
        name: cut(name.to_owned(), MOST_NAME),
        value,
        comment: comment.map(str::to_owned),
        at_us: i64::try_from(at_ns / 1000).unwrap_or(i64::MAX),
    };
    Some(Told { score, place, is_own: own_id.is_some() })
}

/// The score's number; what is not finite is none.
fn number(event: &WireEvent<'_>) -> Option<Value> {
    match event.attributes.get(gen_ai::EVALUATION_SCORE_VALUE)? {
        Any::Int(number) => Some((*number).into()),
        other => serde_json::Number::from_f64(other.as_number()?).map(Value::Number),
    }
}

/// Tells events of others apart by all that they say, so that one that comes twice is one score.
fn id_of(wire: &WireSpan<'_>, event: &WireEvent<'_>, said: [&str; 3]) -> String {
    let mut hash = Sha256::new();
    hash.update(wire.trace_id);
    hash.update(wire.span_id);
    hash.update(event.at_ns.to_le_bytes());
    for said in said {
        hash.update(said.len().to_le_bytes());
        hash.update(said);
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tells whether an event of a span tells this very score already.
#[must_use]
pub fn is_told(score: &ScoreView, told: &NewScore) -> bool {
    score.id == told.id
        && score.span_id == told.span_id.map(|id| id.to_string())
        && score.name == told.name
        && score.value == told.value
        && score.comment == told.comment
        && score.at_us == told.at_us
}

/// Writes a score as an event of a span, which need not be the one that it is of.
#[must_use]
pub fn event(score: &ScoreView, carrier: &str) -> Event {
    let text = |text: &str| Text::StringValue(text.to_owned());
    let mut attributes = Vec::new();
    let mut put = |key: &str, value| {
        let value = Some(AnyValue { value: Some(value) });
        attributes.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
    };
    put(gen_ai::EVALUATION_NAME, text(&score.name));
    match &score.value {
        Value::String(label) => put(gen_ai::EVALUATION_SCORE_LABEL, text(label)),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or_default();
            put(gen_ai::EVALUATION_SCORE_VALUE, Text::DoubleValue(number));
        }
        other => {
            let number = other.as_bool().map(f64::from).or_else(|| other.as_f64());
            match number {
                Some(number) => put(gen_ai::EVALUATION_SCORE_VALUE, Text::DoubleValue(number)),
                None => put(gen_ai::EVALUATION_SCORE_LABEL, text(&other.to_string())),
            }
            put(glassbox::SCORE_VALUE, text(&other.to_string()));
        }
    }
    if let Some(comment) = &score.comment {
        put(gen_ai::EVALUATION_EXPLANATION, text(comment));
    }
    put(glassbox::SCORE_ID, text(&score.id));
    match score.span_id.as_deref() {
        None => put(glassbox::SCORE_OF, text(OF_TRACE)),
        Some(span_id) if span_id != carrier => put(glassbox::SCORE_OF, text(span_id)),
        Some(_) => (),
    }
    Event {
        time_unix_nano: u64::try_from(score.at_us).unwrap_or(0).saturating_mul(1000),
        name: gen_ai::EVALUATION_RESULT.to_owned(),
        attributes,
        ..Event::default()
    }
}

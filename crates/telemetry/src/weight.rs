//! How many bytes a span is about, told without rendering it: the queue is bounded by it, on the hot path.

use glassbox_trace::message::{Message, Part};
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Detail, Span};

/// Ids, times, names and the attributes that every span has.
const BASE: usize = 512;
/// What counts for a value whose size is known only when it is rendered.
const VALUE: usize = 1024;

/// Estimates the size of an exported span. Texts count with their length, values with a constant.
pub(crate) fn weigh(span: &Span) -> usize {
    let payloads: usize = [&span.input, &span.output].into_iter().flatten().map(payload).sum();
    let messages = match &span.detail {
        Detail::Generation(generation) => {
            generation.messages.iter().chain(&generation.output).map(message).sum()
        }
        _ => 0,
    };
    BASE + payloads + messages + VALUE * span.attributes.len()
}

fn payload(payload: &Payload) -> usize {
    match payload {
        Payload::Text(text) => text.len(),
        Payload::Value(_) => VALUE,
    }
}

fn message(message: &Message) -> usize {
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) | Part::Reasoning(text) => text.len(),
        Part::ToolCall(_) | Part::ToolResult(_) => VALUE,
    });
    parts.sum()
}

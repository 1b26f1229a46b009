//! What went in and came out, as far as lists show it: whether there is any, and how it begins.

use super::{cut, keys};
use crate::wire::{Any, WireSpan};
use glassbox_trace::vocabulary::dialects::{gen_ai_old, openinference as inference, traceloop};
use std::borrow::Cow;

/// About two hundred characters.
const MOST_PREVIEW: usize = 240;

/// Returns what went in: the value under the first key that has one.
#[must_use]
pub fn input<'a>(wire: &'a WireSpan<'_>) -> Option<Cow<'a, Any<'a>>> {
    content(wire, keys::INPUT, |key| {
        key.starts_with(inference::INPUT_MESSAGES) || key.starts_with(gen_ai_old::PROMPT)
    })
    .or_else(|| {
        event(wire, |name| {
            name != gen_ai_old::CHOICE_EVENT && name != gen_ai_old::CONTENT_COMPLETION_EVENT
        })
    })
}

/// Returns what came out: the value under the first key that has one.
#[must_use]
pub fn output<'a>(wire: &'a WireSpan<'_>) -> Option<Cow<'a, Any<'a>>> {
    content(wire, keys::OUTPUT, |key| {
        key.starts_with(inference::OUTPUT_MESSAGES) || key.starts_with(gen_ai_old::COMPLETION)
    })
    .or_else(|| {
        event(wire, |name| {
            name == gen_ai_old::CHOICE_EVENT || name == gen_ai_old::CONTENT_COMPLETION_EVENT
        })
    })
}

/// The value under one of the keys, or the first text of messages that are flattened into many keys.
fn content<'a>(
    wire: &'a WireSpan<'_>,
    keys: &[&str],
    is_flattened: impl Fn(&str) -> bool,
) -> Option<Cow<'a, Any<'a>>> {
    let whole = keys.iter().find_map(|key| {
        let value = wire.attributes.get(key)?;
        let is_quoted = matches!(*key, traceloop::ENTITY_INPUT | traceloop::ENTITY_OUTPUT);
        Some(if is_quoted { unquoted(value) } else { Cow::Borrowed(value) })
    });
    let of_messages = || {
        let mut messages = wire.attributes.iter().filter(|(key, _)| is_flattened(key));
        let text = messages.find(|(key, _)| key.ends_with("content") || key.ends_with(".text"));
        text.map(|(_, value)| Cow::Borrowed(value))
    };
    whole.or_else(of_messages)
}

/// OpenLLMetry writes everything as JSON, texts as well.
fn unquoted<'a>(value: &'a Any<'_>) -> Cow<'a, Any<'a>> {
    let text = value.as_text().filter(|text| text.starts_with('"'));
    match text.and_then(|json| serde_json::from_str(json).ok()) {
        Some(text) => Cow::Owned(Any::Text(Cow::Owned(text))),
        None => Cow::Borrowed(value),
    }
}

/// The content of an event, as older conventions have it.
fn event<'a>(wire: &'a WireSpan<'_>, is_meant: impl Fn(&str) -> bool) -> Option<Cow<'a, Any<'a>>> {
    let mut events =
        wire.events.iter().filter(|event| is_content(&event.name) && is_meant(&event.name));
    let found = events
        .find_map(|event| event.attributes.iter().find(|(_, value)| value.as_text().is_some()));
    found.map(|(_, value)| Cow::Borrowed(value))
}

/// Tells whether an event is what was said, and not something that happened.
pub(super) fn is_content(event: &str) -> bool {
    event == gen_ai_old::CHOICE_EVENT
        || event == gen_ai_old::CONTENT_PROMPT_EVENT
        || event == gen_ai_old::CONTENT_COMPLETION_EVENT
        || event == gen_ai_old::OPERATION_DETAILS_EVENT
        || (event.starts_with(gen_ai_old::EVENT_PREFIX)
            && event.ends_with(gen_ai_old::MESSAGE_EVENT_SUFFIX))
}

/// Returns how a content begins, on one line.
pub(super) fn preview(content: &Any<'_>) -> String {
    let text = match content {
        Any::Text(text) => {
            let begin = &text[..text.floor_char_boundary(4 * MOST_PREVIEW)];
            begin.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        other => other.to_json().to_string(),
    };
    cut(text, MOST_PREVIEW)
}

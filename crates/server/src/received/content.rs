//! What went in and came out, as far as lists show it: whether there is any, and how it begins.

use super::{cut, keys};
use crate::wire::{Any, WireSpan};
use glassbox_trace::vocabulary::dialects::{
    gen_ai_old, openinference as inference, traceloop, vercel,
};
use memchr::memmem;
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
        // Vercel's streams have an empty text beside calls of tools.
        if *key == vercel::RESPONSE_TEXT
            && value.as_text() == Some("")
            && wire.attributes.get(vercel::RESPONSE_TOOL_CALLS).is_some()
        {
            return None;
        }
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
    match content {
        Any::Text(text) => first_words(text),
        other => first_words(&other.to_json().to_string()),
    }
}

/// Returns the first words of a text, on one line: no more of it is read than that takes.
fn first_words(text: &str) -> String {
    let mut line = String::with_capacity(MOST_PREVIEW);
    for word in text[..text.floor_char_boundary(4 * MOST_PREVIEW)].split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > MOST_PREVIEW {
            break;
        }
    }
    cut(line, MOST_PREVIEW)
}

/// How far back the last words are looked for.
const MOST_TAIL: usize = 4096;

/// Returns the last words of a content, on one line: of messages in JSON those of the last text.
pub(super) fn last_words(content: &Any<'_>) -> String {
    let json;
    let text: &str = match content {
        Any::Text(text) => text,
        other => {
            json = other.to_json().to_string();
            &json
        }
    };
    let tail = &text[text.ceil_char_boundary(text.len().saturating_sub(MOST_TAIL))..];
    let said = text.trim_start().starts_with(['{', '[']).then(|| last_text(tail)).flatten();
    final_words(said.as_deref().unwrap_or(tail))
}

/// Returns the last words of a text, on one line: no more of it is read than that takes.
fn final_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut length = 0;
    for word in text.rsplit(char::is_whitespace).filter(|word| !word.is_empty()) {
        words.push(word);
        length += word.len() + 1;
        if length > MOST_PREVIEW + 1 {
            break;
        }
    }
    words.reverse();
    let line = words.join(" ");
    match line.len().checked_sub(MOST_PREVIEW) {
        None | Some(0) => line,
        Some(over) => format!("…{}", &line[line.ceil_char_boundary(over)..]),
    }
}

/// Returns the last text in the end of some JSON: what stands behind the last `"content":` or `"text":`.
fn last_text(json: &str) -> Option<String> {
    let begins = ["\"content\":", "\"text\":"];
    let last = |key: &&str| Some(memmem::rfind(json.as_bytes(), key.as_bytes())? + key.len());
    let at = begins.iter().filter_map(last).max()?;
    let mut values = serde_json::Deserializer::from_str(&json[at..]).into_iter::<String>();
    values.next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_those_of_the_last_text() {
        let check = |text: &str, expected: &str| {
            assert_eq!(last_words(&Any::Text(text.into())), expected, "{text}");
        };
        check("It got\n mugged.", "It got mugged.");
        check(
            r#"[{"role":"assistant","content":"With \"oat\" milk?","finish_reason":"stop"}]"#,
            "With \"oat\" milk?",
        );
        check(
            r#"[{"parts":[{"type":"text","content":"a"},{"type":"text","text": "b\u00e9"}]}]"#,
            "bé",
        );
        check(r#"{"action":{"setup":"Why?"}}"#, r#"{"action":{"setup":"Why?"}}"#);
        check(r#"[{"content":[1]}]"#, r#"[{"content":[1]}]"#);
        let long = format!("{} end", "é".repeat(5000));
        let words = last_words(&Any::Text(long.into()));
        assert!(
            words.starts_with("…é") && words.ends_with("é end") && words.len() < 250,
            "{words}"
        );
    }
}

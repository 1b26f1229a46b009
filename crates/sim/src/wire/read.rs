//! Reads what the wire formats have in common.

use http::HeaderMap;
use serde_json::Value;

/// What a request has for an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Missing,
    Wrong,
    Accepted,
}

impl Key {
    /// Judges a key: only the word `invalid` is wrong.
    pub(crate) fn of(text: Option<&str>) -> Self {
        match text.map(str::trim) {
            None | Some("") => Self::Missing,
            Some("invalid") => Self::Wrong,
            Some(_) => Self::Accepted,
        }
    }
}

/// A header as text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A member that is text.
pub(super) fn string(value: &Value, key: &str) -> Option<String> {
    Some(value.get(key)?.as_str()?.to_owned())
}

/// The elements of a member that is an array.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Appends a text as a line of its own.
pub(super) fn add_line(text: &mut String, line: &str) {
    if !text.is_empty() && !line.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// The text of a content that is either text, or a list of parts of which some are text.
pub(super) fn content(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::String(whole) => text.push_str(whole),
        Value::Array(parts) => {
            for part in parts {
                add_line(&mut text, part.get("text").and_then(Value::as_str).unwrap_or_default());
            }
        }
        _ => {}
    }
    text
}

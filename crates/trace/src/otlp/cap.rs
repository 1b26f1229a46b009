//! Keeps attributes small: cuts long texts, inside JSON too.

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::io;

/// The length of the longest mark of a cut: `…[+18446744073709551615 bytes]`.
const MARK_BYTES: usize = 32;

/// The smallest limit that is kept: marks and escapes need some room.
const SMALLEST_LIMIT: usize = 128;

/// Cuts the strings inside JSON so that it has at most `limit` bytes and stays JSON.
pub(super) fn json(json: String, limit: usize) -> String {
    let limit = limit.max(SMALLEST_LIMIT);
    if json.len() <= limit {
        return json;
    }
    match serde_json::from_str(&json) {
        Ok(tree) => shrink(&tree, &json, limit),
        // Nested deeper than the parser goes: a string of it is JSON at least.
        Err(_) => literal(&json, limit),
    }
}

/// Cuts a text that is longer than `limit` bytes. If it is a JSON object or array, it stays JSON.
pub(super) fn text<'t>(text: impl Into<Cow<'t, str>>, limit: usize) -> Cow<'t, str> {
    let text = text.into();
    let limit = limit.max(SMALLEST_LIMIT);
    if text.len() <= limit {
        return text;
    }
    match structured(&text) {
        Some(tree) => shrink(&tree, &text, limit).into(),
        None => cut(&text, limit).into_owned().into(),
    }
}

/// Reads a text that is a JSON object or array; `None` for any other text.
pub(super) fn structured(text: &str) -> Option<Value> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Finds, by bisection, a length to cut the strings to with which the whole fits.
fn shrink(tree: &Value, whole: &str, limit: usize) -> String {
    let fits = |max| size(&Cut { value: tree, max }) <= limit;
    let (mut low, mut high) = (MARK_BYTES, limit);
    if !fits(low) {
        return literal(whole, limit);
    }
    while high - low > limit / 32 + 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    serde_json::to_string(&Cut { value: tree, max: low }).unwrap_or_default()
}

/// A JSON string that holds the beginning of JSON whose structure alone is too large.
fn literal(whole: &str, limit: usize) -> String {
    // Each byte of compact JSON needs at most two in a string: a backslash and itself.
    Value::String(cut(whole, limit.saturating_sub(2) / 2).into_owned()).to_string()
}

/// Cuts a text to `limit` bytes, which are enough for the mark.
fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let kept = &text[..text.floor_char_boundary(limit - MARK_BYTES)];
    Cow::Owned(format!("{kept}…[+{} bytes]", text.len() - kept.len()))
}

/// A JSON value whose strings are cut while it is written.
struct Cut<'a> {
    value: &'a Value,
    max: usize,
}

impl Serialize for Cut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let max = self.max;
        match self.value {
            Value::String(text) => serializer.serialize_str(&cut(text, max)),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&Cut { value, max })?;
                }
                list.end()
            }
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, &Cut { value, max })?;
                }
                map.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

/// Counts the bytes of a value's JSON without keeping them.
fn size(value: &impl Serialize) -> usize {
    struct Counter(usize);

    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // See `json` for why it cannot fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as value;

    #[test]
    fn short_texts_are_left_alone() {
        assert_eq!(text("hello", 32), "hello");
        assert_eq!(json(r#"{"a":[1,"b"]}"#.to_owned(), 64), r#"{"a":[1,"b"]}"#);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(100), 41), "éééé…[+192 bytes]");
        assert_eq!(text("é".repeat(100), 1), format!("{}…[+104 bytes]", "é".repeat(48)));
    }

    #[test]
    fn json_is_cut_inside_its_strings() {
        let long = value!({"short": "stays", "long": "x".repeat(500)});
        let cut = json(long.to_string(), 200);
        assert!(cut.len() <= 200 && cut.len() > 150, "{cut}");
        let cut: Value = serde_json::from_str(&cut).unwrap();
        assert_eq!(cut["short"], "stays");
        assert!(cut["long"].as_str().unwrap().ends_with(" bytes]"));
    }

    #[test]
    fn json_of_too_many_parts_becomes_a_string() {
        let cut = json(value!(vec!["\""; 500]).to_string(), 200);
        assert!(cut.len() <= 200, "{cut}");
        assert!(serde_json::from_str::<String>(&cut).unwrap().starts_with(r#"["\"","\"""#));
    }
}

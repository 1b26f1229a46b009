//! Keeps attributes small: cuts long texts, inside JSON too, and replaces base64 by its type, size and hash.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::io;

/// The length of the longest mark of a cut: `…[+18446744073709551615 bytes]`.
const MARK_BYTES: usize = 32;

/// The smallest limit that is kept: marks and escapes need some room.
const SMALLEST_LIMIT: usize = 128;

/// A string of nothing but base64 is taken for binary data from this length on.
const BASE64_BYTES: usize = 1024;

/// How far before `;base64,` a data URI may begin: longer media types are none.
const MEDIA_TYPE_BYTES: usize = 128;

/// Redacts base64 and cuts what is longer than `limit` bytes.
pub(super) fn text(text: &str, limit: usize) -> Cow<'_, str> {
    let limit = limit.max(SMALLEST_LIMIT);
    match redact(text) {
        Some(redacted) => Cow::Owned(cut(&redacted, limit).into_owned()),
        None => cut(text, limit),
    }
}

/// Renders a value as JSON of at most `limit` bytes: strings inside it are redacted and cut, so that it stays JSON.
pub(super) fn json<T: Serialize + ?Sized>(value: &T, limit: usize) -> String {
    let limit = limit.max(SMALLEST_LIMIT);
    // Serializing fails only for maps with keys that are not strings, and we have none.
    let whole = serde_json::to_string(value).unwrap_or_default();
    if whole.len() <= limit && !may_hold_base64(&whole) {
        return whole;
    }
    match serde_json::from_str(&whole) {
        Ok(tree) => tree_to_json(tree, limit),
        // Nested deeper than the parser goes: a string of it is JSON at least.
        Err(_) => literal(&whole, limit),
    }
}

/// Cuts a text that came from elsewhere: if it is JSON, it stays JSON. Nothing is redacted.
pub(super) fn received(text: String, limit: usize) -> String {
    let limit = limit.max(SMALLEST_LIMIT);
    if text.len() <= limit {
        return text;
    }
    match structured(&text) {
        Some(tree) => shrink(&tree, &text, limit),
        None => cut(&text, limit).into_owned(),
    }
}

/// Reads a text that is a JSON object or array; `None` for any other text.
pub(super) fn structured(text: &str) -> Option<Value> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn tree_to_json(mut tree: Value, limit: usize) -> String {
    redact_tree(&mut tree);
    let whole = tree.to_string();
    if whole.len() <= limit { whole } else { shrink(&tree, &whole, limit) }
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

fn redact_tree(tree: &mut Value) {
    match tree {
        Value::String(text) => {
            if let Some(redacted) = redact(text) {
                *text = redacted;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_tree),
        Value::Object(fields) => fields.values_mut().for_each(redact_tree),
        _ => {}
    }
}

/// A quick look at JSON or text: whether redacting it is worth a try.
fn may_hold_base64(text: &str) -> bool {
    let mut run = 0;
    text.contains(";base64,")
        || text.bytes().any(|byte| {
            run = if is_base64(byte) { run + 1 } else { 0 };
            run >= BASE64_BYTES
        })
}

/// Replaces data URIs, and a text that is base64 as a whole; `None` if there is nothing to replace.
fn redact(text: &str) -> Option<String> {
    let looks_random = || {
        let any = |of: fn(&u8) -> bool| text.as_bytes().iter().any(of);
        text.bytes().all(is_base64)
            && any(u8::is_ascii_digit)
            && any(u8::is_ascii_lowercase)
            && any(u8::is_ascii_uppercase)
    };
    if text.len() >= BASE64_BYTES && looks_random() {
        return summary("base64", text);
    }
    redact_data_uris(text)
}

fn redact_data_uris(text: &str) -> Option<String> {
    const MARK: &str = ";base64,";
    let mut redacted = String::new();
    let mut copied = 0;
    let mut searched = 0;
    while let Some(at) = text[searched..].find(MARK).map(|at| searched + at) {
        let data = at + MARK.len();
        let end = data + text.bytes().skip(data).take_while(|byte| is_base64(*byte)).count();
        searched = end;
        let earliest = text.ceil_char_boundary(at.saturating_sub(MEDIA_TYPE_BYTES).max(copied));
        let Some(start) = text[earliest..at].rfind("data:").map(|start| earliest + start) else {
            continue;
        };
        let Some(summary) = summary(&text[start + "data:".len()..at], &text[data..end]) else {
            continue;
        };
        redacted.push_str(&text[copied..start]);
        redacted.push_str(&summary);
        copied = end;
    }
    (copied > 0).then(|| redacted + &text[copied..])
}

/// Says what the data is, such as `[image/png, 34567 bytes, sha256 9f86d081884c7d65…]`; `None` if it is not base64.
fn summary(media_type: &str, data: &str) -> Option<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let bytes = LENIENT.decode(data).ok().filter(|bytes| !bytes.is_empty())?;
    let hash = Sha256::digest(&bytes);
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let media_type = if media_type.is_empty() { "text/plain" } else { media_type };
    Some(format!("[{media_type}, {} bytes, sha256 {hash}…]", bytes.len()))
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as value;

    #[test]
    fn short_texts_are_left_alone() {
        assert_eq!(text("hello", 32), "hello");
        assert_eq!(json(&value!({"a": [1, "b"]}), 64), r#"{"a":[1,"b"]}"#);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(100), 41), "éééé…[+192 bytes]");
        assert_eq!(text(&"é".repeat(100), 1), format!("{}…[+104 bytes]", "é".repeat(48)));
    }

    #[test]
    fn json_is_cut_inside_its_strings() {
        let long = value!({"short": "stays", "long": "x".repeat(500)});
        let cut = json(&long, 200);
        assert!(cut.len() <= 200 && cut.len() > 150, "{cut}");
        let cut: Value = serde_json::from_str(&cut).unwrap();
        assert_eq!(cut["short"], "stays");
        assert!(cut["long"].as_str().unwrap().ends_with(" bytes]"));
    }

    #[test]
    fn json_of_too_many_parts_becomes_a_string() {
        let cut = json(&vec!["\""; 500], 200);
        assert!(cut.len() <= 200, "{cut}");
        assert!(serde_json::from_str::<String>(&cut).unwrap().starts_with(r#"["\"","\"""#));
    }

    #[test]
    fn data_uris_become_type_size_and_hash() {
        let picture =
            "see data:image/png;base64,aGVsbG8= and data:;base64,aGVsbG8, or data:x;base64,- end";
        assert_eq!(
            text(picture, 1000),
            "see [image/png, 5 bytes, sha256 2cf24dba5fb0a30e…] and [text/plain, 5 bytes, sha256 2cf24dba5fb0a30e…], \
             or data:x;base64,- end"
        );
        let inside = json(&value!({"url": "data:image/png;base64,aGVsbG8="}), 1000);
        assert_eq!(inside, r#"{"url":"[image/png, 5 bytes, sha256 2cf24dba5fb0a30e…]"}"#);
    }

    #[test]
    fn long_base64_is_told_from_long_words() {
        let blob = "aB3/".repeat(300);
        assert!(text(&blob, 10_000).starts_with("[base64, 900 bytes, sha256 "));
        assert!(json(&[&blob], 10_000).starts_with(r#"["[base64, 900 bytes, sha256 "#));
        let word = "x".repeat(2000);
        assert_eq!(text(&word, 10_000), word);
    }
}

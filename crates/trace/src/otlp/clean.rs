//! Texts on their way out: binary data is replaced, and each string passes the filter exactly once, decoded.
//!
//! A text that is JSON itself, such as the arguments of a tool call, is cleaned string by string, at any depth of JSON
//! within JSON; all that lies between its strings stays as it was written. So it is JSON afterwards.

use super::{Filter, Place, media};
use crate::id::{SpanId, TraceId};
use memchr::{memchr, memchr_iter, memchr2};
use serde::Serialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// JSON within JSON within JSON is looked into so many times; what is deeper is plain text.
const MAX_NESTING: u8 = 8;

/// Whole numbers pass the filter from this many digits on: shorter ones are counts and not worth the time.
const NUMBER_DIGITS: usize = 4;

/// Cleans the texts of one span.
#[derive(Clone, Copy)]
pub(super) struct Clean<'a> {
    pub(super) filter: Option<&'a dyn Filter>,
    /// The span whose texts they are, if they are of a span.
    pub(super) at: Option<(TraceId, SpanId)>,
    pub(super) place: Place,
    nesting: u8,
}

impl<'a> Clean<'a> {
    pub(super) fn new(filter: Option<&'a dyn Filter>) -> Self {
        Self { filter, at: None, place: Place::Metadata, nesting: 0 }
    }

    pub(super) fn of_span(self, trace_id: TraceId, span_id: SpanId) -> Self {
        Self { at: Some((trace_id, span_id)), ..self }
    }

    pub(super) fn at_place(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Cleans a text.
    pub(super) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.value(None, text)
    }

    /// Cleans the value of a key.
    pub(super) fn value<'t>(&self, key: Option<&str>, text: &'t str) -> Cow<'t, str> {
        if self.is_clean(key, text) {
            return Cow::Borrowed(text);
        }
        if self.nesting < MAX_NESTING && Self::is_worth_reading(text) {
            let within = Self { nesting: self.nesting + 1, ..*self };
            return within.strings(text, key);
        }
        match (media::replace(text, self), key) {
            (Some(replaced), _) => Cow::Owned(replaced),
            (None, Some(key)) => self.entry(key, text),
            (None, None) => self.leaf(text),
        }
    }

    /// Passes a text that holds neither JSON nor binary data through the filter.
    pub(super) fn leaf<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.filter {
            Some(filter) if !text.is_empty() => filter.text(text),
            _ => Cow::Borrowed(text),
        }
    }

    /// Returns a number as it may be written, if not as the number that it is.
    pub(super) fn number(&self, key: Option<&str>, digits: &str) -> Option<String> {
        let filter = self.filter?;
        let whole = digits.strip_prefix('-').unwrap_or(digits);
        if whole.len() < NUMBER_DIGITS || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let cleaned = match key {
            Some(key) => filter.entry(key, digits),
            None => filter.text(digits),
        };
        (cleaned != digits).then(|| cleaned.into_owned())
    }

    /// Renders a value as JSON, clean.
    pub(super) fn json<T: Serialize + ?Sized>(&self, value: &T) -> String {
        self.rendered(None, value)
    }

    /// Renders the value of a key as JSON, clean.
    pub(super) fn json_of<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> String {
        self.rendered(Some(key), value)
    }

    fn rendered<T: Serialize + ?Sized>(&self, key: Option<&str>, value: &T) -> String {
        // Serializing fails only for maps with keys that are not strings, and we have none.
        let json = serde_json::to_string(value).unwrap_or_default();
        if self.is_clean(key, &json) {
            return json;
        }
        match self.strings(&json, key) {
            Cow::Owned(cleaned) => cleaned,
            Cow::Borrowed(_) => json,
        }
    }

    fn entry<'t>(&self, key: &str, text: &'t str) -> Cow<'t, str> {
        match self.filter {
            Some(filter) if !text.is_empty() => filter.entry(key, text),
            _ => Cow::Borrowed(text),
        }
    }

    /// Tells, by a quick look, that nothing in a text has to be replaced, whether it is JSON or not.
    fn is_clean(&self, key: Option<&str>, text: &str) -> bool {
        let may_change = |filter: &dyn Filter| hides(text) || filter.may_change(key, text);
        !media::may_hold(text) && !self.filter.is_some_and(may_change)
    }

    /// Tells whether a text is JSON, an object or array.
    fn is_worth_reading(text: &str) -> bool {
        text.trim_start().starts_with(['{', '['])
            && serde_json::from_str::<IgnoredAny>(text).is_ok()
    }

    /// Cleans the strings of JSON, its keys too. The items of an array stand under the key that the array has.
    fn strings<'t>(&self, json: &'t str, key: Option<&str>) -> Cow<'t, str> {
        let bytes = json.as_bytes();
        let mut cleaned = String::new();
        let mut copied = 0;
        let outermost = Owner { is_object: false, key: key.map(|key| key.to_owned().into()) };
        let mut owners: Vec<Owner<'t>> = vec![outermost];
        let mut at = 0;
        while let (Some(byte), Some(owner)) = (bytes.get(at), owners.last_mut()) {
            let mut end = at + 1;
            let mut instead = None;
            match byte {
                b'"' => {
                    end = literal_end(bytes, at);
                    let text = decoded(&json[at..end]);
                    if owner.is_object && json[end..].trim_start().starts_with(':') {
                        instead = changed(&text, &self.leaf(&text));
                        owner.key = Some(text);
                    } else {
                        instead = changed(&text, &self.value(owner.key.as_deref(), &text));
                    }
                }
                b'-' | b'0'..=b'9' => {
                    end = number_end(bytes, at);
                    let text = self.number(owner.key.as_deref(), &json[at..end]);
                    instead = text.map(|text| literal(&text));
                }
                b'{' => owners.push(Owner { is_object: true, key: None }),
                b'[' => {
                    let key = owner.key.clone();
                    owners.push(Owner { is_object: false, key });
                }
                // The outermost one stays.
                b'}' | b']' if owners.len() > 1 => {
                    owners.pop();
                }
                _ => (),
            }
            if let Some(instead) = instead {
                cleaned.push_str(&json[copied..at]);
                cleaned.push_str(&instead);
                copied = end;
            }
            at = end;
        }
        if copied == 0 {
            return Cow::Borrowed(json);
        }
        cleaned.push_str(&json[copied..]);
        Cow::Owned(cleaned)
    }
}

/// An object or array that is open, and the key whose value comes next.
struct Owner<'t> {
    is_object: bool,
    key: Option<Cow<'t, str>>,
}

/// Returns where the string that begins here ends, behind its quotation mark.
fn literal_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

fn number_end(bytes: &[u8], start: usize) -> usize {
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    start + bytes[start..].iter().take_while(is_part).count()
}

/// The text of a string literal. JSON is checked before it is cleaned, so each literal can be read.
fn decoded(literal: &str) -> Cow<'_, str> {
    let inner = &literal[1..literal.len() - 1];
    if memchr(b'\\', inner.as_bytes()).is_some() {
        serde_json::from_str(literal).map_or(Cow::Borrowed(inner), Cow::Owned)
    } else {
        Cow::Borrowed(inner)
    }
}

/// Tells whether JSON has escapes that can stand for any letter, at any depth: what it says cannot be seen in it.
fn hides(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr_iter(b'\\', bytes).any(|at| matches!(bytes.get(at + 1), Some(b'u' | b'/')))
}

/// The literal of a text that was changed.
fn changed(before: &str, after: &str) -> Option<String> {
    (before != after).then(|| literal(after))
}

fn literal(text: &str) -> String {
    // A string can always be serialized.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::sync::Mutex;

    /// Hides a word, and the values of a key, and remembers what it was shown.
    #[derive(Default)]
    struct Hide(Mutex<Vec<String>>);

    impl Filter for Hide {
        fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
            self.0.lock().unwrap().push(text.to_owned());
            if text.contains("hush") { text.replace("hush", "*").into() } else { text.into() }
        }

        fn entry<'t>(&self, key: &str, text: &'t str) -> Cow<'t, str> {
            let text = self.text(text);
            if key == "pin" { "*".into() } else { text }
        }
    }

    fn check(text: &str, expected: &str, seen: &[&str]) {
        let hide = Hide::default();
        assert_eq!(Clean::new(Some(&hide)).text(text), expected);
        assert_eq!(*hide.0.lock().unwrap(), seen, "{text}");
    }

    #[test]
    fn each_string_is_seen_once_and_decoded() {
        check("hush, hush", "*, *", &["hush, hush"]);
        check(
            r#"{ "a": "say \"hush\"", "b": [1, true, null, "\u0068ush"], "hush": {} }"#,
            r#"{ "a": "say \"*\"", "b": [1, true, null, "*"], "*": {} }"#,
            &["a", "say \"hush\"", "b", "hush", "hush"],
        );
        check(
            r#"{"a":"x","a":"hush","a":"y"}"#,
            r#"{"a":"x","a":"*","a":"y"}"#,
            &["a", "x", "a", "hush", "a", "y"],
        );
        check("{not json: hush}", "{not json: *}", &["{not json: hush}"]);
    }

    #[test]
    fn json_within_json_stays_json() {
        let inner = json!({"note": "a \"hush\"\n"}).to_string();
        let outer = json!([{"arguments": inner}]).to_string();
        let hide = Hide::default();
        let cleaned: Value = serde_json::from_str(&Clean::new(Some(&hide)).text(&outer)).unwrap();
        let within: Value =
            serde_json::from_str(cleaned[0]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(within, json!({"note": "a \"*\"\n"}));
        assert_eq!(*hide.0.lock().unwrap(), ["arguments", "note", "a \"hush\"\n"]);
    }

    #[test]
    fn values_are_seen_with_their_key() {
        check(
            r#"{"pin":"1","x":{"pin":[4711,"2",{"z":"4"}]},"y":"3"}"#,
            r#"{"pin":"*","x":{"pin":["*","*",{"z":"4"}]},"y":"3"}"#,
            &["pin", "1", "x", "pin", "4711", "2", "z", "4", "y", "3"],
        );
    }

    #[test]
    fn long_whole_numbers_are_texts_too() {
        struct Digits;
        impl Filter for Digits {
            fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
                if text.contains("4711") { "*".into() } else { text.into() }
            }
        }
        let cleaned = Clean::new(Some(&Digits))
            .json(&json!([4711, -47110, 471, 4711.5, 0.4711, {"a": 4711}]));
        assert_eq!(cleaned, r#"["*","*",471,4711.5,0.4711,{"a":"*"}]"#);
    }

    #[test]
    fn text_between_binary_data_is_filtered_and_the_data_is_not() {
        check(
            "hush data:image/png;base64,aGVsbG8= hush",
            "* [image/png, 5 bytes, sha256 2cf24dba5fb0a30e…] *",
            &["image/png", "hush ", " hush"],
        );
    }

    #[test]
    fn json_of_any_depth_is_cleaned() {
        let deep = format!("{}\"hush\"{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(Clean::new(Some(&Hide::default())).text(&deep), deep.replace("hush", "*"));
    }
}

//! Collects the attributes of one span in OTLP's shape, each key once and each value clean and capped.

use super::clean::Clean;
use super::content::length;
use super::field::{Field, INPUT, MESSAGES, OUTPUT, OUTPUT_MESSAGE};
use super::wire::{Any, Attributes};
use super::{Content, Encoding, Place, cap};
use crate::payload::Payload;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

/// The attributes of one span while they are written.
pub(super) struct Writer<'a> {
    pub(super) encoding: &'a Encoding,
    clean: Clean<'a>,
    attributes: &'a mut Attributes,
}

impl<'a> Writer<'a> {
    /// Writes into attributes, which still hold those of another span.
    pub(super) fn new(
        encoding: &'a Encoding,
        clean: Clean<'a>,
        attributes: &'a mut Attributes,
    ) -> Self {
        attributes.clear();
        Self { encoding, clean, attributes }
    }

    /// Returns a text as it may be written.
    pub(super) fn cleaned(&self, text: &str) -> String {
        cap::text(self.clean.text(text), self.encoding.payload_limit).into_owned()
    }

    /// Returns what an error or a note says as it may be written: it may quote content.
    pub(super) fn said(&self, text: &str) -> String {
        match self.encoding.content {
            Content::Full => self.cleaned(text),
            Content::Lengths | Content::None => length(text.len()),
        }
    }

    pub(super) fn text(&mut self, field: &Field, text: &str) {
        let text = self.clean.at_place(self.place(field)).text(text);
        let text = cap::text(text, self.encoding.payload_limit);
        self.push(field, &Any::String(text));
    }

    /// Writes a text that is clean already, or a word of ours.
    pub(super) fn word<'t>(&mut self, field: &Field, word: impl Into<Cow<'t, str>>) {
        self.push(field, &Any::String(word.into()));
    }

    pub(super) fn optional_text(
        &mut self,
        field: &Field,
        text: Option<&(impl AsRef<str> + ?Sized)>,
    ) {
        if let Some(text) = text {
            self.text(field, text.as_ref());
        }
    }

    /// Writes a name that is empty when there is none.
    pub(super) fn name(&mut self, field: &Field, name: &str) {
        if !name.is_empty() {
            self.text(field, name);
        }
    }

    /// Writes a count. OTLP has no unsigned ints: what is too large for a signed one becomes a text of digits.
    pub(super) fn count(&mut self, field: &Field, count: u64) {
        self.push(field, &any_count(count));
    }

    /// Writes a count that is zero when there is nothing to say.
    pub(super) fn positive_count(&mut self, field: &Field, count: u64) {
        if count > 0 {
            self.count(field, count);
        }
    }

    pub(super) fn optional_count(&mut self, field: &Field, count: Option<impl Into<u64>>) {
        if let Some(count) = count {
            self.count(field, count.into());
        }
    }

    /// Writes a number, unless it is none: JSON has no word for infinity.
    pub(super) fn number(&mut self, field: &Field, number: Option<f64>) {
        if let Some(number) = number.filter(|number| number.is_finite()) {
            self.push(field, &Any::Double(number));
        }
    }

    pub(super) fn seconds(&mut self, field: &Field, duration: Duration) {
        self.number(field, Some(duration.as_secs_f64()));
    }

    /// Writes a time spent waiting, if any was.
    pub(super) fn wait(&mut self, field: &Field, duration: Duration) {
        if !duration.is_zero() {
            self.seconds(field, duration);
        }
    }

    pub(super) fn flag(&mut self, field: &Field, flag: bool) {
        self.push(field, &Any::Bool(flag));
    }

    /// Writes a flag that is absent instead of false.
    pub(super) fn only_true(&mut self, field: &Field, flag: bool) {
        if flag {
            self.flag(field, true);
        }
    }

    /// Writes texts as an array, but no empty one: Langfuse shows its wire form.
    pub(super) fn texts<T: AsRef<str>>(&mut self, field: &Field, texts: &[T]) {
        let texts: Vec<_> = texts.iter().map(|text| self.cleaned(text.as_ref())).collect();
        self.words(field, texts);
    }

    /// Writes texts that are clean already as an array, but no empty one.
    pub(super) fn words(&mut self, field: &Field, words: Vec<String>) {
        if !words.is_empty() {
            let words = words.into_iter().map(|word| Any::String(word.into()));
            self.push(field, &Any::Array(words.collect()));
        }
    }

    /// Writes a value as a JSON string.
    pub(super) fn json<T: Serialize + ?Sized>(&mut self, field: &Field, value: &T) {
        let json = self.clean.at_place(self.place(field)).json(value);
        self.push(field, &Any::String(cap::json(json, self.encoding.payload_limit).into()));
    }

    /// Writes a payload, as much of it as content is wanted, and tells whether it became JSON: a text goes as it is.
    pub(super) fn payload(&mut self, field: &Field, payload: &Payload) -> bool {
        if self.encoding.content == Content::Lengths {
            let bytes = match payload {
                Payload::Text(text) => text.len(),
                Payload::Value(_) => payload.to_text().len(),
            };
            self.word(field, length(bytes));
            return false;
        }
        let rendered = match payload {
            Payload::Text(text) => {
                self.text(field, text);
                return false;
            }
            Payload::Value(value) => value.render(),
        };
        match rendered {
            Value::String(text) => {
                self.text(field, &text);
                false
            }
            value => {
                self.json(field, &value);
                true
            }
        }
    }

    /// Writes a free value under a free key behind a prefix, unless the key is taken or there is nothing to say.
    pub(super) fn free(&mut self, prefix: &str, key: &str, value: &Value) {
        let written = self.clean.text(key);
        if self.attributes.has(prefix, &written) {
            return;
        }
        if let Some(value) = self.any(key, value) {
            self.attributes.push(prefix, &written, &value);
        }
    }

    /// OTLP's form of a JSON value: objects and mixed arrays are JSON strings, null is nothing.
    fn any<'t>(&self, key: &str, value: &'t Value) -> Option<Any<'t>> {
        let limit = self.encoding.payload_limit;
        Some(match value {
            Value::Null => return None,
            Value::Bool(flag) => Any::Bool(*flag),
            Value::Number(number) => match self.clean.number(Some(key), &number.to_string()) {
                Some(text) => Any::String(text.into()),
                None => match (number.as_u64(), number.as_i64()) {
                    (Some(count), _) => any_count(count),
                    (None, Some(negative)) => Any::Int(negative),
                    (None, None) => Any::Double(number.as_f64().unwrap_or_default()),
                },
            },
            Value::String(text) => Any::String(cap::text(self.clean.value(Some(key), text), limit)),
            Value::Array(items) if is_plain(items) => {
                Any::Array(items.iter().filter_map(|item| self.any(key, item)).collect())
            }
            Value::Array(_) | Value::Object(_) => {
                Any::String(cap::json(self.clean.json_of(key, value), limit).into())
            }
        })
    }

    /// Tells where in a span a field is, for those who look after binary data.
    fn place(&self, field: &Field) -> Place {
        let key = field.key(self.encoding.profile);
        let is = |other: &Field| other.key(self.encoding.profile) == key;
        if is(&INPUT) || is(&MESSAGES) {
            Place::Input
        } else if is(&OUTPUT) || is(&OUTPUT_MESSAGE) {
            Place::Output
        } else {
            Place::Metadata
        }
    }

    fn push(&mut self, field: &Field, value: &Any<'_>) {
        let key = field.key(self.encoding.profile);
        debug_assert!(!self.attributes.has("", key), "{key} is written twice");
        self.attributes.push("", key, value);
    }
}

fn any_count(count: u64) -> Any<'static> {
    i64::try_from(count).map_or_else(|_| Any::String(count.to_string().into()), Any::Int)
}

/// Tells whether an array is one that attributes may have: of one scalar type, and not empty.
fn is_plain(items: &[Value]) -> bool {
    let all = |of: fn(&Value) -> bool| items.iter().all(of);
    !items.is_empty()
        && (all(Value::is_string)
            || all(Value::is_boolean)
            || all(Value::is_i64)
            || all(Value::is_f64))
}

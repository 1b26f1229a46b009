//! Reads the properties of a JSON object while it is being written. Texts are told as they come, in linear time;
//! anything else as often as there is enough that is new.

use super::{Growing, News};
use crate::stream::FieldChange;
use std::fmt::Write;

/// The properties of an object, and where in it the text so far ends.
#[derive(Default)]
pub(super) struct JsonFields {
    place: Place,
    name: String,
    /// Whether the next character is escaped, within a text.
    escaped: bool,
    /// What of a text has not been told: between quotes, as it is written.
    raw: String,
    value: Growing,
    /// How deep in objects and arrays a value is.
    depth: usize,
    /// Whether a text within such a value is open.
    quoted: bool,
}

#[derive(Clone, Copy, Default)]
enum Place {
    /// Before the object: a code fence, or prose.
    #[default]
    Before,
    /// Before a name, or the end.
    BetweenFields,
    InName,
    AfterName,
    InText,
    InValue,
    After,
}

impl JsonFields {
    pub(super) fn push(&mut self, text: &str, news: &mut News<'_>) {
        for character in text.chars() {
            self.take(character, news);
        }
        match self.place {
            Place::InText => self.tell_text(news),
            Place::InValue => self.value.tell(&self.name, false, news),
            _ => {}
        }
    }

    fn take(&mut self, character: char, news: &mut News<'_>) {
        match (self.place, character) {
            (Place::Before, '{') => self.place = Place::BetweenFields,
            (Place::BetweenFields, '"') => {
                self.raw.clear();
                self.place = Place::InName;
            }
            (Place::BetweenFields, '}') => self.place = Place::After,
            (Place::InName, _) => {
                if self.closes_text(character) {
                    self.name = unquoted(&self.raw).unwrap_or_default();
                    self.place = Place::AfterName;
                }
            }
            (Place::AfterName, '"') => {
                self.raw.clear();
                self.place = Place::InText;
            }
            (Place::AfterName, ':') => {}
            (Place::AfterName, _) if character.is_whitespace() => {}
            (Place::AfterName, _) => {
                (self.value, self.depth, self.quoted) = (Growing::default(), 0, false);
                self.place = Place::InValue;
                self.take(character, news);
            }
            (Place::InText, _) => {
                if self.closes_text(character) {
                    self.tell_text(news);
                    self.place = Place::BetweenFields;
                }
            }
            (Place::InValue, ',' | '}') if self.depth == 0 && !self.quoted => {
                self.value.tell(&self.name, true, news);
                self.place = if character == ',' { Place::BetweenFields } else { Place::After };
            }
            (Place::InValue, _) => self.take_in_value(character),
            (Place::Before | Place::BetweenFields | Place::After, _) => {}
        }
    }

    /// Takes a character of a text, and tells whether it was the closing quote.
    fn closes_text(&mut self, character: char) -> bool {
        if character == '"' && !self.escaped {
            return true;
        }
        self.escaped = character == '\\' && !self.escaped;
        self.raw.push(character);
        false
    }

    fn take_in_value(&mut self, character: char) {
        self.value.text.push(character);
        match character {
            '"' if !self.escaped => self.quoted = !self.quoted,
            '{' | '[' if !self.quoted => self.depth += 1,
            '}' | ']' if !self.quoted => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.escaped = self.quoted && character == '\\' && !self.escaped;
    }

    /// Tells what is new in a text, but for an escape that is not complete yet.
    fn tell_text(&mut self, news: &mut News<'_>) {
        let rest = self.raw.split_off(whole_escapes(&self.raw));
        let raw = std::mem::replace(&mut self.raw, rest);
        if !raw.is_empty()
            && let Some(text) = unquoted(&raw)
        {
            news.tell(&self.name, FieldChange::Text(text));
        }
    }
}

/// Returns how much of a text can be read: all of it, unless it ends within an escape or between two halves of one.
fn whole_escapes(raw: &str) -> usize {
    let mut whole = 0;
    while let Some(at) = raw[whole..].find('\\').map(|found| whole + found) {
        let is_unicode = raw[at + 1..].starts_with('u');
        let next = raw[at + 1..].chars().next().map_or(1, char::len_utf8);
        let length = if is_unicode { 6 } else { 1 + next };
        let Some(escape) = raw.get(at..at + length) else { return at };
        let code = escape.get(2..).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        // The first half of a pair; the second one is an escape of its own.
        let is_half = is_unicode && matches!(code, Some(0xD800..=0xDBFF));
        let length = if is_half { 12 } else { length };
        if raw.get(at..at + length).is_none() {
            return at;
        }
        whole = at + length;
    }
    raw.len()
}

/// Reads a text as it stands between its quotes. Line breaks and the like in it, which are no JSON, are meant as such.
fn unquoted(raw: &str) -> Option<String> {
    let mut quoted = String::with_capacity(raw.len() + 2);
    quoted.push('"');
    for character in raw.chars() {
        if character.is_ascii_control() {
            // Writing to a string cannot fail.
            let _ = write!(quoted, "\\u{:04x}", u32::from(character));
        } else {
            quoted.push(character);
        }
    }
    quoted.push('"');
    serde_json::from_str(&quoted).ok()
}

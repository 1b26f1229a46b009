//! Reads the fields of an answer while it is being written.

use super::FieldChange;
use jiter::{JsonValue, PartialMode};
use json::JsonFields;
use markers::MarkerFields;
use serde_json::{Number, Value};

mod json;
mod markers;

pub(crate) use markers::marked;

/// The changes of fields that a piece of text makes.
pub(crate) type Changes = Vec<(&'static str, FieldChange)>;

/// The fields of an answer, as far as they have been written.
pub(crate) struct Fields {
    format: Format,
    /// The fields that the signature has; others are not told.
    known: Vec<&'static str>,
}

enum Format {
    Json(JsonFields),
    Markers(MarkerFields),
}

impl Fields {
    /// Reads the properties of the first JSON object in the answer.
    pub(crate) fn of_json(known: impl Iterator<Item = &'static str>) -> Self {
        Self { format: Format::Json(JsonFields::default()), known: known.collect() }
    }

    /// Reads what stands below field markers.
    pub(crate) fn of_markers(known: impl Iterator<Item = &'static str>) -> Self {
        Self { format: Format::Markers(MarkerFields::default()), known: known.collect() }
    }

    /// Reads on, and returns what is new.
    pub(crate) fn push(&mut self, text: &str) -> Changes {
        let mut news = News { known: &self.known, changes: Changes::new() };
        match &mut self.format {
            Format::Json(fields) => fields.push(text, &mut news),
            Format::Markers(fields) => fields.push(text, &mut news),
        }
        news.changes
    }

    /// Reads what waited for its line to be complete.
    pub(crate) fn end(&mut self) -> Changes {
        let mut news = News { known: &self.known, changes: Changes::new() };
        if let Format::Markers(fields) = &mut self.format {
            fields.end(&mut news);
        }
        news.changes
    }

    /// Forgets what has come.
    pub(crate) fn restart(&mut self) {
        self.format = match self.format {
            Format::Json(_) => Format::Json(JsonFields::default()),
            Format::Markers(_) => Format::Markers(MarkerFields::default()),
        };
    }
}

/// Collects changes of the fields that are known.
struct News<'a> {
    known: &'a [&'static str],
    changes: Changes,
}

impl News<'_> {
    fn tell(&mut self, name: &str, change: FieldChange) {
        if let Some(name) = self.known.iter().find(|known| **known == name) {
            self.changes.push((name, change));
        }
    }
}

/// A value other than a text, of which more comes.
#[derive(Default)]
struct Growing {
    text: String,
    /// How much of it there was when it was last told.
    told: usize,
}

impl Growing {
    /// Tells what there is of the value, if there is enough that is new. Values are read anew each time, so it has to be
    /// a share of the whole: then the work grows with the length and not with its square.
    fn tell(&mut self, name: &str, is_whole: bool, news: &mut News<'_>) {
        let new = self.text.len() - self.told;
        if new == 0 || (!is_whole && new < self.text.len() / 16) {
            return;
        }
        self.told = self.text.len();
        let mode = if is_whole { PartialMode::Off } else { PartialMode::TrailingStrings };
        if let Ok(value) = JsonValue::parse_with_config(self.text.trim().as_bytes(), false, mode) {
            news.tell(name, FieldChange::Value(convert(&value)));
        }
    }
}

/// The parser bounds the nesting, so the recursion is bounded too.
pub(crate) fn convert(value: &JsonValue<'_>) -> Value {
    match value {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(value) => Value::Bool(*value),
        JsonValue::Int(value) => Value::from(*value),
        JsonValue::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        JsonValue::Str(text) => Value::String(text.to_string()),
        JsonValue::Array(items) => items.iter().map(convert).collect(),
        JsonValue::Object(fields) => {
            fields.iter().map(|(key, value)| (key.to_string(), convert(value))).collect()
        }
        // Only with the feature for big integers, which another crate may turn on.
        #[allow(unreachable_patterns, reason = "depends on a feature of the parser")]
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests;

//! Attributes: keys and values of any type, nested values read only when they are asked for.

use super::protobuf::{Fields, Value, WireError, text_of};
use super::{MOST_ATTRIBUTES, Unusable, at_most};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value as Json};
use std::borrow::Cow;

/// How deep values may nest before they are left out.
const MOST_NESTING: usize = 64;

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Any<'a> {
    /// A text; what was no UTF-8 in it is replaced.
    Text(Cow<'a, str>),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// A list, still to be read.
    List(&'a [u8]),
    /// An object, still to be read.
    Object(&'a [u8]),
    /// Binary data.
    Bytes(&'a [u8]),
}

impl<'a> Any<'a> {
    fn read(bytes: &'a [u8]) -> Result<Option<Self>, WireError> {
        let mut value = None;
        for field in Fields::new(bytes) {
            value = Some(match field? {
                (1, Value::Bytes(text)) => Self::Text(text_of(text)),
                (2, Value::Number(flag)) => Self::Bool(flag != 0),
                (3, Value::Number(number)) => Self::Int(number.cast_signed()),
                (4, Value::Number(bits)) => Self::Double(f64::from_bits(bits)),
                (5, Value::Bytes(list)) => Self::List(list),
                (6, Value::Bytes(object)) => Self::Object(object),
                (7, Value::Bytes(bytes)) => Self::Bytes(bytes),
                _ => continue,
            });
        }
        Ok(value)
    }

    /// Returns the text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value as a count: a whole number from 0, however it is written.
    #[must_use]
    pub fn as_count(&self) -> Option<u64> {
        match self {
            Self::Int(number) => u64::try_from(*number).ok(),
            // The cast saturates, and drops no fraction since there is none.
            Self::Double(number) if *number >= 0.0 && number.fract() == 0.0 => Some(*number as u64),
            Self::Text(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// Returns the value as a finite number, however it is written.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        let number = match self {
            Self::Double(number) => *number,
            // Counts above 2^53 lose digits, which no number that is asked for reaches.
            Self::Int(number) => *number as f64,
            Self::Text(digits) => digits.parse().ok()?,
            _ => return None,
        };
        Some(number).filter(|number| number.is_finite())
    }

    /// Returns the value as yes or no, however it is written.
    #[must_use]
    pub fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Returns the texts of a list, of a text that is a list in JSON, or of one that is separated by commas.
    #[must_use]
    pub fn to_texts(&self) -> Vec<String> {
        let text = |item: Json| match item {
            Json::String(text) => text,
            other => other.to_string(),
        };
        match self {
            Self::List(_) => match self.to_json() {
                Json::Array(items) => items.into_iter().map(text).collect(),
                _ => Vec::new(),
            },
            Self::Text(json) if json.starts_with('[') => match serde_json::from_str(json) {
                Ok(Json::Array(items)) => items.into_iter().map(text).collect(),
                _ => vec![json.clone().into_owned()],
            },
            Self::Text(list) => list.split(',').map(|item| item.trim().to_owned()).collect(),
            other => vec![text(other.to_json())],
        }
    }

    /// Returns the value as JSON: a text stays a text, binary data becomes base64.
    #[must_use]
    pub fn to_json(&self) -> Json {
        self.nested_json(0)
    }

    fn nested_json(&self, depth: usize) -> Json {
        match self {
            Self::Text(text) => Json::String(text.clone().into_owned()),
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Int(number) => (*number).into(),
            // JSON has no word for what is not finite; Rust's is as good as any.
            Self::Double(number) if !number.is_finite() => Json::String(number.to_string()),
            Self::Double(number) => (*number).into(),
            Self::List(_) | Self::Object(_) if depth >= MOST_NESTING => {
                Json::String("[nested too deep]".to_owned())
            }
            Self::List(bytes) => Json::Array(list(bytes, depth + 1)),
            Self::Object(bytes) => Json::Object(object(bytes, depth + 1)),
            Self::Bytes(bytes) => Json::String(BASE64_STANDARD.encode(bytes)),
        }
    }
}

/// Reads what can be read of a list.
fn list(bytes: &[u8], depth: usize) -> Vec<Json> {
    let items = Fields::new(bytes).filter_map(|field| match field {
        Ok((1, Value::Bytes(item))) => {
            let value = Any::read(item).ok().flatten();
            Some(value.map_or(Json::Null, |value| value.nested_json(depth)))
        }
        _ => None,
    });
    items.collect()
}

/// Reads what can be read of an object.
fn object(bytes: &[u8], depth: usize) -> Map<String, Json> {
    let fields = Fields::new(bytes).filter_map(|field| match field {
        Ok((1, Value::Bytes(field))) => {
            let (key, value) = key_value(field).ok()?;
            let value = value.map_or(Json::Null, |value| value.nested_json(depth));
            Some((key.into_owned(), value))
        }
        _ => None,
    });
    fields.collect()
}

fn key_value(bytes: &[u8]) -> Result<(Cow<'_, str>, Option<Any<'_>>), WireError> {
    let mut key = Cow::Borrowed("");
    let mut value = None;
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(text)) => key = text_of(text),
            (2, Value::Bytes(any)) => value = Any::read(any)?,
            _ => (),
        }
    }
    Ok((key, value))
}

/// Attributes in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Attributes<'a>(Vec<(Cow<'a, str>, Any<'a>)>);

impl<'a> Attributes<'a> {
    /// Reads the attributes of a message that has them in this field, such as a resource.
    ///
    /// # Errors
    ///
    /// If it is no protobuf, or there are too many.
    pub(super) fn of_message(bytes: &'a [u8], number: u32) -> Result<Self, Unusable> {
        let mut attributes = Self::default();
        for field in Fields::new(bytes) {
            if let (at, Value::Bytes(attribute)) = field?
                && at == number
            {
                attributes.push(attribute)?;
            }
        }
        Ok(attributes)
    }

    pub(super) fn push(&mut self, bytes: &'a [u8]) -> Result<(), Unusable> {
        at_most("attributes", self.0.len(), MOST_ATTRIBUTES)?;
        // One without a value says nothing.
        if let (key, Some(value)) = key_value(bytes)? {
            self.0.push((key, value));
        }
        Ok(())
    }

    /// Returns the value of a key, the last one if it came more than once.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Any<'a>> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Returns the first of the keys' values that `read` can make something of.
    pub fn first<T>(&self, keys: &[&str], read: impl Fn(&Any<'a>) -> Option<T>) -> Option<T> {
        keys.iter().find_map(|key| self.get(key).and_then(&read))
    }

    /// Returns the first text under the keys that is not empty; numbers are texts too.
    #[must_use]
    pub fn text(&self, keys: &[&str]) -> Option<String> {
        self.first(keys, |value| match value {
            Any::Text(text) if text.is_empty() => None,
            Any::Text(text) => Some(text.clone().into_owned()),
            Any::Int(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// Returns what stands under keys that begin so, with what follows that beginning.
    pub fn prefixed<'s>(&'s self, prefix: &'s str) -> impl Iterator<Item = (&'s str, &'s Any<'a>)> {
        self.0.iter().filter_map(move |(key, value)| {
            key.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(|rest| (rest, value))
        })
    }

    /// Returns all attributes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Any<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Returns all attributes as a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Json> {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_json())).collect()
    }
}

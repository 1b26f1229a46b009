//! Reads the fields of a struct or variant out of a JSON object.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::FieldError;
use super::text::{entries, same_name};

/// `Field::from_json` of a type.
type FromJson<T> = fn(&Value) -> Result<T, FieldError>;

/// A JSON object that is read field by field.
#[derive(Debug)]
pub struct Object<'a> {
    entries: Cow<'a, Map<String, Value>>,
    fields: &'static [&'static str],
}

impl<'a> Object<'a> {
    /// Opens an object that has the given fields.
    pub fn read(value: &'a Value, fields: &'static [&'static str]) -> Result<Self, FieldError> {
        let expected = || FieldError::expected(expectation(fields), value);
        Ok(Self { entries: entries(value).ok_or_else(expected)?, fields })
    }

    /// Reads a field. One that is absent or `null` has the value that its type gives it.
    ///
    /// The methods of `Field` are handed in, so that a type without them is told once, where it is
    /// written, and not once more as a bound of this function.
    pub fn field<T>(
        &self,
        name: &str,
        from_json: FromJson<T>,
        absent: fn() -> Option<T>,
    ) -> Result<T, FieldError> {
        let result = match lookup(&self.entries, name, self.fields) {
            None => absent().ok_or_else(|| missing(from_json)),
            Some(Value::Null) => from_json(&Value::Null).or_else(|error| absent().ok_or(error)),
            Some(value) => from_json(value),
        };
        result.map_err(|error| error.in_field(name))
    }

    /// Reads a field that has a default for when it is absent or `null`.
    pub fn field_or<T>(
        &self,
        name: &str,
        from_json: FromJson<T>,
        absent: fn() -> Option<T>,
        default: impl FnOnce() -> T,
    ) -> Result<T, FieldError> {
        match lookup(&self.entries, name, self.fields) {
            None => Ok(default()),
            // An `Option` has its own idea of `null`.
            Some(Value::Null) if absent().is_none() => Ok(default()),
            Some(value) => from_json(value).map_err(|error| error.in_field(name)),
        }
    }
}

/// The value of a field: by its exact name, or else by one that is alike and no other field's.
pub(super) fn lookup<'a>(
    entries: &'a Map<String, Value>,
    name: &str,
    fields: &[&str],
) -> Option<&'a Value> {
    let alike = |(key, value): (&String, &'a Value)| {
        let is_free = !fields.contains(&key.as_str());
        (is_free && same_name(key, name)).then_some(value)
    };
    entries.get(name).or_else(|| entries.iter().find_map(alike))
}

fn expectation(fields: &[&str]) -> String {
    match fields {
        [] => "an object".to_owned(),
        fields => format!("an object with {}", fields.join(", ")),
    }
}

/// What was expected is what the type says when it finds `null`.
fn missing<T>(from_json: FromJson<T>) -> FieldError {
    let refused = from_json(&Value::Null).err();
    refused.unwrap_or_else(|| FieldError::expected("a value", &Value::Null)).missing()
}

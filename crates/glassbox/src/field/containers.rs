//! Values around values: optional, boxed, several, by name, and any JSON at all.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use serde_json::{Value, json};

use super::guess::Guess;
use super::schema::nullable;
use super::text::{embedded, entries};
use super::{Field, FieldError};
use crate::definitions::Definitions;

/// `null` is `None`, also for an option in an option.
impl<T: Field> Field for Option<T> {
    fn schema(definitions: &mut Definitions) -> Value {
        nullable(T::schema(definitions))
    }

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        if value.is_null() {
            return Ok(None);
        }
        T::from_json(value).map(Some).or_else(|error| {
            let text = value.as_str().map(str::trim);
            let means_none = |text: &str| ["", "null", "none"].contains(&text);
            match text {
                Some(text) if means_none(&text.to_lowercase()) => Ok(None),
                _ => Err(error),
            }
        })
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Field> Field for Box<T> {
    fn schema(definitions: &mut Definitions) -> Value {
        T::schema(definitions)
    }

    fn to_json(&self) -> Value {
        T::to_json(self)
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        T::from_json(value).map(Self::new)
    }

    fn absent() -> Option<Self> {
        T::absent().map(Self::new)
    }
}

impl<T: Field> Field for Vec<T> {
    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "type": "array", "items": T::schema(definitions) })
    }

    fn to_json(&self) -> Value {
        self.iter().map(T::to_json).collect()
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let inner = embedded(value);
        let items = value.as_array().or_else(|| inner.as_ref()?.as_array());
        if let Some(items) = items {
            let read = |(index, item)| T::from_json(item).map_err(|e| e.at_index(index));
            return items.iter().enumerate().map(read).collect();
        }

        let guess = Guess::one::<Self>(value).filter(|_| !value.is_null());
        match guess {
            Some(_open) => T::from_json(value).map(|only| vec![only]),
            None => Err(FieldError::expected("an array", value)),
        }
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "type": "object", "additionalProperties": T::schema(definitions) })
    }

    fn to_json(&self) -> Value {
        self.iter().map(|(key, item)| (key.clone(), item.to_json())).collect()
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let entries = entries(value).ok_or_else(|| FieldError::expected("an object", value))?;
        entries.iter().map(read_entry).collect()
    }
}

impl<T: Field, S: BuildHasher + Default + Send + Sync + 'static> Field for HashMap<String, T, S> {
    fn schema(definitions: &mut Definitions) -> Value {
        BTreeMap::<String, T>::schema(definitions)
    }

    fn to_json(&self) -> Value {
        // Sorted, so that the same map makes the same prompt: providers cache by prefix.
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        entries.into_iter().map(|(key, item)| (key.clone(), item.to_json())).collect()
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let entries = entries(value).ok_or_else(|| FieldError::expected("an object", value))?;
        entries.iter().map(read_entry).collect()
    }
}

fn read_entry<T: Field>((key, item): (&String, &Value)) -> Result<(String, T), FieldError> {
    match T::from_json(item) {
        Ok(item) => Ok((key.clone(), item)),
        Err(error) => Err(error.in_field(key)),
    }
}

impl Field for Value {
    fn schema(_: &mut Definitions) -> Value {
        json!({})
    }

    fn to_json(&self) -> Value {
        self.clone()
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        Ok(value.clone())
    }
}

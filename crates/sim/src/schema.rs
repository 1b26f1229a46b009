//! JSON Schema: values that conform to one, and what providers refuse of one.

mod merge;
mod check;
mod fit;
mod numbers;
mod generate;
mod strict;

pub(crate) use generate::{conforming, fill};
pub(crate) use strict::{Dialect, refusal};

use serde_json::{Map, Value};

/// Brings a scripted value into the shape that a whole schema asks for, see [`fit::fit`].
pub(crate) fn fitted(schema: &Value, value: &Value) -> Value {
    fit::fit(schema, schema, value)
}

/// Follows a `$ref` that stays within the document: `#`, or a JSON pointer after it.
fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// The types that a schema allows, in lower case (Gemini's OpenAPI dialect writes them in upper case). Empty means any.
fn types(schema: &Map<String, Value>) -> Vec<String> {
    let mut types: Vec<String> = match schema.get("type") {
        Some(Value::String(one)) => vec![one.to_ascii_lowercase()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect()
        }
        _ => Vec::new(),
    };
    if !types.is_empty() && schema.get("nullable") == Some(&Value::Bool(true)) {
        types.push("null".to_owned());
    }
    types
}

/// A limit such as `minItems`. Gemini's dialect writes them as strings.
fn limit(schema: &Map<String, Value>, key: &str) -> Option<u64> {
    let value = schema.get(key)?;
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
        .or_else(|| value.as_str()?.parse().ok())
}

/// The branches of `anyOf` or `oneOf`.
fn branches(schema: &Map<String, Value>) -> Option<(&'static str, &Vec<Value>)> {
    ["oneOf", "anyOf"].into_iter().find_map(|key| Some((key, schema.get(key)?.as_array()?)))
}

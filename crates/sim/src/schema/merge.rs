//! Makes one schema out of several that all have to hold.

use serde_json::{Map, Value};

/// Merges `extra` into `base`, so that a value of the result conforms to both, as far as that can be written without `allOf`.
pub(super) fn merge(base: &Map<String, Value>, extra: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = base.clone();
    for (key, new) in extra {
        let joined = match merged.get(key) {
            Some(old) => both(key, old, new),
            None => new.clone(),
        };
        merged.insert(key.clone(), joined);
    }
    merged
}

fn both(key: &str, old: &Value, new: &Value) -> Value {
    match (key, old, new) {
        ("properties" | "$defs" | "definitions", Value::Object(old), Value::Object(new)) => {
            let mut all = old.clone();
            for (name, schema) in new {
                let joined = match all.get(name) {
                    Some(earlier) => both_schemas(earlier, schema),
                    None => schema.clone(),
                };
                all.insert(name.clone(), joined);
            }
            Value::Object(all)
        }
        ("items" | "additionalProperties", old, new) => both_schemas(old, new),
        ("required", Value::Array(old), Value::Array(new)) => {
            let more = new.iter().filter(|name| !old.contains(name));
            Value::Array(old.iter().chain(more).cloned().collect())
        }
        ("enum", Value::Array(old), Value::Array(new)) => {
            Value::Array(old.iter().filter(|value| new.contains(value)).cloned().collect())
        }
        ("type", old, new) => common_types(old, new),
        ("allOf", Value::Array(old), Value::Array(new)) => {
            Value::Array(old.iter().chain(new).cloned().collect())
        }
        ("minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties", old, new) => {
            if old.as_f64() >= new.as_f64() {
                old.clone()
            } else {
                new.clone()
            }
        }
        ("maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties", old, new) => {
            if old.as_f64() <= new.as_f64() {
                old.clone()
            } else {
                new.clone()
            }
        }
        (_, _, new) => new.clone(),
    }
}

fn both_schemas(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (Value::Object(old), Value::Object(new)) => Value::Object(merge(old, new)),
        (Value::Object(_), _) => old.clone(),
        _ => new.clone(),
    }
}

/// The types in both; an integer is a number.
fn common_types(old: &Value, new: &Value) -> Value {
    let list = |value: &Value| match value {
        Value::Array(many) => many.clone(),
        one => vec![one.clone()],
    };
    let (old, new) = (list(old), list(new));
    let contains = |types: &[Value], wanted: &Value| {
        types.contains(wanted) || (wanted == "integer" && types.contains(&Value::from("number")))
    };
    let mut common: Vec<Value> = old.iter().filter(|kind| contains(&new, kind)).cloned().collect();
    let narrowed = new
        .iter()
        .filter(|kind| contains(&old, kind) && !common.contains(kind))
        .cloned()
        .collect::<Vec<_>>();
    common.extend(narrowed);
    if common.len() == 1 { common.remove(0) } else { Value::Array(common) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_stricter_of_each_keyword_wins() {
        let base = json!({
            "type": ["number", "null"], "minimum": 2, "maximum": 9, "required": ["a"],
            "properties": {"a": {"type": "string"}}
        });
        let extra = json!({
            "type": "integer", "minimum": 3, "maximum": 12, "required": ["b", "a"],
            "properties": {"a": {"minLength": 2}, "b": true}
        });
        let expected = json!({
            "type": "integer", "minimum": 3, "maximum": 9, "required": ["a", "b"],
            "properties": {"a": {"type": "string", "minLength": 2}, "b": true}
        });
        assert_eq!(
            Value::Object(merge(base.as_object().unwrap(), extra.as_object().unwrap())),
            expected
        );
    }
}

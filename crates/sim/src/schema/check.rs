//! Whether a value conforms to a schema: the keywords that our generator knows, and no others.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::{branches, limit, numbers, resolve, types};

/// References followed before a schema that only refers to itself counts as satisfied.
const DEEPEST: usize = 64;

/// Checks values against the parts of one document, with a bounded effort: a schema can be written
/// so that a check takes forever.
pub(super) struct Checker<'a> {
    root: &'a Value,
    /// Steps left. After them, every value counts as accepted.
    left: Cell<u32>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root, left: Cell::new(200_000) }
    }

    /// Tells whether `value` conforms to `schema`, a part of the document.
    pub(super) fn accepts(&self, schema: &Value, value: &Value) -> bool {
        holds(self, schema, value, 0)
    }
}

fn holds(checker: &Checker<'_>, schema: &Value, value: &Value, depth: usize) -> bool {
    let Some(left) = checker.left.get().checked_sub(1) else { return true };
    checker.left.set(left);
    let Value::Object(schema) = schema else { return schema != &Value::Bool(false) };
    if depth > DEEPEST {
        return true;
    }
    let deeper = |schema: &Value| holds(checker, schema, value, depth + 1);

    let reference = schema.get("$ref").and_then(Value::as_str);
    let referred =
        reference.and_then(|reference| resolve(checker.root, reference)).is_none_or(deeper);
    let all =
        schema.get("allOf").and_then(Value::as_array).is_none_or(|all| all.iter().all(deeper));
    let union = match branches(schema) {
        Some(("oneOf", branches)) => branches.iter().filter(|branch| deeper(branch)).count() == 1,
        Some((_, branches)) => branches.iter().any(deeper),
        None => true,
    };
    referred
        && all
        && union
        && schema.get("const").is_none_or(|wanted| same(wanted, value))
        && schema
            .get("enum")
            .and_then(Value::as_array)
            .is_none_or(|wanted| wanted.iter().any(|one| same(one, value)))
        && has_type(schema, value)
        && match value {
            Value::Number(number) => numbers::within(schema, number),
            Value::String(text) => between(schema, "minLength", "maxLength", text.chars().count()),
            Value::Array(items) => array_holds(checker, schema, items, depth),
            Value::Object(object) => object_holds(checker, schema, object, depth),
            Value::Null | Value::Bool(_) => true,
        }
}

fn has_type(schema: &Map<String, Value>, value: &Value) -> bool {
    let types = types(schema);
    types.is_empty()
        || types.iter().any(|kind| match kind.as_str() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
            }
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        })
}

fn array_holds(
    checker: &Checker<'_>,
    schema: &Map<String, Value>,
    items: &[Value],
    depth: usize,
) -> bool {
    let first = schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let each = |(index, item): (usize, &Value)| {
        let schema = first.get(index).or_else(|| schema.get("items"));
        schema.is_none_or(|schema| holds(checker, schema, item, depth + 1))
    };
    let unique = || items.iter().enumerate().all(|(index, item)| !items[..index].contains(item));
    between(schema, "minItems", "maxItems", items.len())
        && items.iter().enumerate().all(each)
        && (schema.get("uniqueItems") != Some(&Value::Bool(true)) || unique())
}

fn object_holds(
    checker: &Checker<'_>,
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
    depth: usize,
) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object);
    let each = |(name, value): (&String, &Value)| {
        let known = properties.and_then(|properties| properties.get(name));
        let schema = known.or_else(|| schema.get("additionalProperties"));
        schema.is_none_or(|schema| holds(checker, schema, value, depth + 1))
    };
    between(schema, "minProperties", "maxProperties", object.len())
        && required.is_none_or(|names| {
            names.iter().filter_map(Value::as_str).all(|name| object.contains_key(name))
        })
        && object.iter().all(each)
}

fn between(schema: &Map<String, Value>, least: &str, most: &str, count: usize) -> bool {
    let count = count as u64;
    limit(schema, least).is_none_or(|least| count >= least)
        && limit(schema, most).is_none_or(|most| count <= most)
}

/// Equality as JSON Schema has it: 1 and 1.0 are the same.
fn same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && other.is_number() && one.as_f64() == other.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keywords_are_checked() {
        let schema = json!({
            "$defs": {"size": {"enum": ["small", "large"]}},
            "type": "object",
            "properties": {
                "size": {"$ref": "#/$defs/size"},
                "count": {"type": ["integer", "null"], "minimum": 1},
                "extras": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 1}
            },
            "required": ["size"],
            "additionalProperties": false
        });
        let accepted = |value| Checker::new(&schema).accepts(&schema, &value);
        assert!(accepted(json!({"size": "small", "count": null, "extras": ["abc"]})));
        for wrong in [
            json!([]),
            json!({}),
            json!({"size": "medium"}),
            json!({"size": "small", "count": 0}),
            json!({"size": "small", "count": 1.5}),
            json!({"size": "small", "extras": ["abcd"]}),
            json!({"size": "small", "extras": ["a", "b"]}),
            json!({"size": "small", "more": 1}),
        ] {
            assert!(!accepted(wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn one_of_wants_exactly_one() {
        let schema = json!({"oneOf": [{"type": "number"}, {"type": "integer"}]});
        assert!(Checker::new(&schema).accepts(&schema, &json!(1.5)));
        assert!(!Checker::new(&schema).accepts(&schema, &json!(1)));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"$ref": "#"});
        assert!(Checker::new(&schema).accepts(&schema, &json!(1)));
    }
}

//! Pieces of JSON schema, in the subset that providers' structured outputs agree on.

use serde_json::{Map, Value, json};

use crate::definitions::Definitions;

/// Describes one field of a signature, struct or variant.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The name in JSON.
    pub name: &'static str,
    /// The doc comment, empty when there is none.
    pub description: &'static str,
    /// Whether a value must be there: false for an `Option` and a field with a default.
    pub required: bool,
    /// Writes the schema of the field's type.
    pub schema: fn(&mut Definitions) -> Value,
}

/// An object with the given fields and no others.
pub(crate) fn object_of<'a>(
    fields: impl Iterator<Item = &'a FieldSpec>,
    definitions: &mut Definitions,
) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let schema = (field.schema)(definitions);
        let schema = if field.required { schema } else { nullable(schema) };
        properties.insert(field.name.to_owned(), describe(schema, field.description));
        if field.required {
            required.push(Value::from(field.name));
        }
    }

    let mut schema = Map::new();
    schema.insert("type".to_owned(), Value::from("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), Value::Array(required));
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    schema
}

/// A string out of the given ones.
pub(super) fn one_of(names: &[&str]) -> Value {
    json!({ "type": "string", "enum": names })
}

/// Adds a description in front of the one that the schema may have.
pub fn describe(schema: Value, description: &str) -> Value {
    if description.is_empty() {
        return schema;
    }

    match schema {
        // Providers reject whatever stands beside `$ref`.
        Value::Object(schema) if schema.contains_key("$ref") => {
            json!({ "anyOf": [schema], "description": description })
        }
        Value::Object(mut schema) => {
            let description = match schema.get("description").and_then(Value::as_str) {
                Some(own) if own != description => format!("{description}\n\n{own}"),
                _ => description.to_owned(),
            };
            schema.insert("description".to_owned(), Value::String(description));
            Value::Object(schema)
        }
        other => other,
    }
}

/// Admits `null` as well.
pub(super) fn nullable(schema: Value) -> Value {
    if admits_null(&schema) {
        return schema;
    }

    match schema {
        Value::Object(mut schema) if is_plain(&schema) => {
            if let Some(kind) = schema.get_mut("type") {
                *kind = json!([kind, "null"]);
            }
            Value::Object(schema)
        }
        Value::Object(mut schema) if schema.contains_key("anyOf") => {
            if let Some(Value::Array(options)) = schema.get_mut("anyOf") {
                options.push(json!({ "type": "null" }));
            }
            Value::Object(schema)
        }
        other => json!({ "anyOf": [other, { "type": "null" }] }),
    }
}

/// Whether the schema is a string, number or boolean of any value.
fn is_plain(schema: &Map<String, Value>) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    let is_scalar = matches!(kind, Some("string" | "number" | "integer" | "boolean"));
    is_scalar && !schema.contains_key("enum")
}

fn admits_null(schema: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return false };
    let options = schema.get("anyOf").and_then(Value::as_array);
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "null",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "null"),
        _ if schema.contains_key("$ref") => false,
        _ => options.is_none_or(|options| options.iter().any(admits_null)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_admitted_once() {
        let check = |schema: Value, expected: Value| {
            let schema = nullable(schema);
            assert_eq!(schema, expected);
            assert_eq!(nullable(schema), expected);
        };
        let nothing = json!({ "type": "null" });
        check(json!({ "type": "string" }), json!({ "type": ["string", "null"] }));
        check(json!({}), json!({}));
        check(one_of(&["a"]), json!({ "anyOf": [one_of(&["a"]), nothing] }));
        check(json!({ "anyOf": [one_of(&["a"])] }), json!({ "anyOf": [one_of(&["a"]), nothing] }));
        let reference = json!({ "$ref": "#/$defs/Tree" });
        check(reference.clone(), json!({ "anyOf": [reference, nothing] }));
    }

    #[test]
    fn descriptions_add_up() {
        let size = describe(one_of(&["a"]), "Size of the cup.");
        let size = describe(describe(size, "What to brew."), "");
        assert_eq!(size["description"], "What to brew.\n\nSize of the cup.");

        let reference = json!({ "$ref": "#/$defs/Tree" });
        let expected = json!({ "anyOf": [reference], "description": "A tree." });
        assert_eq!(describe(reference, "A tree."), expected);
    }
}

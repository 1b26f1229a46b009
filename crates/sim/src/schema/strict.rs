//! What providers refuse of a schema when they promise to keep to it.
//!
//! Sources: OpenAI, "Structured model outputs", supported schemas; Anthropic, "Structured outputs", JSON Schema limitations.

use serde_json::{Map, Value};

/// Whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
}

/// Tells why the provider would refuse the schema, if it would: the place, then the rule.
pub(crate) fn refusal(dialect: Dialect, schema: &Value) -> Option<String> {
    let Some(root) = schema.as_object() else {
        return Some("In context=(), schema must be an object.".to_owned());
    };
    if dialect == Dialect::OpenAi {
        if root.contains_key("anyOf") {
            return Some("In context=(), schema must have type 'object' and not have 'anyOf' at the top level.".to_owned());
        }
        if !root.contains_key("$ref") && root.get("type") != Some(&Value::from("object")) {
            let kind = root.get("type").unwrap_or(&Value::Null);
            return Some(format!(
                "schema must be a JSON Schema of 'type: \"object\"', got 'type: {kind}'."
            ));
        }
    }
    walk(dialect, root, &mut Vec::new())
}

fn walk(dialect: Dialect, schema: &Map<String, Value>, path: &mut Vec<String>) -> Option<String> {
    if let Some(why) = own_refusal(dialect, schema) {
        let context: Vec<String> = path.iter().map(|part| format!("'{part}'")).collect();
        return Some(format!("In context=({}), {why}", context.join(", ")));
    }
    for key in ["properties", "$defs", "definitions"] {
        for (name, part) in schema.get(key).and_then(Value::as_object).into_iter().flatten() {
            path.extend([key.to_owned(), name.clone()]);
            if let Some(why) = part.as_object().and_then(|part| walk(dialect, part, path)) {
                return Some(why);
            }
            path.truncate(path.len() - 2);
        }
    }
    for key in ["anyOf", "oneOf", "allOf", "items"] {
        let parts = match schema.get(key) {
            Some(Value::Array(parts)) => parts.as_slice(),
            Some(part) => std::slice::from_ref(part),
            None => continue,
        };
        for (index, part) in parts.iter().enumerate() {
            path.extend([key.to_owned(), index.to_string()]);
            if let Some(why) = part.as_object().and_then(|part| walk(dialect, part, path)) {
                return Some(why);
            }
            path.truncate(path.len() - 2);
        }
    }
    None
}

fn own_refusal(dialect: Dialect, schema: &Map<String, Value>) -> Option<String> {
    let is_object =
        schema.get("type") == Some(&Value::from("object")) || schema.contains_key("properties");
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    if is_object && !is_closed {
        return Some(
            "'additionalProperties' is required to be supplied and to be false.".to_owned(),
        );
    }
    if dialect == Dialect::Anthropic {
        return None;
    }
    if let Some(key) = ["oneOf", "allOf", "not", "if", "patternProperties"]
        .into_iter()
        .find(|key| schema.contains_key(*key))
    {
        return Some(format!("'{key}' is not permitted."));
    }
    let properties = schema.get("properties").and_then(Value::as_object)?;
    let required = schema.get("required").and_then(Value::as_array);
    let missing = properties.keys().find(|name| {
        !required.is_some_and(|required| required.contains(&Value::from(name.as_str())))
    })?;
    Some(format!(
        "'required' is required to be supplied and to be an array including every key in properties. Missing '{missing}'."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_thing_that_is_refused_is_told_with_its_place() {
        let wrap = |inner: Value| json!({"type": "object", "properties": {"a": inner}, "required": ["a"], "additionalProperties": false});
        let openai = |schema: Value| refusal(Dialect::OpenAi, &schema).unwrap_or_default();
        assert_eq!(openai(wrap(json!({"type": "string"}))), "");
        assert!(openai(json!({"type": "array", "items": true})).contains("got 'type: \"array\"'"));
        assert!(
            openai(wrap(json!({"oneOf": []})))
                .starts_with("In context=('properties', 'a'), 'oneOf'")
        );
        assert!(openai(wrap(json!({"type": "object"}))).contains("additionalProperties"));
        let optional =
            json!({"type": "object", "properties": {"b": true}, "additionalProperties": false});
        assert!(openai(wrap(json!({"type": "array", "items": optional}))).contains("Missing 'b'"));

        assert_eq!(refusal(Dialect::Anthropic, &wrap(json!({"oneOf": [optional]}))), None);
        assert!(
            refusal(Dialect::Anthropic, &wrap(json!({"anyOf": [{"type": "object"}]}))).is_some()
        );
    }
}

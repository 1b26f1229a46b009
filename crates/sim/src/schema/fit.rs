//! Brings a scripted value into the shape that a schema asks for, where they differ only in how a union is tagged.

use serde_json::{Map, Value};

use super::check::Checker;
use super::{branches, resolve};

/// Returns the value as the schema wants it; unchanged if it conforms already, or if no way is known to make it conform.
///
/// A script writes a variant as `{"MakeDrink": {..}}`. A schema can ask for the name in a field of its own, beside the fields of the
/// variant (`{"type": "MakeDrink", ..}`) or beside one field that holds them, and in another case (`make_drink`).
pub(super) fn fit(root: &Value, schema: &Value, value: &Value) -> Value {
    let checker = Checker::new(root);
    if checker.accepts(schema, value) {
        return value.clone();
    }
    let variant = value
        .as_object()
        .filter(|object| object.len() == 1)
        .and_then(|object| object.iter().next());
    let Some((name, content)) = variant else { return value.clone() };
    let mut variants = Vec::new();
    flatten(root, schema, &mut variants, 0);
    let retagged = variants.iter().filter_map(|variant| retag(root, variant, name, content));
    retagged
        .into_iter()
        .find(|value| checker.accepts(schema, value))
        .unwrap_or_else(|| value.clone())
}

/// Lists the object schemas that a union consists of.
fn flatten<'a>(
    root: &'a Value,
    schema: &'a Value,
    into: &mut Vec<&'a Map<String, Value>>,
    depth: usize,
) {
    let Some(object) = schema.as_object().filter(|_| depth < 16) else { return };
    if let Some(target) =
        object.get("$ref").and_then(Value::as_str).and_then(|reference| resolve(root, reference))
    {
        return flatten(root, target, into, depth + 1);
    }
    match branches(object) {
        Some((_, branches)) => {
            branches.iter().for_each(|branch| flatten(root, branch, into, depth + 1))
        }
        None => into.push(object),
    }
}

fn retag(root: &Value, variant: &Map<String, Value>, name: &str, content: &Value) -> Option<Value> {
    let properties = variant.get("properties")?.as_object()?;
    if let [(key, schema)] = properties.iter().collect::<Vec<_>>()[..]
        && same_name(key, name)
    {
        return Some(Value::Object(Map::from_iter([(key.clone(), fit(root, schema, content))])));
    }
    let tags = properties.iter().filter_map(|(key, schema)| Some((key, tag_of(root, schema)?)));
    let (tag_key, tag) = tags.into_iter().find(|(_, tag)| same_name(tag, name))?;
    let mut object = Map::new();
    for (key, schema) in properties {
        if key == tag_key {
            object.insert(key.clone(), Value::from(tag));
        } else if let Some(inner) = content.get(key) {
            object.insert(key.clone(), fit(root, schema, inner));
        } else if Checker::new(root).accepts(schema, content) {
            object.insert(key.clone(), content.clone());
        }
    }
    Some(Value::Object(object))
}

/// The only text that a schema allows.
fn tag_of<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a str> {
    let target = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| resolve(root, reference))
        .unwrap_or(schema);
    let only = |values: &'a Value| values.as_array().filter(|values| values.len() == 1)?.first();
    target.get("const").or_else(|| target.get("enum").and_then(only))?.as_str()
}

fn same_name(one: &str, other: &str) -> bool {
    let plain = |name: &str| {
        name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_variant_is_tagged_as_the_schema_asks() {
        let scripted = json!({"MakeDrink": {"size": "large"}});
        let content = json!({"type": "object", "properties": {"size": {"type": "string"}}, "required": ["size"]});
        let branch = |properties: Value| {
            let required: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
            json!({"anyOf": [
                {"type": "object", "properties": {"Other": true}, "required": ["Other"], "additionalProperties": false},
                {"type": "object", "properties": properties, "required": required, "additionalProperties": false},
            ]})
        };
        for (properties, expected) in [
            (json!({"MakeDrink": content}), scripted.clone()),
            (json!({"make_drink": content}), json!({"make_drink": {"size": "large"}})),
            (
                json!({"type": {"const": "MakeDrink"}, "size": {"type": "string"}}),
                json!({"type": "MakeDrink", "size": "large"}),
            ),
            (
                json!({"kind": {"enum": ["make-drink"]}, "value": content}),
                json!({"kind": "make-drink", "value": {"size": "large"}}),
            ),
        ] {
            let schema = branch(properties);
            assert_eq!(fit(&schema, &schema, &scripted), expected);
        }
    }

    #[test]
    fn what_cannot_be_fitted_stays() {
        let schema = json!({"type": "string"});
        assert_eq!(fit(&schema, &schema, &json!(7)), json!(7));
        assert_eq!(fit(&schema, &schema, &json!({"a": 1})), json!({"a": 1}));
    }
}

//! Generic answers conform to whatever schema is asked for, as another implementation judges it.

use glassbox_sim::{Provider, Sim};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::client::{call, shop};

/// Whether the answer conforms; `strict` is off, since these schemas are any.
async fn check(sim: &Sim, provider: Provider, schema: &Value) {
    let text =
        call(sim, provider, false, "x").with_schema(provider, schema, false).text(provider).await;
    let made: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let validator = jsonschema::validator_for(schema).unwrap();
    if let Err(error) = validator.validate(&made) {
        panic!("{error}\nmade {made}\nfor {schema}");
    }
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"type": "boolean"})),
        Just(json!({"type": "null"})),
        Just(json!(true)),
        Just(json!({"type": "string", "format": "date-time"})),
        Just(json!({"enum": ["a", 1, null, true]})),
        Just(json!({"type": ["string", "null"], "enum": ["x", null]})),
        Just(json!({"$ref": "#/$defs/tree"})),
        Just(json!({"$ref": "#/$defs/size"})),
        any::<i32>().prop_map(|value| json!({"const": value})),
        (0_usize..40, 0_usize..120).prop_map(|(least, more)| {
            json!({"type": "string", "minLength": least, "maxLength": least + more})
        }),
        (-50_i64..50, 0_i64..30).prop_map(|(low, width)| json!({"type": "integer", "minimum": low, "maximum": low + width})),
        (-50_i64..50, 1_i64..30).prop_map(|(low, width)| {
            json!({"type": ["number", "null"], "exclusiveMinimum": low, "exclusiveMaximum": low + width})
        }),
        (1_i64..9).prop_map(|step| json!({"type": "integer", "multipleOf": step, "minimum": 0})),
    ]
}

fn any_schema() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 5, |inner| {
        let properties = prop::collection::vec((inner.clone(), any::<bool>()), 0..5);
        let object = (properties, any::<bool>()).prop_map(|(properties, closed)| object(properties, closed));
        prop_oneof![
            3 => object,
            1 => (inner.clone(), 0_usize..3, 0_usize..3).prop_map(|(items, least, more)| {
                json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more})
            }),
            1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|first| {
                json!({"type": "array", "prefixItems": first, "items": false, "minItems": 1})
            }),
            1 => inner.clone().prop_map(|values| json!({"type": "object", "additionalProperties": values, "minProperties": 1})),
            1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|branches| json!({"anyOf": branches})),
            1 => inner.clone().prop_map(|schema| json!({"allOf": [schema, {"description": "merged"}]})),
            1 => tagged(inner),
        ]
    })
}

fn object(properties: Vec<(Value, bool)>, closed: bool) -> Value {
    let (mut schemas, mut required) = (Map::new(), Vec::new());
    for (index, (schema, is_required)) in properties.into_iter().enumerate() {
        let name = format!("field_{index}");
        if is_required {
            required.push(name.clone());
        }
        schemas.insert(name, schema);
    }
    json!({"type": "object", "properties": schemas, "required": required, "additionalProperties": !closed})
}

/// A union told apart by a tag: exactly one branch fits.
fn tagged(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::vec(inner, 1..4).prop_map(|contents| {
        let branch = |(index, content): (usize, Value)| {
            json!({"type": "object", "properties": {"tag": {"const": index}, "value": content}, "required": ["tag", "value"]})
        };
        json!({"oneOf": contents.into_iter().enumerate().map(branch).collect::<Vec<_>>()})
    })
}

fn with_definitions(schema: &Value) -> Value {
    let children = json!({"type": "array", "items": {"$ref": "#/$defs/tree"}});
    let next = json!({"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]});
    let tree = json!({
        "type": "object", "properties": {"name": {"type": "string"}, "children": children, "next": next},
        "required": ["name", "children", "next"], "additionalProperties": false,
    });
    let size = json!({"type": "string", "enum": ["small", "large"]});
    json!({"type": "object", "properties": {"it": schema}, "required": ["it"], "$defs": {"tree": tree, "size": size}})
}

#[test]
fn answers_conform_to_any_schema() {
    let sim = shop().start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) };
    let outcome = TestRunner::new(config).run(&any_schema(), |schema| {
        runtime.block_on(check(&sim, Provider::OpenAi, &with_definitions(&schema)));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[tokio::test]
async fn answers_conform_where_it_is_hard() {
    let sim = shop().start().unwrap();
    for schema in [
        json!({"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": true, "minItems": 3}),
        json!({"oneOf": [{"type": "number"}, {"type": "integer"}, {"type": "string"}]}),
        json!({"oneOf": [{"type": "integer", "multipleOf": 2}, {"type": "integer", "multipleOf": 3}]}),
        json!({"type": "object", "required": ["unknown"], "additionalProperties": {"type": "integer"}}),
        json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": true, "c": true}, "maxProperties": 2}),
        json!({"allOf": [{"type": "number", "minimum": 3}, {"maximum": 4}, {"type": "integer"}]}),
        json!({"properties": {"kind": {"const": "x"}}, "anyOf": [{"required": ["kind", "a"]}, {"required": ["kind", "b"]}]}),
        json!({"type": "object", "properties": {"maybe": false, "sure": {"type": "null"}}}),
        json!({"type": "string", "minLength": 500}),
        json!({"type": "number", "multipleOf": 0.5, "minimum": 0.3, "maximum": 0.9}),
    ] {
        for provider in [Provider::OpenAi, Provider::Gemini] {
            check(&sim, provider, &schema).await;
        }
    }
}

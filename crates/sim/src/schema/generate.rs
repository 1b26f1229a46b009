//! Makes values that conform to a JSON Schema.
//!
//! Known: `type`, `enum`, `const`, `$ref`, `allOf`, `anyOf`, `oneOf`, `nullable`, objects, arrays, bounds and lengths, and the common
//! formats. Not known: `pattern`, `not`, `if`, `contains`, `patternProperties`, `dependent*`.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value};

use crate::prose;

use super::check::Checker;
use super::fit::fit;
use super::merge::merge;
use super::{branches, limit, numbers, resolve, types};

/// Beyond this depth, or this many values, only what is required is generated.
const DEEP: usize = 12;
const MANY: usize = 2_000;
/// Beyond these, nothing is: a schema that requires an endless value cannot be satisfied.
const DEEPEST: usize = 48;
const MOST: usize = 20_000;

/// How often each branch of a union is tried.
const TRIES: usize = 4;

/// Makes a value that conforms to `schema`.
pub(crate) fn conforming(schema: &Value, rng: &mut StdRng) -> Value {
    Generator::new(schema, rng).value(schema, 0)
}

/// Makes an object that conforms to `schema`, taking the values of `fields` for the properties of that name.
pub(crate) fn fill(schema: &Value, fields: &Map<String, Value>, rng: &mut StdRng) -> Value {
    let mut top = schema;
    // As many steps as a document that refers in circles may take.
    for _ in 0..DEEPEST {
        let reference = top.get("$ref").and_then(Value::as_str);
        let Some(target) = reference.and_then(|reference| resolve(schema, reference)) else {
            break;
        };
        top = target;
    }
    let mut made = Generator::new(schema, rng).value(top, 0);
    let (Value::Object(object), Some(properties)) =
        (&mut made, top.get("properties").and_then(Value::as_object))
    else {
        return made;
    };
    for (name, property) in properties {
        if let Some(scripted) = fields.get(name) {
            object.insert(name.clone(), fit(schema, property, scripted));
        }
    }
    made
}

struct Generator<'a> {
    root: &'a Value,
    checker: Checker<'a>,
    rng: &'a mut StdRng,
    made: usize,
    /// The references that led to where we are.
    path: Vec<String>,
    /// How many of them had been followed before: above zero, the schema recurses.
    repeats: usize,
}

impl<'a> Generator<'a> {
    fn new(root: &'a Value, rng: &'a mut StdRng) -> Self {
        Self { root, checker: Checker::new(root), rng, made: 0, path: Vec::new(), repeats: 0 }
    }

    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        self.made += 1;
        if depth > DEEPEST || self.made > MOST {
            return Value::Null;
        }
        match schema {
            Value::Object(schema) => self.of_object(schema, depth),
            Value::Bool(false) => Value::Null,
            _ => Value::from(prose::word(self.rng)),
        }
    }

    fn of_object(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.of_reference(schema, reference, depth);
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            let mut merged = without(schema, "allOf");
            for part in all {
                merged = merge(&merged, &self.resolved(part));
            }
            return self.value(&Value::Object(merged), depth + 1);
        }
        if let Some((key, branches)) = branches(schema) {
            return self.of_union(schema, key, branches, depth);
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            let rest = Value::Object(without(schema, "enum"));
            let allowed: Vec<_> =
                values.iter().filter(|value| self.checker.accepts(&rest, value)).collect();
            return allowed.choose(self.rng).map_or(Value::Null, |value| (*value).clone());
        }
        self.of_type(schema, depth)
    }

    fn of_reference(
        &mut self,
        schema: &Map<String, Value>,
        reference: &str,
        depth: usize,
    ) -> Value {
        let Some(target) = resolve(self.root, reference) else {
            return Value::from(prose::word(self.rng));
        };
        let beside = without(schema, "$ref");
        let repeated = self.path.iter().any(|earlier| earlier == reference);
        self.path.push(reference.to_owned());
        self.repeats += usize::from(repeated);
        let value = match target {
            Value::Object(target) if !beside.is_empty() => {
                self.value(&Value::Object(merge(target, &beside)), depth + 1)
            }
            target => self.value(target, depth + 1),
        };
        self.repeats -= usize::from(repeated);
        self.path.pop();
        value
    }

    fn of_union(
        &mut self,
        schema: &Map<String, Value>,
        key: &str,
        branches: &[Value],
        depth: usize,
    ) -> Value {
        let base = without(schema, key);
        let mut order: Vec<Map<String, Value>> = branches.iter().map(as_object).collect();
        let is_null = |branch: &Map<String, Value>| types(branch) == ["null"];
        if self.is_short(depth) {
            order.sort_by_cached_key(|branch| cost(self.root, branch, &mut 300));
        } else if !order.is_empty() {
            // A model fills what may be null.
            order.rotate_left(self.rng.random_range(0..branches.len()));
            order.sort_by_key(is_null);
        }
        let whole = Value::Object(schema.clone());
        let mut first = None;
        // A value of one branch can happen to fit another one too, which `oneOf` forbids: the next try makes another value.
        for branch in order.iter().cycle().take(TRIES * order.len()) {
            let reference = branch.get("$ref").and_then(Value::as_str).map(str::to_owned);
            let made = match reference {
                Some(reference) => self.of_reference(&merge(&base, branch), &reference, depth),
                None => self.value(&Value::Object(merge(&base, branch)), depth + 1),
            };
            if self.checker.accepts(&whole, &made) {
                return made;
            }
            first.get_or_insert(made);
        }
        first.unwrap_or(Value::Null)
    }

    fn of_type(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let types = types(schema);
        let has = |keys: &[&str]| keys.iter().any(|key| schema.contains_key(*key));
        let filled: Vec<_> =
            types.iter().map(String::as_str).filter(|kind| *kind != "null").collect();
        let kind = match filled.choose(self.rng) {
            Some(_) if self.is_short(depth) && filled.len() < types.len() => "null",
            Some(kind) => kind,
            None if !types.is_empty() => "null",
            None if has(&["properties", "required", "additionalProperties", "minProperties"]) => {
                "object"
            }
            None if has(&["items", "prefixItems", "minItems", "uniqueItems"]) => "array",
            None if has(&[
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "multipleOf",
            ]) =>
            {
                "number"
            }
            None => "string",
        };
        match kind {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => numbers::integer(schema, self.rng),
            "number" => numbers::number(schema, self.rng),
            "boolean" => Value::from(self.rng.random_bool(0.5)),
            "null" => Value::Null,
            _ => self.string(schema),
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let others = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
        let least = limit(schema, "minProperties").unwrap_or(0) as usize;
        let most = limit(schema, "maxProperties").map_or(usize::MAX, |most| most as usize);

        let mut object = Map::new();
        let mut optional = most.saturating_sub(required.len());
        let mut missing = least.saturating_sub(required.len());
        for (name, property) in properties {
            let is_required = required.contains(&name.as_str());
            let is_impossible = property == &Value::Bool(false);
            if !is_required
                && (optional == 0 || is_impossible || (self.is_short(depth) && missing == 0))
            {
                continue;
            }
            if !is_required {
                optional -= 1;
                missing = missing.saturating_sub(1);
            }
            object.insert(name.clone(), self.value(property, depth + 1));
        }
        for name in required.iter().filter(|name| !properties.contains_key(**name)) {
            object.insert((*name).to_owned(), self.value(others, depth + 1));
        }
        let is_map = properties.is_empty() && others.is_object() && !self.is_short(depth);
        let wanted = least.max(if is_map { 2 } else { 0 }).min(most);
        for number in 1.. {
            if object.len() >= wanted || others == &Value::Bool(false) || number > MANY {
                break;
            }
            let made = self.value(others, depth + 1);
            object.entry(format!("{}_{number}", prose::word(self.rng))).or_insert(made);
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let first =
            schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let others = schema.get("items").unwrap_or(&Value::Bool(true));
        let least = limit(schema, "minItems").unwrap_or(0) as usize;
        let most = limit(schema, "maxItems").map_or(usize::MAX, |most| most as usize).min(MANY);
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let usual = if self.is_short(depth) { 0 } else { first.len().max(2) };
        let wanted = match others {
            Value::Bool(false) => usual.max(least).min(most).min(first.len()),
            _ => usual.max(least).min(most),
        };

        let mut items = Vec::new();
        // Distinct items may need several tries, and there may not be enough of them.
        for _ in 0..wanted.saturating_mul(16) {
            if items.len() >= wanted {
                break;
            }
            let item = self.value(first.get(items.len()).unwrap_or(others), depth + 1);
            if !unique || !items.contains(&item) {
                items.push(item);
            }
        }
        Value::Array(items)
    }

    fn string(&mut self, schema: &Map<String, Value>) -> Value {
        if let Some(text) =
            schema.get("format").and_then(Value::as_str).and_then(|format| self.formatted(format))
        {
            return Value::from(text);
        }
        let least = limit(schema, "minLength").unwrap_or(0).min(100_000) as usize;
        let most = limit(schema, "maxLength").map_or(usize::MAX, |most| most as usize);
        let mut text =
            if most < 80 { prose::word(self.rng).to_owned() } else { prose::sentence(self.rng) };
        while text.len() < least {
            text.push(' ');
            text.push_str(prose::word(self.rng));
        }
        text.truncate(most.max(least)); // All of it is ASCII: bytes are characters.
        Value::from(text)
    }

    fn formatted(&mut self, format: &str) -> Option<String> {
        let word = prose::word(self.rng);
        let mut up_to = |most: u64| self.rng.random_range(1..=most);
        Some(match format {
            "date" => format!("2026-{:02}-{:02}", up_to(12), up_to(28)),
            "time" => format!("{:02}:{:02}:{:02}Z", up_to(23), up_to(59), up_to(59)),
            "date-time" => format!(
                "2026-{:02}-{:02}T{:02}:{:02}:00Z",
                up_to(12),
                up_to(28),
                up_to(23),
                up_to(59)
            ),
            "duration" => format!("PT{}M", up_to(59)),
            "email" => format!("{word}{}@example.com", up_to(99)),
            "hostname" => format!("{word}{}.example.com", up_to(99)),
            "ipv4" => format!("192.0.2.{}", up_to(254)),
            "ipv6" => format!("2001:db8::{:x}", up_to(0xffff)),
            "uri" | "url" => format!("https://example.com/{word}/{}", up_to(999)),
            "uuid" => format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                up_to(0xffff_ffff),
                up_to(0xffff),
                up_to(0xfff),
                up_to(0xfff),
                up_to(0xffff_ffff_ffff)
            ),
            _ => return None,
        })
    }

    /// The schema that a part of `allOf` stands for, with references followed.
    fn resolved(&self, schema: &Value) -> Map<String, Value> {
        let object = as_object(schema);
        match object
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| resolve(self.root, reference))
        {
            Some(target) => merge(&as_object(target), &without(&object, "$ref")),
            None => object,
        }
    }

    fn is_short(&self, depth: usize) -> bool {
        self.repeats > 0 || depth > DEEP || self.made > MANY
    }
}

fn without(schema: &Map<String, Value>, key: &str) -> Map<String, Value> {
    let mut rest = schema.clone();
    rest.shift_remove(key);
    rest
}

/// A schema as an object, also where it is written as `true` or `false`.
fn as_object(schema: &Value) -> Map<String, Value> {
    match schema {
        Value::Object(object) => object.clone(),
        Value::Bool(false) => Map::from_iter([("enum".to_owned(), Value::Array(Vec::new()))]),
        _ => Map::new(),
    }
}

/// How many values the smallest value of a schema consists of, roughly. `budget` bounds the search,
/// and with it the depth of the recursion.
fn cost(root: &Value, schema: &Map<String, Value>, budget: &mut u32) -> u32 {
    const ENDLESS: u32 = 10_000;
    let Some(rest) = budget.checked_sub(1) else { return ENDLESS };
    *budget = rest;
    let of = |schema: &Value| match schema {
        Value::Object(schema) => cost(root, schema, budget),
        Value::Bool(false) => ENDLESS,
        _ => 1,
    };
    let cost = if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        resolve(root, reference).map_or(1, of)
    } else if let Some((_, branches)) = branches(schema) {
        branches.iter().map(of).min().unwrap_or(ENDLESS)
    } else if types(schema).iter().any(|kind| kind == "null")
        || schema.contains_key("const")
        || schema.contains_key("enum")
    {
        0
    } else if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        all.iter().map(of).sum()
    } else if let Some(properties) = schema.get("properties") {
        let required = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        required.filter_map(|name| properties.get(name)).map(of).sum()
    } else if limit(schema, "minItems").unwrap_or(0) > 0 {
        schema.get("items").map_or(1, of)
    } else {
        0
    };
    cost.saturating_add(1).min(ENDLESS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::seed::{self, Purpose};

    use super::*;

    fn made(schema: &Value, fields: &Value) -> Value {
        fill(schema, fields.as_object().unwrap(), &mut seed::rng(1, Purpose::Content, 2, 3))
    }

    #[test]
    fn properties_keep_the_order_of_the_schema_and_take_scripted_values() {
        let schema = json!({
            "type": "object",
            "properties": {"z": {"type": "integer"}, "a": {"type": "string"}, "m": {"type": "boolean"}},
            "required": ["a", "m", "z"]
        });
        let made = made(&schema, &json!({"a": "scripted", "not_asked_for": 1}));
        assert_eq!(made.as_object().unwrap().keys().collect::<Vec<_>>(), ["z", "a", "m"]);
        assert_eq!(made["a"], "scripted");
    }

    #[test]
    fn recursion_ends() {
        for schema in [
            json!({"$ref": "#/$defs/node", "$defs": {"node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
                },
                "required": ["name", "children", "next"]
            }}}),
            json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}),
            json!({"$ref": "#/$defs/expression", "$defs": {"expression": {"oneOf": [
                {"type": "object", "properties": {"left": {"$ref": "#/$defs/expression"}}, "required": ["left"],
                 "additionalProperties": false},
                {"type": "number"}
            ]}}}),
        ] {
            let made = made(&schema, &json!({}));
            assert!(Checker::new(&schema).accepts(&schema, &made), "{made}");
            assert!(made.to_string().len() < 20_000, "{made}");
        }
        // These cannot be satisfied, or refer to themselves only; all that counts is that it ends.
        for schema in [
            json!({"$ref": "#"}),
            json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}]}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        ] {
            made(&schema, &json!({}));
        }
    }

    #[test]
    fn gemini_writes_types_in_upper_case() {
        let schema = json!({"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "nullable": true}}, "required": ["n"]});
        assert!(made(&schema, &json!({}))["n"].is_i64());
    }
}

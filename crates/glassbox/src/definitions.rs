//! The named types of a JSON schema: written inline, or once under `$defs` when they are recursive.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Collects the schemas of recursive types while a JSON schema is written.
///
/// Most types are written inline where they are used, because models follow a schema better when
/// they need not look things up. A type that contains itself cannot be: it is written once, under
/// `$defs`, and every use of it is a `$ref`.
///
/// ```
/// use glassbox::Definitions;
/// use serde_json::json;
///
/// let mut definitions = Definitions::new();
/// let size = definitions.named("Size", |_| json!({"type": "string"}));
/// let list = definitions.named("List", |definitions| {
///     let rest = definitions.named("List", |_| unreachable!("a `$ref` is written instead"));
///     json!({"type": "object", "properties": {"rest": rest}})
/// });
///
/// assert_eq!(size, json!({"type": "string"}));
/// assert_eq!(list, json!({"$ref": "#/$defs/List"}));
/// assert_eq!(definitions.into_defs().len(), 1);
/// ```
#[derive(Debug, Default)]
pub struct Definitions {
    /// The types being written right now, outermost first.
    open: Vec<Open>,
    /// The names under `$defs`, by the full name of the type.
    names: HashMap<String, String>,
    defs: Map<String, Value>,
}

#[derive(Debug)]
struct Open {
    name: String,
    is_recursive: bool,
}

impl Definitions {
    /// Creates an empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the schema of a named type inline, or `{"$ref": "#/$defs/Name"}` when it contains
    /// itself.
    ///
    /// `name` tells types apart, so give the full one (`std::any::type_name`); the name under
    /// `$defs` is its short form: `shop::Pair<shop::Order>` becomes `Pair_Order`.
    pub fn named(&mut self, name: &str, schema: impl FnOnce(&mut Self) -> Value) -> Value {
        if let Some(open) = self.open.iter_mut().find(|open| open.name == name) {
            open.is_recursive = true;
            return self.reference(name);
        }
        if self.names.contains_key(name) {
            return self.reference(name);
        }

        self.open.push(Open { name: name.to_owned(), is_recursive: false });
        let schema = schema(self);
        let is_recursive = self.open.pop().is_some_and(|open| open.is_recursive);
        if !is_recursive {
            return schema;
        }

        let short = self.short_name(name);
        self.defs.insert(short, schema);
        self.reference(name)
    }

    /// Returns the collected `$defs`, empty when no type is recursive.
    pub fn into_defs(self) -> Map<String, Value> {
        self.defs
    }

    fn reference(&mut self, name: &str) -> Value {
        json!({ "$ref": format!("#/$defs/{}", self.short_name(name)) })
    }

    /// The name under `$defs`: the same for the same type, numbered when two types share it.
    fn short_name(&mut self, name: &str) -> String {
        if let Some(short) = self.names.get(name) {
            return short.clone();
        }

        let base = without_modules(name);
        let mut short = base.clone();
        let mut count = 1;
        while self.names.values().any(|taken| *taken == short) {
            count += 1;
            short = format!("{base}_{count}");
        }
        self.names.insert(name.to_owned(), short.clone());
        short
    }
}

/// `a::Pair<b::Order>` gives `Pair_Order`: providers allow letters, digits and `_` in a name.
fn without_modules(name: &str) -> String {
    let segments = name.split(|c: char| "<>()[],;& ".contains(c));
    let last_parts = segments.filter_map(|segment| segment.rsplit("::").next());
    let words = last_parts.filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("_");
    joined.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_have_no_modules() {
        let check = |name, short| assert_eq!(without_modules(name), short);
        check("Tree", "Tree");
        check("shop::tests::{{closure}}::Tree", "Tree");
        check("shop::Pair<alloc::string::String, shop::Order>", "Pair_String_Order");
    }

    #[test]
    fn types_with_the_same_short_name_stay_apart() {
        let mut definitions = Definitions::new();
        for name in ["a::Tree", "b::Tree", "a::Tree"] {
            definitions.named(
                name,
                |definitions| json!({ "items": definitions.named(name, |_| Value::Null) }),
            );
        }

        let expected = json!({
            "Tree": { "items": { "$ref": "#/$defs/Tree" } },
            "Tree_2": { "items": { "$ref": "#/$defs/Tree_2" } },
        });
        assert_eq!(Value::Object(definitions.into_defs()), expected);
    }

    #[test]
    fn types_that_contain_each_other_are_defined_once() {
        fn node(definitions: &mut Definitions) -> Value {
            definitions.named("Node", |definitions| json!({ "edges": edge(definitions) }))
        }
        fn edge(definitions: &mut Definitions) -> Value {
            definitions.named("Edge", |definitions| json!({ "to": node(definitions) }))
        }

        let mut definitions = Definitions::new();
        let both = json!([node(&mut definitions), edge(&mut definitions)]);

        let node = json!({ "$ref": "#/$defs/Node" });
        assert_eq!(both, json!([node, { "to": node }]));
        let defs = Value::Object(definitions.into_defs());
        assert_eq!(defs, json!({ "Node": { "edges": { "to": node } } }));
    }
}

//! What the code written by `#[derive(Field)]` and `#[derive(Signature)]` calls.

use serde_json::{Value, json};

use super::FieldSpec;
pub use super::object::Object;
pub use super::schema::describe;
use super::schema::{object_of, one_of};
pub use super::variants::{Reader, Variant, read_enum};
use crate::definitions::Definitions;

/// Describes one variant of an enum.
#[derive(Debug)]
pub struct VariantSpec<'a> {
    /// The name in JSON.
    pub name: &'static str,
    /// The doc comment, empty when there is none.
    pub description: &'static str,
    /// What it holds.
    pub content: Content<'a>,
}

/// What a variant holds, for its schema.
#[derive(Debug)]
pub enum Content<'a> {
    /// Nothing.
    Unit,
    /// Named fields.
    Fields(&'a [FieldSpec]),
    /// One value.
    Value(fn(&mut Definitions) -> Value),
}

/// Writes the schema of a struct.
pub fn object_schema(
    description: &str,
    fields: &[FieldSpec],
    definitions: &mut Definitions,
) -> Value {
    describe(Value::Object(object_of(fields.iter(), definitions)), description)
}

/// Writes the schema of an enum: strings for variants without data, objects for the others.
pub fn enum_schema(
    description: &str,
    variants: &[VariantSpec<'_>],
    definitions: &mut Definitions,
) -> Value {
    let mut options = Vec::new();
    let mut words = Vec::new();
    let mut meanings = Vec::new();
    for VariantSpec { name, description, content } in variants {
        let content = match content {
            Content::Unit => {
                words.push(*name);
                if !description.is_empty() {
                    meanings.push(format!("- {name}: {description}"));
                }
                continue;
            }
            Content::Fields(fields) => Value::Object(object_of(fields.iter(), definitions)),
            Content::Value(schema) => schema(definitions),
        };
        options.push(json!({
            "type": "object",
            "properties": { *name: describe(content, description) },
            "required": [name],
            "additionalProperties": false,
        }));
    }

    if !words.is_empty() {
        options.push(describe(one_of(&words), &meanings.join("\n")));
    }
    let schema = match options.len() {
        1 => options.remove(0),
        _ => json!({ "anyOf": options }),
    };
    describe(schema, description)
}

/// Writes a struct, or the content of a variant.
pub fn to_object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries.into_iter().collect()
}

/// Writes a variant that has data.
pub fn to_variant(name: &str, content: Value) -> Value {
    to_object([(name, content)])
}

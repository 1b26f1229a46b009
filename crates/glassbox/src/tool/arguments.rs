//! Arguments of a Rust type: their schema, and reading them. What is no object is the one property `input`.

use crate::definitions::Definitions;
use crate::field::{Field, FieldError};
use crate::tool::ToolError;
use crate::tool::error::Kind;
use serde_json::{Value, json};

const INPUT: &str = "input";

/// Writes the schema of an object that holds a `T`.
pub fn schema<T: Field>() -> Value {
    let mut definitions = Definitions::new();
    let own = T::schema(&mut definitions);
    let mut schema = if is_object(&own) {
        own
    } else {
        json!({
            "type": "object",
            "properties": { INPUT: own },
            "required": [INPUT],
            "additionalProperties": false,
        })
    };
    let defs = definitions.into_defs();
    if let (false, Some(schema)) = (defs.is_empty(), schema.as_object_mut()) {
        schema.insert("$defs".to_owned(), Value::Object(defs));
    }
    schema
}

/// Reads arguments as a `T`.
pub fn read<T: Field>(arguments: &Value, is_wrapped: bool) -> Result<T, ToolError> {
    lenient(arguments, is_wrapped).map_err(|error| {
        ToolError::of(Kind::Arguments, format!("the arguments do not fit: {error}"))
    })
}

/// Reads arguments as a `T` and writes them as its schema wants them.
pub fn coerce<T: Field>(arguments: &Value, is_wrapped: bool) -> Option<Value> {
    let value = lenient::<T>(arguments, is_wrapped).ok()?.to_json();
    Some(if is_wrapped { json!({ INPUT: value }) } else { value })
}

/// Tells whether a `T` stands in the property `input`.
pub fn is_wrapped<T: Field>() -> bool {
    !is_object(&T::schema(&mut Definitions::new()))
}

fn lenient<T: Field>(arguments: &Value, is_wrapped: bool) -> Result<T, FieldError> {
    match arguments.get(INPUT) {
        Some(value) if is_wrapped => T::from_json(value).map_err(|error| error.in_field(INPUT)),
        _ => T::from_json(arguments),
    }
}

fn is_object(schema: &Value) -> bool {
    schema["type"] == "object"
}

//! Strings, characters and truth values.

use serde_json::{Value, json};

use super::text::{embedded, same_name};
use super::{Field, FieldError};
use crate::definitions::Definitions;

impl Field for String {
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string" })
    }

    fn to_json(&self) -> Value {
        Value::String(self.clone())
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(truth) => Ok(truth.to_string()),
            other => Err(FieldError::expected("a string", other)),
        }
    }
}

impl Field for char {
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "description": "One character." })
    }

    fn to_json(&self) -> Value {
        Value::String(self.to_string())
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let text = String::from_json(value).unwrap_or_default();
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(FieldError::expected("a string of one character", value)),
        }
    }
}

impl Field for bool {
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "boolean" })
    }

    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_json(value: &Value) -> Result<Self, FieldError> {
        let inner = || embedded(value).as_ref().and_then(truth);
        truth(value).or_else(inner).ok_or_else(|| FieldError::expected("true or false", value))
    }
}

fn truth(value: &Value) -> Option<bool> {
    let text = match value {
        Value::Bool(truth) => return Some(*truth),
        Value::String(text) => text,
        _ => return None,
    };

    let is_any = |words: [&str; 2]| words.iter().any(|word| same_name(word, text));
    if is_any(["true", "yes"]) {
        Some(true)
    } else if is_any(["false", "no"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_take_numbers_and_truth_values() {
        let check = |value, text| assert_eq!(String::from_json(&value).unwrap(), text);
        check(json!(" as it is "), " as it is ");
        check(json!("```\nfenced\n```"), "```\nfenced\n```");
        check(json!(1024), "1024");
        check(json!(true), "true");
        for value in [json!(null), json!([]), json!({})] {
            assert!(String::from_json(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn characters() {
        assert_eq!(char::from_json(&json!("é")).unwrap(), 'é');
        assert_eq!(char::from_json(&json!(7)).unwrap(), '7');
        let error = char::from_json(&json!("ab")).unwrap_err().to_string();
        assert_eq!(error, r#"expected a string of one character, found "ab""#);
    }

    #[test]
    fn truth_values() {
        let check = |value, truth| assert_eq!(bool::from_json(&value).unwrap(), truth, "{value}");
        check(json!(true), true);
        check(json!("Yes"), true);
        check(json!(" FALSE "), false);
        check(json!("```json\nfalse\n```"), false);
        let error = bool::from_json(&json!("maybe")).unwrap_err().to_string();
        assert_eq!(error, r#"expected true or false, found "maybe""#);
    }
}

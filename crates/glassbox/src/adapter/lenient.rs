//! Finds the JSON object in what a model wrote: in fences, among prose, or not quite finished.

use crate::stream::fields::convert;
use jiter::{JsonValue, PartialMode};
use serde_json::{Map, Value};

/// Reads the first JSON object of a text. The second value tells what had to be repaired, if anything.
pub(super) fn object(text: &str) -> Result<(Map<String, Value>, Option<&'static str>), String> {
    let text = text.trim();
    let strict = match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => return Ok((fields, None)),
        Ok(_) => "it is JSON but no object".to_owned(),
        Err(error) => error.to_string(),
    };
    let Some(start) = text.find('{') else {
        return Err(format!(
            "expected a JSON object, found {:?}",
            text.chars().take(80).collect::<String>()
        ));
    };
    let from_brace = &text[start..];
    let mut stream =
        serde_json::Deserializer::from_str(from_brace).into_iter::<Map<String, Value>>();
    if let Some(Ok(fields)) = stream.next() {
        return Ok((fields, Some("took the JSON object out of the text around it")));
    }
    match unfinished(from_brace) {
        Some(fields) => Ok((fields, Some("closed JSON that the model had not finished"))),
        None => Err(format!("expected a JSON object: {strict}")),
    }
}

/// Closes what was left open after a complete value. A value that was itself cut is never taken for whole: an
/// unfinished string is dropped, and an unfinished number or word refuses the repair.
fn unfinished(text: &str) -> Option<Map<String, Value>> {
    if !text.trim_end().ends_with(['"', '}', ']', ',', '{', '[']) {
        return None;
    }
    match JsonValue::parse_with_config(text.as_bytes(), false, PartialMode::On).ok()? {
        JsonValue::Object(fields) => {
            Some(fields.iter().map(|(key, value)| (key.to_string(), convert(value))).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expected: &Value, repaired: bool) {
        let (fields, repair) = object(text).unwrap();
        assert_eq!((&Value::Object(fields), repair.is_some()), (expected, repaired), "{text}");
    }

    #[test]
    fn objects_are_found() {
        check(r#"{"a": 1}"#, &json!({"a": 1}), false);
        check("```json\n{\"a\": 1}\n```", &json!({"a": 1}), true);
        check(r#"Sure! {"a": {"b": "}"}} Anything else?"#, &json!({"a": {"b": "}"}}), true);
        check(r#"{"a": {"b": [1, 2]"#, &json!({"a": {"b": [1, 2]}}), true);
    }

    #[test]
    fn what_is_cut_is_not_taken_for_whole() {
        assert!(object(r#"{"a": 1, "price": 5.7"#).is_err());
        assert!(object(r#"{"a": "whole", "b": "cut of"#).is_err());
        assert!(object("I am sorry, I cannot do that.").is_err());
        assert!(object("[1, 2]").is_err());
    }
}

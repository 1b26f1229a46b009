//! Tools in a word: what a call was given, and what came of it. Both may be a model's own words, and so untrusted.

use crate::paint;
use serde_json::Value;

/// Writes the arguments of a call: `Yirgacheffe, 12`.
pub(super) fn arguments(input: Option<&Value>) -> String {
    plain(&input.map(value).unwrap_or_default(), 44)
}

/// Writes what came of a call: its result, or the class and the message of what went wrong.
pub(super) fn outcome(error: Option<(&str, &str)>, output: Option<&Value>) -> String {
    match (error, output) {
        (Some((kind, message)), _) => plain(&format!("{kind}: {message}"), 72),
        (None, Some(output)) => plain(&result(output), 60),
        (None, None) => String::new(),
    }
}

/// A run of code has a record of what came of it; of that, what it printed and its value.
fn result(output: &Value) -> String {
    match (output.get("stdout").and_then(Value::as_str), output.get("value")) {
        (Some(""), Some(Value::Null)) => "nothing".to_owned(),
        (Some(printed), Some(Value::Null)) => printed.to_owned(),
        (Some(printed), Some(found)) => format!("{printed} {}", value(found)),
        _ => value(output),
    }
}

fn value(value: &Value) -> String {
    let join = |values: Vec<String>| values.join(", ");
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => join(fields.values().map(self::value).collect()),
        Value::Array(items) => join(items.iter().map(self::value).collect()),
        other => other.to_string(),
    }
}

/// Makes one line of a text, without anything that a terminal would obey.
pub(super) fn plain(text: &str, limit: usize) -> String {
    let text: String =
        text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    paint::short(&text, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_told_without_their_names() {
        assert_eq!(
            value(&json!({"a": 1.5, "b": ["x", {"c": true}], "d": null})),
            "1.5, x, true, null"
        );
        let run = |stdout: &str, value: Value| result(&json!({"stdout": stdout, "value": value}));
        assert_eq!(run("a\nb\n", json!(null)), "a\nb\n");
        assert_eq!(run("", json!(42)), " 42");
        assert_eq!(run("", json!(null)), "nothing");
        assert_eq!(plain("\x1b[31ma\r\nb", 20), "[31ma b");
    }
}

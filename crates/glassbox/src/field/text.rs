//! Text as models write it: names, JSON in strings, fences, and numbers meant for people.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Whether two names are the same apart from case, spaces, `-` and `_`.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    let letters = |name: &str| -> String {
        let kept = name.chars().filter(|c| !(c.is_whitespace() || *c == '-' || *c == '_'));
        kept.flat_map(char::to_lowercase).collect()
    };
    letters(one) == letters(other)
}

/// The JSON that a string holds, in a Markdown code fence or not.
pub(super) fn embedded(value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    serde_json::from_str(without_fence(text)).ok()
}

/// The entries of an object, written as such or inside a string.
pub(super) fn entries(value: &Value) -> Option<Cow<'_, Map<String, Value>>> {
    match value {
        Value::Object(entries) => Some(Cow::Borrowed(entries)),
        other => match embedded(other)? {
            Value::Object(entries) => Some(Cow::Owned(entries)),
            _ => None,
        },
    }
}

/// What is between a fence's lines: "```json\n{}\n```" gives `{}`.
fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let fenced = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let Some(fenced) = fenced else { return text };

    fenced.trim_start_matches(|c: char| c.is_ascii_alphanumeric() && !c.is_ascii_digit()).trim()
}

/// The digits of a number meant for people: `$1,200.50` gives `1200.50`.
///
/// Leaves it to the caller's `parse` whether that is a number of the kind wanted, but gives nothing
/// for words such as `inf`. A comma is read as a separator of thousands only where one can be.
pub(super) fn plain_number(text: &str) -> Option<String> {
    let is_currency = |c: char| "$€£¥".contains(c);
    let text = text.trim().trim_end_matches(is_currency).trim_end();
    let text = text.trim_start_matches(is_currency).trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.trim_start_matches(is_currency).trim_start();

    let starts_well = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let is_plain = |c: char| c.is_ascii_digit() || ".eE+-".contains(c);
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    if !starts_well || !fraction.chars().all(is_plain) {
        return None;
    }

    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let is_group = |group: &str| group.len() == 3 && group.chars().all(|c| c.is_ascii_digit());
    let is_grouped = whole.contains(',');
    if !first.chars().all(is_plain) || !groups.all(is_group) || (is_grouped && first.len() > 3) {
        return None;
    }
    Some(format!("{sign}{}{fraction}", whole.replace(',', "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names() {
        let check = |one, other, same| assert_eq!(same_name(one, other), same, "{one} {other}");
        check("rush_hour", "Rush Hour", true);
        check("rush_hour", "RUSH-HOUR", true);
        check("rush_hour", "rush_hours", false);
        check("", "", true);
    }

    #[test]
    fn json_in_strings() {
        let check = |text: &str, expected| assert_eq!(embedded(&json!(text)), expected, "{text}");
        check("[1]", Some(json!([1])));
        check(" {\"a\": 1} ", Some(json!({"a": 1})));
        check("```json\n{\"a\": 1}\n```", Some(json!({"a": 1})));
        check("```\n42\n```", Some(json!(42)));
        check("```json [1]```", Some(json!([1])));
        check("```", None);
        check("``````", None);
        check("oat milk", None);
        assert_eq!(embedded(&json!(1)), None);
    }

    #[test]
    fn numbers() {
        let check = |text, plain: &str| assert_eq!(plain_number(text).as_deref(), Some(plain));
        check(" 42 ", "42");
        check("$5.75", "5.75");
        check("-$5.75", "-5.75");
        check("$-5", "-5");
        check("5 €", "5");
        check("+7", "7");
        check("1,200", "1200");
        check("1,234,567.891", "1234567.891");
        check(".5", ".5");
        check("1e3", "1e3");
        check("1.5E-3", "1.5E-3");

        for text in ["", "$", "-", "inf", "NaN", "1,5", "1200,000", ",100", "12 oz", "0x10", "a1"] {
            assert_eq!(plain_number(text), None, "{text}");
        }
    }
}

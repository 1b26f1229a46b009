//! Values of Python as JSON, and back.

use crate::protocol::MAX_DEPTH;
use monty_types::{DictPairs, ExcType, MontyException, MontyObject};
use serde_json::{Map, Number, Value};

/// How long an integer is written out: the 4300 digits that Python itself stops at.
const MOST_BITS: u64 = 14_285;

/// Writes a value of Python as JSON; what JSON has no word for is its `repr`, and what nests too deep is cut.
pub(super) fn to_json(object: &MontyObject) -> Value {
    within(object, MAX_DEPTH)
}

fn within(object: &MontyObject, left: usize) -> Value {
    let items = |items: &[MontyObject]| match left.checked_sub(1) {
        Some(left) => Value::Array(items.iter().map(|item| within(item, left)).collect()),
        None => Value::String("...".to_owned()),
    };
    match object {
        MontyObject::None => Value::Null,
        MontyObject::Bool(value) => Value::Bool(*value),
        MontyObject::Int(value) => Value::Number((*value).into()),
        MontyObject::Float(value) => {
            Number::from_f64(*value).map_or_else(|| Value::String(object.py_repr()), Value::Number)
        }
        MontyObject::String(text) => Value::String(text.clone()),
        MontyObject::Path(text) | MontyObject::Repr(text) => Value::String(text.clone()),
        MontyObject::List(list) | MontyObject::Tuple(list) => items(list),
        MontyObject::Set(set) | MontyObject::FrozenSet(set) => items(set),
        MontyObject::NamedTuple { values, .. } => items(values),
        MontyObject::Dict(pairs) => match left.checked_sub(1) {
            Some(left) => Value::Object(fields(pairs.iter(), left)),
            None => Value::String("...".to_owned()),
        },
        other => Value::String(repr(other)),
    }
}

/// Writes arguments by keyword as an object.
pub(super) fn to_object(pairs: &[(MontyObject, MontyObject)]) -> Map<String, Value> {
    fields(pairs.iter(), MAX_DEPTH)
}

/// Keys that are not text become what `str()` makes of them, as in Python's own `json`.
fn fields<'a>(
    pairs: impl Iterator<Item = &'a (MontyObject, MontyObject)>,
    left: usize,
) -> Map<String, Value> {
    pairs.map(|(key, value)| (key.to_string(), within(value, left))).collect()
}

/// Reads JSON as a value of Python.
pub(super) fn from_json(value: Value) -> MontyObject {
    match value {
        Value::Null => MontyObject::None,
        Value::Bool(value) => MontyObject::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(value) => MontyObject::Int(value),
            None => match number.as_u64() {
                Some(value) => MontyObject::BigInt(value.into()),
                None => MontyObject::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
        },
        Value::String(text) => MontyObject::String(text),
        Value::Array(items) => MontyObject::List(items.into_iter().map(from_json).collect()),
        Value::Object(fields) => {
            let pairs =
                fields.into_iter().map(|(key, value)| (MontyObject::String(key), from_json(value)));
            MontyObject::Dict(pairs.collect::<DictPairs>())
        }
    }
}

/// Cuts a value to about so many bytes, before anything is written out: the worker's clock does not see that work.
pub(super) fn shrink(object: MontyObject, budget: &mut usize) -> MontyObject {
    let whole = object.host_size();
    let left = *budget;
    *budget = left.saturating_sub(whole.min(left));
    match object {
        MontyObject::String(text) => MontyObject::String(cut(text, left)),
        MontyObject::Bytes(mut bytes) => {
            bytes.truncate(left);
            MontyObject::Bytes(bytes)
        }
        MontyObject::List(items) => MontyObject::List(shrink_items(items, budget)),
        MontyObject::Tuple(items) => MontyObject::Tuple(shrink_items(items, budget)),
        MontyObject::Set(items) => MontyObject::Set(shrink_items(items, budget)),
        MontyObject::FrozenSet(items) => MontyObject::FrozenSet(shrink_items(items, budget)),
        MontyObject::Dict(pairs) => {
            let mut shrunk = Vec::new();
            for (key, value) in pairs {
                if *budget == 0 {
                    break;
                }
                shrunk.push((shrink(key, budget), shrink(value, budget)));
            }
            MontyObject::Dict(shrunk.into())
        }
        other => other,
    }
}

fn shrink_items(items: Vec<MontyObject>, budget: &mut usize) -> Vec<MontyObject> {
    let whole = items.len();
    let mut shrunk = Vec::new();
    for item in items {
        if *budget == 0 {
            shrunk.push(MontyObject::String(format!("... ({whole} items)")));
            break;
        }
        shrunk.push(shrink(item, budget));
    }
    shrunk
}

/// Writes a value as Python shows it, but not the digits of an integer that are quadratic work to find.
pub(super) fn repr(object: &MontyObject) -> String {
    match object {
        MontyObject::BigInt(integer) if integer.bits() > MOST_BITS => {
            format!("<int of {} bits>", integer.bits())
        }
        other => other.py_repr(),
    }
}

/// Makes the exception that a tool raises.
pub(super) fn exception(kind: &str, message: String) -> MontyException {
    MontyException::new(kind.parse().unwrap_or(ExcType::RuntimeError), Some(message))
}

/// Cuts a text to a number of bytes, and says so.
pub(super) fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let whole = text.len();
        let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(&format!("... ({whole} bytes)"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_comes_back_as_it_was(value in json()) {
            prop_assert_eq!(to_json(&from_json(value.clone())), value);
        }

        #[test]
        fn what_is_shrunk_is_small(value in json(), budget in 0_usize..500) {
            let mut left = budget;
            let shrunk = shrink(from_json(value), &mut left);
            // Each item that was begun within the budget may end outside it, by what it takes to say so.
            prop_assert!(shrunk.py_repr().len() <= 4 * budget + 200);
        }

        #[test]
        fn cuts_keep_text_whole(text in ".*", limit in 0_usize..20) {
            let short = cut(text.clone(), limit);
            prop_assert!(short == text || short.contains(" bytes)"));
        }
    }
}

//! Objects that were flattened into attributes such as `0.message.role` and `0.message.tool_calls.0.tool_call.id`.

use glassbox_trace::vocabulary::dialects::openinference;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The objects that were flattened, by their numbers.
pub(super) fn objects<'a>(fields: impl Iterator<Item = (&'a str, Value)>) -> Option<Vec<Value>> {
    let mut by_message: BTreeMap<usize, Value> = BTreeMap::new();
    for (path, value) in fields {
        let (number, rest) = path.split_once('.')?;
        let rest = rest.strip_prefix(openinference::MESSAGE).unwrap_or(rest);
        let message =
            by_message.entry(number.parse().ok()?).or_insert_with(|| Value::Object(Map::new()));
        set(message, rest, value);
    }
    Some(by_message.into_values().collect())
}

/// The most names and numbers of a path that are followed; what lies deeper is left out.
const MOST_STEPS: usize = 12;

/// The most items of a list that is put together from paths.
const MOST_ITEMS: usize = 256;

/// Sets a value at a path; names that only say what the thing is are left out.
fn set(target: &mut Value, path: &str, value: Value) {
    if path.split('.').nth(MOST_STEPS).is_none() {
        set_below(target, path, value);
    }
}

fn set_below(target: &mut Value, path: &str, value: Value) {
    let (first, rest) =
        path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if matches!(first, "tool_call" | "message_content") {
        if let Some(rest) = rest {
            set_below(target, rest, value);
        }
        return;
    }
    let slot = match first.parse::<usize>() {
        // Numbers are places in a list, which is kept as long as it is sensible.
        Ok(at) if at < MOST_ITEMS => {
            if !target.is_array() {
                *target = Value::Array(Vec::new());
            }
            let Value::Array(list) = target else { return };
            if list.len() <= at {
                list.resize(at + 1, Value::Null);
            }
            &mut list[at]
        }
        _ => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            let Value::Object(object) = target else { return };
            object.entry(first.to_owned()).or_insert(Value::Null)
        }
    };
    match rest {
        Some(rest) => set_below(slot, rest, value),
        None => *slot = value,
    }
}

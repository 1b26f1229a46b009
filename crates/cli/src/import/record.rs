//! What was said of a trace itself, as the API answers it, written as the event of Langfuse's that says it.

use super::score::timestamp;
use serde_json::{Map, Value, json};

/// The fields of a record, and what they are called in the event.
const FIELDS: [(&str, &str); 10] = [
    ("name", "name"),
    ("input", "input"),
    ("output", "output"),
    ("metadata", "metadata"),
    ("session_id", "sessionId"),
    ("user_id", "userId"),
    ("environment", "environment"),
    ("release", "release"),
    ("version", "version"),
    ("tags", "tags"),
];

/// Returns the event that says it; `None` if it is no record as the API answers it.
pub(super) fn event(said: &Value) -> Option<Value> {
    let (id, record) = (said["trace_id"].as_str()?, said["record"].as_object()?);
    let at = timestamp(&said["at_us"])?;
    let known = FIELDS.iter().filter_map(|(name, key)| Some((*key, record.get(*name)?)));
    let known = known.filter(|(_, value)| !value.is_null() && **value != json!([]));
    let mut body: Map<String, Value> =
        known.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    body.insert("id".to_owned(), id.into());
    body.insert("timestamp".to_owned(), at.clone().into());
    Some(json!({ "id": id, "type": "trace-create", "timestamp": at, "body": body }))
}

//! Scores as the API answers them, written as the events of Langfuse's that the server takes many of at once.

use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// Returns the event that makes a score; `None` if it is no score as the API answers it.
pub(super) fn event(said: &Value) -> Option<Value> {
    let is_text = |key: &str| said[key].is_string();
    let is_score =
        is_text("id") && is_text("trace_id") && is_text("name") && !said["value"].is_null();
    let at = timestamp(&said["at_us"]).filter(|_| is_score)?;
    Some(json!({
        "id": said["id"],
        "type": "score-create",
        "timestamp": at,
        "body": {
            "id": said["id"],
            "traceId": said["trace_id"],
            "observationId": said["span_id"],
            "name": said["name"],
            "value": said["value"],
            "comment": said["comment"],
        },
    }))
}

/// Writes microseconds since the epoch as Langfuse's events have times.
pub(super) fn timestamp(at_us: &Value) -> Option<String> {
    // 9999 is the last year that can be written.
    let at = UNIX_EPOCH + Duration::from_micros(at_us.as_u64()?.min(253_402_300_799_000_000));
    Some(humantime::format_rfc3339_micros(at).to_string())
}

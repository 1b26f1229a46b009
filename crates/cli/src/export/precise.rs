//! What Langfuse's API answers has instants in milliseconds. Readers of it take microseconds as well, so an export has those,
//! where they are not zero.

use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

/// Writes the instants of a trace with its observations and scores anew, as the server's own API knows them.
pub(super) fn of_trace(trace: &mut Value, ours: &Value, scores: &[Value]) {
    set(trace, "timestamp", ours["trace"]["start_us"].as_u64());
    let spans: HashMap<_, _> = by_id(ours["spans"].as_array().into_iter().flatten(), "span_id");
    for one in trace["observations"].as_array_mut().into_iter().flatten() {
        let Some(span) = one["id"].as_str().and_then(|id| spans.get(id)) else { continue };
        let start = span["start_us"].as_u64();
        let first_chunk = start.zip(span["phases"]["first_chunk_us"].as_u64());
        set(one, "startTime", start);
        set(one, "endTime", span["end_us"].as_u64());
        set(
            one,
            "completionStartTime",
            first_chunk.map(|(start, after)| start.saturating_add(after)),
        );
    }
    let scores = by_id(scores.iter(), "id");
    for one in trace["scores"].as_array_mut().into_iter().flatten() {
        if let Some(score) = one["id"].as_str().and_then(|id| scores.get(id).copied()) {
            of_score(one, score);
        }
    }
}

/// Writes the instant of a score anew.
pub(super) fn of_score(score: &mut Value, ours: &Value) {
    set(score, "timestamp", ours["at_us"].as_u64());
}

fn by_id<'v>(all: impl Iterator<Item = &'v Value>, id: &str) -> HashMap<&'v str, &'v Value> {
    all.filter_map(|one| Some((one[id].as_str()?, one))).collect()
}

/// Replaces an instant that is there by one that has the same milliseconds.
fn set(object: &mut Value, field: &str, at_us: Option<u64>) {
    let Some(at_us) = at_us.filter(|at_us| at_us % 1000 != 0) else { return };
    let at =
        humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_micros(at_us)).to_string();
    let is_same =
        object[field].as_str().is_some_and(|known| at.starts_with(known.trim_end_matches('Z')));
    if is_same {
        object[field] = at.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn microseconds_are_told_where_there_are_any() {
        let mut trace = json!({"timestamp": "2026-01-01T00:00:00.000Z", "observations": [
            {"id": "a", "startTime": "2026-01-01T00:00:00.000Z", "endTime": "2026-01-01T00:00:00.001Z",
                "completionStartTime": null},
            {"id": "b", "startTime": "2026-01-01T00:00:00.002Z", "endTime": null}]});
        let start = 1_767_225_600_000_000_u64;
        let ours = json!({"trace": {"start_us": start + 7}, "spans": [
            {"span_id": "a", "start_us": start + 7, "end_us": start + 1000, "phases": {"first_chunk_us": 5}}]});
        of_trace(&mut trace, &ours, &[]);
        assert_eq!(trace["timestamp"], "2026-01-01T00:00:00.000007Z");
        assert_eq!(
            trace["observations"],
            json!([
                {"id": "a", "startTime": "2026-01-01T00:00:00.000007Z", "endTime": "2026-01-01T00:00:00.001Z",
                    "completionStartTime": null},
                {"id": "b", "startTime": "2026-01-01T00:00:00.002Z", "endTime": null}
            ])
        );
    }
}

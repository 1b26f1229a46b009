//! What Langfuse's API answers, written as the events that it takes: traces with their observations and scores, and
//! observations and scores alone.

use serde_json::{Map, Value, json};

/// The fields of a trace that events have too.
const OF_TRACE: [&str; 11] = [
    "id",
    "timestamp",
    "name",
    "input",
    "output",
    "sessionId",
    "userId",
    "release",
    "version",
    "tags",
    "metadata",
];

/// The fields of an observation.
const OF_OBSERVATION: [&str; 24] = [
    "id",
    "traceId",
    "type",
    "name",
    "startTime",
    "endTime",
    "completionStartTime",
    "parentObservationId",
    "input",
    "output",
    "metadata",
    "level",
    "statusMessage",
    "version",
    "model",
    "modelParameters",
    "usageDetails",
    "costDetails",
    "promptName",
    "promptVersion",
    // Of its trace, as each observation says it too.
    "userId",
    "sessionId",
    "release",
    "tags",
];

/// The fields of a score.
const OF_SCORE: [&str; 7] =
    ["id", "traceId", "observationId", "name", "value", "dataType", "comment"];

/// Returns the events that make what was answered; `None` if it is no answer of Langfuse's.
pub(super) fn events(said: &Value) -> Option<Vec<Value>> {
    let is_text = |key: &str| said[key].is_string();
    if is_text("id") && is_text("timestamp") && said["observations"].is_array() {
        let mut events = vec![trace(said)];
        let list = |key: &str| said[key].as_array().into_iter().flatten();
        // In lists there are only ids of them.
        events.extend(list("observations").filter(|one| one.is_object()).map(observation));
        events.extend(list("scores").filter(|one| one.is_object()).map(score));
        return Some(events);
    }
    if is_text("id") && is_text("traceId") && is_text("startTime") && is_text("type") {
        return Some(vec![observation(said)]);
    }
    if is_text("id") && is_text("traceId") && is_text("name") && is_text("dataType") {
        return Some(vec![score(said)]);
    }
    None
}

fn trace(said: &Value) -> Value {
    let mut body = fields(said, &OF_TRACE);
    environment(said, &mut body);
    event("trace-create", &said["timestamp"], said, &body)
}

fn observation(said: &Value) -> Value {
    let mut body = fields(said, &OF_OBSERVATION);
    environment(said, &mut body);
    // Nothing known is nothing said: an empty cost would be none at all.
    for key in ["usageDetails", "costDetails", "modelParameters", "metadata"] {
        if body.get(key).and_then(Value::as_object).is_some_and(Map::is_empty) {
            body.remove(key);
        }
    }
    event("observation-create", &said["startTime"], said, &body)
}

fn score(said: &Value) -> Value {
    let mut body = fields(said, &OF_SCORE);
    // The value of a category is its number in older answers, and its word stands beside it.
    if said["dataType"] == "CATEGORICAL" && said["stringValue"].is_string() {
        body.insert("value".to_owned(), said["stringValue"].clone());
    }
    event("score-create", &said["timestamp"], said, &body)
}

/// What names no environment is of the default one.
fn environment(said: &Value, body: &mut Map<String, Value>) {
    let named = said["environment"].as_str().filter(|name| *name != "default");
    if let Some(name) = named {
        body.insert("environment".to_owned(), name.into());
    }
}

fn fields(said: &Value, names: &[&str]) -> Map<String, Value> {
    let known = names.iter().filter(|name| !said[**name].is_null());
    known.map(|name| ((*name).to_owned(), said[*name].clone())).collect()
}

fn event(kind: &str, timestamp: &Value, said: &Value, body: &Map<String, Value>) -> Value {
    json!({ "id": said["id"], "type": kind, "timestamp": timestamp, "body": body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_langfuse_become_events() {
        let observation = json!({"id": "o", "traceId": "t", "type": "GENERATION", "startTime": "2026-01-01T00:00:00.000Z",
            "environment": "default", "costDetails": {}, "model": "m", "latency": 1});
        let score = json!({"id": "s", "traceId": "t", "name": "taste", "value": 0, "stringValue": "bitter",
            "dataType": "CATEGORICAL", "timestamp": "2026-01-01T00:00:01.000Z"});
        let trace = json!({"id": "t", "timestamp": "2026-01-01T00:00:00.000Z", "name": "order", "environment": "test",
            "observations": [observation, "o2"], "scores": [score]});
        let events = events(&trace).unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["trace-create", "observation-create", "score-create"]);
        assert_eq!(events[0]["body"]["environment"], "test");
        let observation = &events[1]["body"];
        assert!(
            ["environment", "costDetails", "latency"].iter().all(|key| observation[*key].is_null())
        );
        assert_eq!(events[2]["body"]["value"], "bitter");
        assert_eq!(super::events(&json!({"id": "x", "name": "y"})), None);
    }
}

//! Spans as the API answers them, written as OTLP again: from their raw attributes, so that nothing is read twice.

use super::{BYTES_AT_ONCE, spans_of, together};
use serde_json::{Map, Value, json};

/// Writes a request with spans.
pub(super) fn request(spans: &[Value]) -> Value {
    let groups = spans.iter().map(|span| {
        json!({
            "resource": { "attributes": attributes(&span["resource"]) },
            "scopeSpans": [{
                "scope": { "name": span["scope"]["name"], "version": span["scope"]["version"] },
                "spans": [wire(span)],
            }],
        })
    });
    json!({ "resourceSpans": groups.collect::<Vec<_>>() })
}

/// The most spans of a request: a fifth of what a server takes.
const MOST_SPANS: usize = 10_000;

/// Takes a request apart that is more than a server takes at once. `bytes` is about how long it is.
pub(super) fn parts(mut request: Value, bytes: usize) -> Vec<Value> {
    if bytes <= BYTES_AT_ONCE && spans_of(&request) <= MOST_SPANS {
        return vec![request];
    }
    let mut parts = Vec::new();
    for group in request["resourceSpans"].as_array_mut().into_iter().flatten() {
        let scopes = group["scopeSpans"].take();
        for mut scope in scopes.as_array().into_iter().flatten().cloned() {
            let Value::Array(spans) = scope["spans"].take() else { continue };
            for spans in together(spans, MOST_SPANS) {
                let (mut group, mut scope) = (group.clone(), scope.clone());
                scope["spans"] = spans.into();
                group["scopeSpans"] = json!([scope]);
                parts.push(json!({ "resourceSpans": [group] }));
            }
        }
    }
    parts
}

fn wire(span: &Value) -> Value {
    let mut wire = Map::new();
    let mut put = |key: &str, value: Value| drop(wire.insert(key.to_owned(), value));
    put("traceId", span["trace_id"].clone());
    put("spanId", span["span_id"].clone());
    if span["parent_id"].is_string() {
        put("parentSpanId", span["parent_id"].clone());
    }
    put("name", span["name"].clone());
    put("startTimeUnixNano", nanos(&span["start_us"]));
    put("endTimeUnixNano", nanos(&span["end_us"]));
    put("attributes", attributes(&span["attributes"]));
    let list = |key: &str| span[key].as_array().cloned().unwrap_or_default();
    let events = list("events").into_iter().map(|event| {
        json!({
            "timeUnixNano": nanos(&event["at_us"]),
            "name": event["name"],
            "attributes": attributes(&event["attributes"]),
        })
    });
    put("events", events.collect());
    let links = list("links")
        .into_iter()
        .map(|link| json!({ "traceId": link["trace_id"], "spanId": link["span_id"] }));
    put("links", links.collect());
    if span["state"] == "error" {
        let message = span["error"]["message"].as_str().unwrap_or_default();
        put("status", json!({ "code": 2, "message": message }));
    }
    Value::Object(wire)
}

/// OTLP writes 64-bit numbers as texts.
fn nanos(us: &Value) -> Value {
    us.as_u64().unwrap_or_default().saturating_mul(1000).to_string().into()
}

fn attributes(object: &Value) -> Value {
    let entries = object.as_object().into_iter().flatten();
    entries.map(|(key, value)| json!({ "key": key, "value": any(value) })).collect()
}

fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::String(text) => json!({ "stringValue": text }),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!({ "intValue": whole.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Value::Array(items) => {
            json!({ "arrayValue": { "values": items.iter().map(any).collect::<Vec<_>>() } })
        }
        Value::Object(_) => json!({ "kvlistValue": { "values": attributes(value) } }),
    }
}

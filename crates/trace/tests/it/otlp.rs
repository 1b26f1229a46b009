//! Spans to OTLP and back.

use glassbox_trace::otlp::{self, Encoding, Profile, Resource};
use glassbox_trace::span::Span;
use serde_json::{Map, Value};

mod fixture;
mod arbitrary;
mod round_trip;
mod golden;
mod langfuse;
mod open_telemetry;
mod content;
mod remote;
mod untrusted;

const PROFILES: [Profile; 2] = [Profile::Langfuse, Profile::OpenTelemetry];

/// The attributes of one span on the wire, with plain values.
fn attributes(span: &Span, encoding: &Encoding) -> Map<String, Value> {
    wire_attributes(&wire_span(span, &Resource::default(), encoding))
}

/// One span on the wire, in OTLP's JSON.
fn wire_span(span: &Span, resource: &Resource, encoding: &Encoding) -> Value {
    let json = otlp::encode(std::slice::from_ref(span), resource, encoding).to_json();
    let mut request: Value = serde_json::from_slice(&json).unwrap();
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0].take()
}

fn wire_attributes(span: &Value) -> Map<String, Value> {
    let attributes = span["attributes"].as_array().unwrap();
    let plain =
        attributes.iter().map(|attribute| (text(&attribute["key"]), plain(&attribute["value"])));
    let all: Map<String, Value> = plain.collect();
    assert_eq!(all.len(), attributes.len(), "a key is there twice: {attributes:#?}");
    all
}

fn plain(value: &Value) -> Value {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "intValue" => text(value).parse::<i64>().unwrap().into(),
        "arrayValue" => value["values"].as_array().unwrap().iter().map(plain).collect(),
        _ => value.clone(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The JSON that an attribute holds as text.
fn json(attributes: &Map<String, Value>, key: &str) -> Value {
    let text = attributes
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text {key} in {attributes:#?}"));
    serde_json::from_str(text).unwrap()
}

//! Spans of other shapes, written as OTLP's.

use crate::wire::{FRAGMENT_FIELD, TRACE_RECORD_FIELD};
use glassbox_trace::id::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use prost::encoding::encode_key;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Adds an attribute: texts, numbers, yes and no and lists of texts as they are, anything else as JSON.
pub(super) fn add(attributes: &mut Vec<KeyValue>, key: impl Into<String>, value: &Value) {
    let text = |text: &str| Any::StringValue(text.to_owned());
    let value = match value {
        Value::Null => return,
        Value::String(said) => text(said),
        Value::Bool(flag) => Any::BoolValue(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Any::IntValue(whole),
            None => Any::DoubleValue(number.as_f64().unwrap_or_default()),
        },
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            let item = |item: &Value| AnyValue { value: item.as_str().map(text) };
            Any::ArrayValue(ArrayValue { values: items.iter().map(item).collect() })
        }
        other => Any::StringValue(other.to_string()),
    };
    let value = Some(AnyValue { value: Some(value) });
    attributes.push(KeyValue { key: key.into(), value, ..KeyValue::default() });
}

/// Writes a part of a span, which was made at this time.
pub(super) fn fragment(span: &Span, made_at_ns: u64, is_trace_record: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut number = |field: u32, value: u64| {
        encode_key(field, prost::encoding::WireType::Varint, &mut bytes);
        prost::encoding::encode_varint(value, &mut bytes);
    };
    number(FRAGMENT_FIELD, made_at_ns);
    if is_trace_record {
        number(TRACE_RECORD_FIELD, 1);
    }
    bytes.extend(span.encode_to_vec());
    bytes
}

/// Writes a resource.
pub(super) fn resource(attributes: Vec<KeyValue>) -> Vec<u8> {
    Resource { attributes, ..Resource::default() }.encode_to_vec()
}

/// Reads a trace's id: 32 hex digits, with dashes or not; anything else is hashed to as many bytes.
#[must_use]
pub fn trace_id(text: &str) -> TraceId {
    let digits: String =
        text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    digits.parse().unwrap_or_else(|_| TraceId::from_bytes(hashed(text)))
}

/// Reads a span's id: 16 hex digits; anything else is hashed to as many bytes.
#[must_use]
pub fn span_id(text: &str) -> SpanId {
    text.to_ascii_lowercase().parse().unwrap_or_else(|_| SpanId::from_bytes(hashed(text)))
}

fn hashed<const N: usize>(text: &str) -> [u8; N] {
    let mut id = [0; N];
    id.copy_from_slice(&Sha256::digest(text.as_bytes())[..N]);
    id
}

/// Reads an instant such as `2026-11-22T13:05:38.412Z` as nanoseconds since the epoch.
pub(super) fn nanos(text: &str) -> Option<u64> {
    let micros = crate::received::instant_us(text)?;
    u64::try_from(micros).ok()?.checked_mul(1000)
}

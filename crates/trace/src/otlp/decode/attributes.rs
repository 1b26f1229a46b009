//! The attributes of a received span: known ones are taken out by field, the rest is kept.

use crate::otlp::field::{ENVIRONMENT, Field, RELEASE};
use crate::otlp::{DecodeLimits, Resource, cap};
use crate::vocabulary::{general, langfuse};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The attributes that nobody has taken yet, with their places.
pub(super) struct Attributes {
    left: HashMap<String, (usize, Any)>,
    /// What is left of attributes that were taken in part.
    remains: Vec<(Arc<str>, Value)>,
}

impl Attributes {
    /// Takes attributes in: the first of a key counts, long texts are cut.
    pub(super) fn new(attributes: Vec<KeyValue>, limits: &DecodeLimits) -> Self {
        let mut left = HashMap::with_capacity(attributes.len());
        for (place, attribute) in attributes.into_iter().enumerate() {
            let Some(value) = attribute.value.and_then(|value| value.value) else { continue };
            left.entry(attribute.key).or_insert_with(|| (place, capped(value, limits.value_bytes)));
        }
        Self { left, remains: Vec::new() }
    }

    /// Takes a field by the best of its keys whose value `read` can read; others stay where they are.
    pub(super) fn take<T>(&mut self, field: &Field, read: impl Fn(&Any) -> Option<T>) -> Option<T> {
        for key in field.keys() {
            if let Some(taken) = self.left.get(key).and_then(|(_, value)| read(value)) {
                self.left.remove(key);
                return Some(taken);
            }
        }
        None
    }

    /// Looks at a text without taking it.
    pub(super) fn peek(&self, key: &str) -> Option<&str> {
        match self.left.get(key) {
            Some((_, Any::StringValue(text))) => Some(text),
            _ => None,
        }
    }

    /// Takes a text away that says what is known otherwise.
    pub(super) fn drop_equal(&mut self, key: &str, text: Option<&str>) {
        if text.is_some() && self.peek(key) == text {
            self.left.remove(key);
        }
    }

    /// Puts back what is left of a JSON object that was taken in part.
    pub(super) fn put_back(&mut self, key: &'static str, object: Map<String, Value>) {
        if !object.is_empty() {
            self.remains.push((key.into(), Value::Object(object)));
        }
    }

    pub(super) fn text(&mut self, field: &Field) -> Option<Arc<str>> {
        self.take(field, |value| match value {
            Any::StringValue(text) => Some(text.as_str().into()),
            Any::IntValue(number) => Some(number.to_string().into()),
            _ => None,
        })
    }

    pub(super) fn texts(&mut self, field: &Field) -> Option<Vec<Arc<str>>> {
        self.take(field, |value| {
            let Any::ArrayValue(array) = value else { return None };
            let text = |item: &AnyValue| match &item.value {
                Some(Any::StringValue(text)) => Some(text.as_str().into()),
                _ => None,
            };
            array.values.iter().map(text).collect()
        })
    }

    pub(super) fn count<T: TryFrom<u64>>(&mut self, field: &Field) -> Option<T> {
        let count = |value: &Any| match value {
            Any::IntValue(count) => u64::try_from(*count).ok(),
            // The cast saturates, and drops no fraction since there is none.
            Any::DoubleValue(count) if *count >= 0.0 && count.fract() == 0.0 => Some(*count as u64),
            Any::StringValue(digits) => digits.parse().ok(),
            _ => None,
        };
        self.take(field, |value| count(value)?.try_into().ok())
    }

    pub(super) fn number(&mut self, field: &Field) -> Option<f64> {
        let number = self.take(field, |value| match value {
            Any::DoubleValue(number) => Some(*number),
            // Counts above 2^53 lose digits, which no number of ours reaches.
            Any::IntValue(number) => Some(*number as f64),
            _ => None,
        });
        number.filter(|number| number.is_finite())
    }

    pub(super) fn seconds(&mut self, field: &Field) -> Option<Duration> {
        self.take(field, |value| match value {
            Any::DoubleValue(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
            Any::IntValue(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            _ => None,
        })
    }

    pub(super) fn flag(&mut self, field: &Field) -> Option<bool> {
        self.take(field, |value| match value {
            Any::BoolValue(flag) => Some(*flag),
            _ => None,
        })
    }

    /// Takes a text that is JSON of an object.
    pub(super) fn object(&mut self, field: &Field) -> Option<Map<String, Value>> {
        self.take(field, |value| match value {
            Any::StringValue(text) => serde_json::from_str(text).ok(),
            _ => None,
        })
    }

    /// Takes a value of any type.
    pub(super) fn any(&mut self, field: &Field) -> Option<Value> {
        self.take(field, |value| Some(json(value.clone())))
    }

    /// Takes all that has a key with this prefix, in order, without the prefix.
    pub(super) fn prefixed(&mut self, prefix: &str) -> Vec<(Arc<str>, Value)> {
        let has_prefix = |key: &String, _: &mut (usize, Any)| {
            key.len() > prefix.len() && key.starts_with(prefix)
        };
        let taken = self.left.extract_if(has_prefix).collect();
        let taken = in_order(taken);
        taken.map(|(key, value)| (Arc::from(&key[prefix.len()..]), json(value))).collect()
    }

    /// Returns what nobody took, in order; what stood in Langfuse's metadata without that.
    pub(super) fn rest(self) -> Vec<(Arc<str>, Value)> {
        let key =
            |key: String| key.strip_prefix(langfuse::OBSERVATION_METADATA).unwrap_or(&key).into();
        let rest = in_order(self.left.into_iter().collect());
        rest.map(|(name, value)| (key(name), json(value))).chain(self.remains).collect()
    }
}

/// Reads who made the spans.
pub(super) fn resource(attributes: Vec<KeyValue>, limits: &DecodeLimits) -> Resource {
    let mut attributes = attributes;
    attributes.truncate(limits.attributes);
    let mut attributes = Attributes::new(attributes, limits);
    let plain = |(key, value): (Arc<str>, Value)| match value {
        Value::String(text) => (key, text.into()),
        value => (key, value.to_string().into()),
    };
    Resource {
        service_name: attributes.text(&Field::only(general::SERVICE_NAME)).unwrap_or_default(),
        service_version: attributes.text(&Field::only(general::SERVICE_VERSION)),
        environment: attributes.text(&ENVIRONMENT),
        release: attributes.text(&RELEASE),
        attributes: attributes.rest().into_iter().map(plain).collect(),
    }
}

fn in_order(mut attributes: Vec<(String, (usize, Any))>) -> impl Iterator<Item = (String, Any)> {
    attributes.sort_unstable_by_key(|(_, (place, _))| *place);
    attributes.into_iter().map(|(key, (_, value))| (key, value))
}

/// Cuts the texts in a value.
fn capped(value: Any, limit: usize) -> Any {
    let inner = |value: AnyValue| AnyValue { value: value.value.map(|value| capped(value, limit)) };
    match value {
        Any::StringValue(text) => Any::StringValue(cap::text(text, limit).into_owned()),
        Any::BytesValue(bytes) if bytes.len() > limit => {
            Any::StringValue(format!("[{} bytes]", bytes.len()))
        }
        Any::ArrayValue(array) => {
            Any::ArrayValue(ArrayValue { values: array.values.into_iter().map(inner).collect() })
        }
        Any::KvlistValue(list) => {
            let field = |field: KeyValue| KeyValue { value: field.value.map(inner), ..field };
            Any::KvlistValue(KeyValueList { values: list.values.into_iter().map(field).collect() })
        }
        other => other,
    }
}

/// A JSON value of OTLP's. The depth of what is received is limited by who parsed it.
fn json(value: Any) -> Value {
    let inner =
        |value: Option<AnyValue>| value.and_then(|value| value.value).map_or(Value::Null, json);
    match value {
        Any::StringValue(text) => Value::String(text),
        Any::BoolValue(flag) => Value::Bool(flag),
        Any::IntValue(number) => number.into(),
        // JSON has no word for what is not finite; Rust's is as good as any.
        Any::DoubleValue(number) if !number.is_finite() => Value::String(number.to_string()),
        Any::DoubleValue(number) => number.into(),
        Any::ArrayValue(array) => array.values.into_iter().map(|item| inner(Some(item))).collect(),
        Any::KvlistValue(list) => {
            let fields = list.values.into_iter().map(|field| (field.key, inner(field.value)));
            Value::Object(fields.collect())
        }
        Any::BytesValue(bytes) => Value::String(BASE64_STANDARD.encode(bytes)),
        // An index into a table that only profiles have.
        Any::StringValueStrindex(_) => Value::Null,
    }
}

//! What is told of a span that begins: what is known of it then, as it will be exported when it ends, but smaller.

use crate::body::{self, BodyStyle};
use glassbox_trace::otlp::cut_text;
use glassbox_trace::span::Span;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The most bytes of the attributes of one span. What is longer is cut and marked: the whole comes with the end.
pub(crate) const MOST_BYTES: usize = 16 << 10;

/// Texts are not cut to less than this; what is too much then are attributes.
const SHORTEST_TEXT: usize = 512;

/// Returns the line that announces a span, as the server reads it; `None` if a value in it panics when it is rendered.
pub(crate) fn start(span: &Arc<Span>, style: &BodyStyle) -> Option<String> {
    let mut wire = body::begun(span, style, MOST_BYTES)?;
    fit(&mut wire.attributes, MOST_BYTES);
    let attributes: Map<String, Value> =
        wire.attributes.into_iter().map(|KeyValue { key, value, .. }| (key, json(value))).collect();
    let mut start = json!({
        "trace_id": span.trace_id.to_string(),
        "span_id": span.span_id.to_string(),
        "name": wire.name,
        "start_us": span.start.unix_nanos() / 1000,
        "attributes": attributes,
    });
    if let Some(parent) = span.parent_id {
        start["parent_id"] = parent.to_string().into();
    }
    if wire.flags != 0 {
        start["flags"] = wire.flags.into();
    }
    Some(json!({ "start": start }).to_string())
}

/// Cuts the longest texts until all attributes together have so many bytes, and leaves the last ones out if that is not
/// enough.
fn fit(attributes: &mut Vec<KeyValue>, most: usize) {
    let mut limit = most;
    loop {
        let sizes = attributes.iter().map(size);
        let (total, longest) = sizes.fold((0, 0), |(all, top), size| (all + size, top.max(size)));
        if total <= most {
            return;
        }
        if limit <= SHORTEST_TEXT {
            break;
        }
        limit = (limit.min(longest) / 2).max(SHORTEST_TEXT);
        for attribute in attributes.iter_mut() {
            let value = attribute.value.as_mut().and_then(|value| value.value.as_mut());
            if let Some(Any::StringValue(text)) = value {
                *text = cut_text(std::mem::take(text), limit);
            }
        }
    }
    let mut total = 0;
    attributes.retain(|attribute| {
        total += size(attribute);
        total <= most
    });
}

/// About how many bytes an attribute has.
fn size(attribute: &KeyValue) -> usize {
    fn of(value: Option<&AnyValue>) -> usize {
        match value.and_then(|value| value.value.as_ref()) {
            Some(Any::StringValue(text)) => text.len(),
            Some(Any::BytesValue(bytes)) => bytes.len(),
            Some(Any::ArrayValue(list)) => list.values.iter().map(|item| of(Some(item))).sum(),
            Some(Any::KvlistValue(list)) => list.values.iter().map(size).sum(),
            _ => 8,
        }
    }
    attribute.key.len() + of(attribute.value.as_ref())
}

/// What the encoding writes: texts, numbers, yes and no, and lists of them.
fn json(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        Some(Any::StringValue(text)) => text.into(),
        Some(Any::BoolValue(flag)) => flag.into(),
        Some(Any::IntValue(number)) => number.into(),
        Some(Any::DoubleValue(number)) => number.into(),
        Some(Any::ArrayValue(list)) => {
            list.values.into_iter().map(|item| json(Some(item))).collect()
        }
        Some(_) | None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Masking;
    use glassbox_trace::id::{SpanId, TraceId};
    use glassbox_trace::otlp::Content;
    use glassbox_trace::payload::{Payload, Render};
    use glassbox_trace::span::{Detail, Status};
    use glassbox_trace::time::Timestamp;

    fn span(input: Payload) -> Span {
        Span {
            trace_id: TraceId::from_bytes([1; 16]),
            span_id: SpanId::from_bytes([2; 8]),
            parent_id: None,
            name: "Shop.forward".into(),
            start: Timestamp::from_unix_nanos(5000),
            end: None,
            status: Status::Ok,
            trace: Arc::default(),
            input: Some(input),
            output: None,
            notes: Vec::new(),
            detail: Detail::Span,
            attributes: Vec::new(),
        }
    }

    fn attributes(span: Span, content: Content, masking: Masking) -> Value {
        let style = BodyStyle { resource: Arc::default(), content, masking };
        let line = start(&Arc::new(span), &style).unwrap();
        let mut line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["start"]["start_us"], 5);
        line["start"]["attributes"].take()
    }

    #[test]
    fn what_may_not_leave_the_process_is_not_announced() {
        let check = |content, masking: Masking, expected: Value| {
            let asked = span("mail me at a@b.example, sk-proj-0123456789abcdefghij".into());
            assert_eq!(attributes(asked, content, masking)["input.value"], expected);
        };
        check(
            Content::Full,
            Masking::secrets().emails(),
            json!("mail me at [redacted:email], [redacted:key]"),
        );
        check(Content::Lengths, Masking::none(), json!("[52 bytes]"));
        check(Content::None, Masking::none(), Value::Null);
    }

    #[test]
    fn a_start_is_small_whatever_it_holds() {
        let mut huge = span("x".repeat(5_000_000).as_str().into());
        let check = |span: &Span| {
            let told = attributes(span.clone(), Content::Full, Masking::default());
            assert!(told.to_string().len() < MOST_BYTES + 1024);
            told
        };
        let told = check(&huge);
        assert!(told["input.value"].as_str().unwrap().ends_with(" bytes]"));
        let long = |at: usize| (format!("long {at}").into(), json!("y".repeat(10_000)));
        huge.attributes = (0..20).map(long).collect();
        let told = check(&huge);
        assert!(told["input.value"].as_str().unwrap().starts_with("xxx"));
        assert!(told["long 19"].as_str().unwrap().ends_with(" bytes]"));
        huge.attributes = (0..2000).map(|at| (format!("many {at}").into(), json!(at))).collect();
        let told = check(&huge);
        assert!(told["input.value"].is_string() && told["many 1999"].is_null());
    }

    #[test]
    fn a_value_that_panics_is_left_out() {
        struct Panics;
        impl Render for Panics {
            fn render(&self) -> Value {
                panic!("not today")
            }
        }
        let span = span(Payload::shared(Arc::new(Panics)));
        let told = attributes(span, Content::Full, Masking::default());
        assert_eq!(told["input.value"], Value::Null);
    }
}

//! Spans are read as prost reads them, and damaged ones do no harm.

use super::*;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span::Event, span::Link};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::json;

fn any(value: Wire) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn field(key: &str, value: Wire) -> KeyValue {
    KeyValue { key: key.to_owned(), value: any(value), ..KeyValue::default() }
}

fn span() -> Span {
    let list = ArrayValue {
        values: vec![any(Wire::IntValue(-1)).unwrap(), any(Wire::BoolValue(true)).unwrap()],
    };
    let map = KeyValueList { values: vec![field("k", Wire::BytesValue(vec![1, 2]))] };
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        parent_span_id: vec![3; 8],
        name: "chat".to_owned(),
        start_time_unix_nano: 10,
        end_time_unix_nano: 20,
        attributes: vec![
            field("text", Wire::StringValue("é".to_owned())),
            field("double", Wire::DoubleValue(0.5)),
            field("list", Wire::ArrayValue(list)),
            field("map", Wire::KvlistValue(map)),
        ],
        events: vec![Event {
            time_unix_nano: 15,
            name: "exception".to_owned(),
            attributes: vec![field("n", Wire::IntValue(7))],
            ..Event::default()
        }],
        links: vec![Link { trace_id: vec![4; 16], span_id: vec![5; 8], ..Link::default() }],
        status: Some(Status { message: "broke".to_owned(), code: 2 }),
        flags: 0x301,
        ..Span::default()
    }
}

#[test]
fn a_span_is_read_in_place() {
    let bytes = span().encode_to_vec();
    let read = WireSpan::read(&bytes).unwrap();
    assert_eq!((read.trace_id, read.span_id, read.parent_id), ([1; 16], [2; 8], Some([3; 8])));
    assert_eq!((&*read.name, read.start_ns, read.end_ns), ("chat", 10, 20));
    assert!(read.is_error && read.parent_is_remote && read.status_message == "broke");
    assert_eq!(
        json!(read.attributes.to_json()),
        json!({"text": "é", "double": 0.5, "list": [-1, true], "map": {"k": "AQI="}})
    );
    assert_eq!(read.events[0].at_ns, 15);
    assert_eq!(read.events[0].attributes.get("n"), Some(&Any::Int(7)));
    assert_eq!(read.links, [([4; 16], [5; 8])]);
}

#[test]
fn spans_that_cannot_be_kept_are_named() {
    let check = |change: &dyn Fn(&mut Span), expected: &Unusable| {
        let mut span = span();
        change(&mut span);
        assert_eq!(WireSpan::read(&span.encode_to_vec()).unwrap_err(), *expected);
    };
    check(&|span| span.trace_id = vec![0; 16], &Unusable::TraceId);
    check(&|span| span.trace_id.clear(), &Unusable::TraceId);
    check(&|span| span.span_id = vec![1; 7], &Unusable::SpanId);
    check(&|span| span.parent_span_id = vec![1; 7], &Unusable::ParentId);
    let attributes = Unusable::TooMany { what: "attributes", limit: MOST_ATTRIBUTES };
    let many = vec![field("k", Wire::IntValue(1)); MOST_ATTRIBUTES + 1];
    check(&|span| span.attributes.clone_from(&many), &attributes);
}

#[test]
fn nesting_is_cut_and_bytes_that_are_no_text_are_shown() {
    let mut value = Wire::IntValue(1);
    for _ in 0..90 {
        value = Wire::ArrayValue(ArrayValue { values: any(value).into_iter().collect() });
    }
    let deep = Span { attributes: vec![field("deep", value)], ..span() };
    let bytes = deep.encode_to_vec();
    let json = json!(WireSpan::read(&bytes).unwrap().attributes.to_json()).to_string();
    assert!(json.contains("nested too deep"), "{json}");

    let mut bytes = span().encode_to_vec();
    let at = bytes.windows(4).position(|window| window == b"chat").unwrap();
    bytes[at] = 0xff;
    assert_eq!(WireSpan::read(&bytes).unwrap().name, "\u{fffd}hat");
}

proptest! {
    #[test]
    fn damage_does_no_harm(at in proptest::arbitrary::any::<prop::sample::Index>(), byte: u8, cut in proptest::arbitrary::any::<prop::sample::Index>()) {
        let mut bytes = span().encode_to_vec();
        let length = bytes.len();
        bytes[at.index(length)] = byte;
        bytes.truncate(cut.index(length) + 1);
        if let Ok(span) = WireSpan::read(&bytes) {
            let _ = span.attributes.to_json();
        }
        let _ = groups(&bytes);
    }
}

//! JSON in which a quick look finds nothing to hide is not taken apart. That must hide exactly the same.

use super::{all, corpus};
use glassbox_telemetry::mask::Masking;
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::otlp::{self, Encoding, Filter, Profile, Resource};
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Detail, Span, Status};
use glassbox_trace::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Masks the same, and wants to see each string.
struct Thorough<'m>(&'m Masking);

impl Filter for Thorough<'_> {
    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.redact(text)
    }

    fn entry<'t>(&self, key: &str, text: &'t str) -> Cow<'t, str> {
        self.0.redact_value(key, text)
    }
}

fn span(payloads: [Payload; 2], key: &str, value: Value) -> Span {
    let [input, output] = payloads;
    Span {
        trace_id: TraceId::from_bytes([1; 16]),
        span_id: SpanId::from_bytes([2; 8]),
        parent_id: None,
        name: "tested".into(),
        start: Timestamp::from_unix_nanos(1),
        end: Some(Timestamp::from_unix_nanos(2)),
        status: Status::Ok,
        trace: Default::default(),
        input: Some(input),
        output: Some(output),
        notes: Vec::new(),
        detail: Detail::Span,
        attributes: vec![(key.into(), value)],
    }
}

/// Texts of the corpus, near misses, and what has to be escaped.
fn text() -> impl Strategy<Value = String> {
    let corpus: Vec<_> = corpus().into_iter().map(|secret| secret.text.to_owned()).collect();
    let calm = [
        "hello",
        "4096",
        "10:30",
        "a@b.cd",
        "4111 1111 1111 1111",
        "ORD-17",
        "see https://x.y/z",
        "total_tokens: 12",
        "0123456789abcdef",
        "C:\\users\\ada",
        "a/b",
        "\"",
        "\n",
        "Basic understanding",
    ];
    let parts = prop_oneof![
        1 => prop::sample::select(corpus),
        6 => prop::sample::select(calm.to_vec()).prop_map(str::to_owned),
    ];
    prop::collection::vec(parts, 0..4).prop_map(|parts| parts.concat())
}

fn json() -> impl Strategy<Value = Value> {
    let keys = ["a", "password", "api_key", "tokens", "session token", "note", "cookie"];
    let leaf = prop_oneof![
        4 => text().prop_map(Value::from),
        1 => any::<u32>().prop_map(Value::from),
        1 => Just(Value::from(4_111_111_111_111_111_u64)),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let key = prop_oneof![4 => prop::sample::select(keys.to_vec()).prop_map(str::to_owned), 1 => text()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner.clone()), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
            // JSON within JSON.
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

/// Writes JSON as others do.
fn written(json: &Value, style: u8) -> String {
    let text = if style & 1 == 0 { json.to_string() } else { format!("{json:#}") };
    match style >> 1 {
        0 => text,
        1 => text.replace('/', "\\/"),
        2 => text.replace('k', "\\u006b"),
        _ => text.replace("\":", "\"\n:"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_quick_look_at_json_overlooks_nothing(json in json(), style in 0..8_u8, key in "note|password|session_token") {
        for masking in [Masking::secrets(), Masking::none().emails(), Masking::none().card_numbers(), all()] {
            let text: Payload = written(&json, style).into();
            let span = span([text, json.clone().into()], &key, json.clone());
            for profile in [Profile::Langfuse, Profile::OpenTelemetry] {
                let (resource, encoding) = (Resource::new("shop"), Encoding::new(profile));
                let encode = |filter: &dyn Filter| {
                    otlp::encode_filtered(std::slice::from_ref(&span), &resource, &encoding, filter)
                };
                prop_assert_eq!(encode(&masking), encode(&Thorough(&masking)));
            }
        }
    }
}

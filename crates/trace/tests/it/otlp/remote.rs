//! Traces that go on from another process.

use super::fixture::span;
use super::{PROFILES, attributes, wire_span};
use glassbox_trace::id::SpanId;
use glassbox_trace::otlp::{self, DecodeLimits, Encoding, Profile, Resource};
use glassbox_trace::span::{Detail, RemoteParent, Span, TraceAttributes};
use serde_json::Value;
use std::sync::Arc;

const CALLER: SpanId = SpanId::from_bytes([9; 8]);
const INTERNAL: [&str; 2] = ["langfuse.internal.is_app_root", "langfuse.internal.as_root"];

/// A root below a span of another process, and its child.
fn spans(sampled: bool) -> [Span; 2] {
    let root = span(Detail::Span);
    let remote = RemoteParent {
        trace_id: root.trace_id,
        span_id: CALLER,
        sampled,
        trace_state: Some("a=1,b=2".into()),
    };
    let trace = Arc::new(TraceAttributes {
        remote_parent: Some(Arc::new(remote)),
        ..TraceAttributes::default()
    });
    let child = Span {
        span_id: SpanId::from_bytes([3; 8]),
        parent_id: Some(root.span_id),
        trace: Arc::clone(&trace),
        ..root.clone()
    };
    [Span { parent_id: Some(CALLER), trace, ..root }, child]
}

#[test]
fn langfuse_takes_the_topmost_span_for_a_root() {
    let [root, child] = spans(true);
    let encoding = Encoding::new(Profile::Langfuse);
    let written = attributes(&root, &encoding);
    assert_eq!(INTERNAL.map(|key| &written[key]), [&Value::from(true), &Value::from("true")]);
    let other = attributes(&root, &Encoding::new(Profile::OpenTelemetry));
    for written in
        [attributes(&child, &encoding), attributes(&span(Detail::Span), &encoding), other]
    {
        assert!(INTERNAL.iter().all(|key| !written.contains_key(*key)), "{written:?}");
    }
}

#[test]
fn the_wire_has_state_and_flags() {
    for profile in PROFILES {
        let wire = |span: &Span| {
            let wire = wire_span(span, &Resource::default(), &Encoding::new(profile));
            (wire["flags"].as_u64().unwrap(), wire["traceState"].as_str().unwrap().to_owned())
        };
        let [root, child] = spans(true);
        assert_eq!(wire(&root), (0x301, "a=1,b=2".to_owned()));
        assert_eq!(wire(&child), (0x101, "a=1,b=2".to_owned()));
        assert_eq!(wire(&spans(false)[0]).0, 0x300);
        assert_eq!(wire(&span(Detail::Span)), (0, String::new()));
    }
}

#[test]
fn the_topmost_span_comes_back_with_its_parent() {
    for (profile, sampled) in PROFILES.into_iter().zip([true, false]) {
        let sent = spans(sampled);
        let request = otlp::encode(&sent, &Resource::new("tests"), &Encoding::new(profile));
        let limits = DecodeLimits::default();
        let decoded = otlp::decode_protobuf(&request.to_protobuf(), &limits).unwrap();
        assert_eq!(decoded, otlp::decode_json(&request.to_json(), &limits).unwrap());
        assert_eq!(decoded.spans[0], sent[0]);
        assert_eq!(
            decoded.spans.iter().map(Span::is_local_root).collect::<Vec<_>>(),
            [true, false]
        );
        assert_eq!(decoded.spans[1].trace.remote_parent, None);
    }
}

#[test]
fn langfuses_own_mark_is_understood_alone() {
    let [root, _] = spans(true);
    let mut wire = wire_span(&root, &Resource::default(), &Encoding::new(Profile::Langfuse));
    wire["flags"] = 0.into();
    let request = serde_json::json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [wire] }] }] });
    let decoded =
        otlp::decode_json(request.to_string().as_bytes(), &DecodeLimits::default()).unwrap();
    assert!(decoded.spans[0].is_local_root());
    assert_eq!(decoded.spans[0].attributes, []);
}

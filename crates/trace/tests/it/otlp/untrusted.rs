//! What others send: never a panic, limits on all of it, and a bad span takes no good one with it.

use super::{PROFILES, fixture};
use glassbox_trace::otlp::{
    self, DecodeError, DecodeLimits, Decoded, Encoding, Profile, RejectedReason, Resource,
    decode_json, decode_protobuf,
};
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Detail, Kind, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";

/// A span in OTLP/JSON, with changes.
fn wire(changes: &Value) -> Value {
    let mut span = json!({"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "it", "startTimeUnixNano": "5", "endTimeUnixNano": 7});
    for (key, value) in changes.as_object().unwrap() {
        span[key] = value.clone();
    }
    span
}

fn request(spans: &[Value]) -> Vec<u8> {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string().into_bytes()
}

fn decode(spans: &[Value]) -> Decoded {
    decode_json(&request(spans), &DecodeLimits::default()).unwrap()
}

fn decode_one(changes: &Value) -> Span {
    let mut decoded = decode(&[wire(changes)]);
    assert_eq!(decoded.rejected, []);
    decoded.spans.remove(0)
}

fn string(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode_protobuf(&bytes, &DecodeLimits::default());
        let _ = decode_json(&bytes, &DecodeLimits::default());
    }

    #[test]
    fn damaged_requests_are_read_without_a_panic(flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), keep in any::<prop::sample::Index>()) {
        let spans = [fixture::coffee_shop(), fixture::trouble(), fixture::kinds()].concat();
        for profile in PROFILES {
            let request = otlp::encode(&spans, &Resource::new("tests"), &Encoding::new(profile));
            for (bytes, decode) in [
                (request.to_protobuf(), decode_protobuf as fn(&[u8], &DecodeLimits) -> Result<Decoded, DecodeError>),
                (request.to_json(), decode_json),
            ] {
                let mut damaged = bytes.clone();
                for (at, byte) in &flips {
                    damaged[at.index(bytes.len())] = *byte;
                }
                let _ = decode(&damaged, &DecodeLimits::default());
                let _ = decode(&bytes[..keep.index(bytes.len())], &DecodeLimits::default());
            }
        }
    }
}

#[test]
fn a_bad_span_is_rejected_alone() {
    let check = |changes: &Value, expected: RejectedReason| {
        let decoded = decode(&[
            wire(&json!({})),
            wire(changes),
            wire(&json!({"spanId": "00f067aa0ba902b7"})),
        ]);
        assert_eq!(decoded.spans.len(), 2);
        assert_eq!(decoded.rejected[0].index, 1);
        assert_eq!(decoded.rejected[0].name.as_ref(), "it");
        assert_eq!(decoded.rejected[0].reason, expected);
    };
    check(&json!({"traceId": "00000000000000000000000000000000"}), RejectedReason::TraceId);
    check(&json!({"traceId": "0af765"}), RejectedReason::TraceId);
    check(&json!({"traceId": null}), RejectedReason::TraceId);
    check(&json!({"traceId": "CvdlGRbNQ92ESOshHIAxnA=="}), RejectedReason::TraceId);
    check(&json!({"spanId": "0000000000000000"}), RejectedReason::SpanId);
    check(&json!({"spanId": "xyz"}), RejectedReason::SpanId);
    check(&json!({"parentSpanId": "b7ad"}), RejectedReason::ParentId);
    let attributes: Vec<_> = (0..2000).map(|at| string(&at.to_string(), "")).collect();
    check(
        &json!({"attributes": attributes}),
        RejectedReason::TooMany { what: "attributes", limit: 1024 },
    );

    let decoded =
        decode(&[wire(&json!({})), wire(&json!({"attributes": {"object": 1}})), json!(7)]);
    assert_eq!((decoded.spans.len(), decoded.rejected_spans()), (1, 2));
    assert!(matches!(decoded.rejected[0].reason, RejectedReason::Malformed(_)));
}

#[test]
fn a_bad_span_in_protobuf_is_rejected_alone() {
    let spans = fixture::coffee_shop();
    let request =
        otlp::encode(&spans, &Resource::new("tests"), &Encoding::new(Profile::OpenTelemetry));
    let mut bytes = request.to_protobuf();
    // Break the UTF-8 of the second span's name.
    let name = b"ChainOfThought(CoffeeShop)";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at] = 0xff;
    let decoded = decode_protobuf(&bytes, &DecodeLimits::default()).unwrap();
    assert_eq!(decoded.spans, [spans[0].clone(), spans[2].clone()]);
    assert!(decoded.rejected[0].name.contains("hainOfThought"));
}

#[test]
fn spans_over_the_limit_are_counted() {
    let spans = [fixture::coffee_shop(), fixture::trouble()].concat();
    let limits = DecodeLimits { spans: 2, ..DecodeLimits::default() };
    let request =
        otlp::encode(&spans, &Resource::new("tests"), &Encoding::new(Profile::OpenTelemetry));
    let decoded = decode_protobuf(&request.to_protobuf(), &limits).unwrap();
    assert_eq!(decoded, decode_json(&request.to_json(), &limits).unwrap());
    assert_eq!((decoded.spans.len(), decoded.rejected.len(), decoded.rejected_spans()), (2, 1, 4));
    assert_eq!(decoded.rejected[0].reason, RejectedReason::TooManySpans { limit: 2, surplus: 4 });
}

#[test]
fn too_many_attributes_are_seen_before_they_take_memory() {
    let limits = DecodeLimits { attributes: 3, ..DecodeLimits::default() };
    let request = otlp::encode(
        &fixture::coffee_shop(),
        &Resource::default(),
        &Encoding::new(Profile::Langfuse),
    );
    let decoded = decode_protobuf(&request.to_protobuf(), &limits).unwrap();
    assert_eq!(decoded.rejected_spans(), 3);
    assert_eq!(
        decoded.rejected[0].reason,
        RejectedReason::TooMany { what: "attributes", limit: 3 }
    );
}

#[test]
fn long_values_are_cut_and_json_stays_json() {
    let limits = DecodeLimits { value_bytes: 200, ..DecodeLimits::default() };
    let input = json!({"short": "stays", "long": "x".repeat(5000)}).to_string();
    let span = wire(
        &json!({"attributes": [string("langfuse.observation.input", &input), string("plain", &"y".repeat(5000)),
        {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "z".repeat(5000)}]}}}]}),
    );
    let span = decode_json(&request(&[span]), &limits).unwrap().spans.remove(0);
    let input = span.input.unwrap().render();
    assert_eq!(input["short"], "stays");
    assert!(input["long"].as_str().unwrap().len() < 200);
    let plain = span.attributes[0].1.as_str().unwrap();
    assert!(plain.len() <= 200 && plain.ends_with("…[+4832 bytes]"), "{plain}");
    assert!(span.attributes[1].1[0].as_str().unwrap().len() <= 200);
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    // As a text it is a text.
    let span = decode_one(&json!({"attributes": [string("input.value", &deep)]}));
    assert_eq!(span.input, Some(Payload::from(deep.as_str())));

    // As a value it is refused.
    let value =
        format!("{}{{}}{}", r#"{"arrayValue":{"values":["#.repeat(10_000), "]}}".repeat(10_000));
    let span = format!(
        r#"{{"traceId":"{TRACE_ID}","spanId":"{SPAN_ID}","attributes":[{{"key":"a","value":{value}}}]}}"#
    );
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    let decoded = decode_json(body.as_bytes(), &DecodeLimits::default()).unwrap();
    assert!(matches!(decoded.rejected[0].reason, RejectedReason::Malformed(_)));
    assert!(decode_json(deep.as_bytes(), &DecodeLimits::default()).is_err());

    // In protobuf: a value in a list (field 1) in a value (field 5), and so on.
    let mut value = Vec::new();
    for _ in 0..10_000 {
        value = field(5, &field(1, &value));
    }
    let attribute = [field(1, b"a"), field(2, &value)].concat();
    let span = [field(1, &[1; 16]), field(2, &[1; 8]), field(9, &attribute)].concat();
    let body = field(1, &field(2, &field(2, &span)));
    let decoded = decode_protobuf(&body, &DecodeLimits::default()).unwrap();
    assert!(matches!(decoded.rejected[0].reason, RejectedReason::Malformed(_)));
}

/// A field with a length, in protobuf.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}

#[test]
fn a_span_that_ends_before_it_begins_ends_at_once() {
    let span = decode_one(&json!({"startTimeUnixNano": "5000000", "endTimeUnixNano": "2000000"}));
    assert_eq!(span.end, Some(span.start));
    assert_eq!(span.notes[0].name.as_ref(), "otlp.end_before_start");
    assert!(span.notes[0].message.contains("3ms"), "{}", span.notes[0].message);
}

#[test]
fn a_span_without_an_end_is_running() {
    assert_eq!(decode_one(&json!({"endTimeUnixNano": null})).end, None);
}

#[test]
fn absurd_numbers_do_not_overflow() {
    let max = u64::MAX.to_string();
    let attributes = json!([
        string("langfuse.observation.type", "generation"),
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": i64::MAX.to_string()}},
        {"key": "gen_ai.usage.cache_read.input_tokens", "value": {"intValue": "-5"}},
        {"key": "gen_ai.response.time_to_first_chunk", "value": {"doubleValue": 1e300}},
        {"key": "glassbox.lm.attempts", "value": {"intValue": "99999999999"}},
        {"key": "llm.cost.total", "value": {"doubleValue": -1.5}},
        {"key": "server.port", "value": {"intValue": 70000}}
    ]);
    let span = decode_one(
        &json!({"startTimeUnixNano": max, "endTimeUnixNano": max, "attributes": attributes}),
    );
    let Detail::Generation(generation) = span.detail else { panic!("{:?}", span.detail) };
    assert!(generation.usage.is_unknown() && generation.cost.is_unknown());
    assert_eq!(
        (generation.attempts, generation.first_chunk, generation.server_port),
        (0, None, None)
    );
}

#[test]
fn json_is_read_as_it_is_written_in_the_wild() {
    let span = decode_one(&json!({
        "traceId": TRACE_ID.to_uppercase(), "parentSpanId": "", "unknown": {"field": [1]}, "kind": "SPAN_KIND_CLIENT",
        "startTimeUnixNano": 1_795_352_738_000_000_000_u64, "endTimeUnixNano": "1795352739000000000",
        "status": {"code": "STATUS_CODE_ERROR", "message": "no"}, "events": null,
        "attributes": [
            {"key": "int", "value": {"intValue": "7"}}, {"key": "number", "value": {"intValue": 7}},
            {"key": "list", "value": {"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": true}}]}}},
            {"key": "empty", "value": {}}
        ]
    }));
    assert_eq!(span.parent_id, None);
    assert_eq!(span.duration().unwrap().as_secs(), 1);
    assert_eq!(span.status, Status::error("_OTHER", "no"));
    let expected = [("int", json!(7)), ("number", json!(7)), ("list", json!({"a": true}))];
    assert_eq!(span.attributes, expected.map(|(key, value)| (key.into(), value)));
}

#[test]
fn what_is_not_otlp_is_refused_with_a_hint() {
    let limits = DecodeLimits::default();
    let error = decode_json(b"\x0a\x05hello", &limits).unwrap_err().to_string();
    assert!(error.contains("application/x-protobuf"), "{error}");
    let error = decode_protobuf(b"{\"resourceSpans\":[]}", &limits).unwrap_err().to_string();
    assert!(error.contains("application/json"), "{error}");
    assert_eq!(decode_json(b"{}", &limits).unwrap(), Decoded::default());
    assert_eq!(decode_protobuf(b"", &limits).unwrap(), Decoded::default());
}

#[test]
fn unknown_attributes_are_kept_and_known_ones_of_the_wrong_type_too() {
    let attributes = json!([
        string("zebra", "z"),
        string("glassbox.lm.attempts", "many"),
        string("apple", "a"),
        string("langfuse.observation.metadata.mine", "m"),
        string("openinference.span.kind", "LLM")
    ]);
    let span = decode_one(&json!({"attributes": attributes}));
    assert_eq!(span.kind(), Kind::Generation);
    let keys: Vec<_> = span.attributes.iter().map(|(key, _)| key.as_ref()).collect();
    assert_eq!(keys, ["zebra", "glassbox.lm.attempts", "apple", "mine"]);
}

#[test]
fn kinds_are_found_by_any_of_their_conventions() {
    let check = |key: &str, value: &str, kind: Kind| {
        assert_eq!(
            decode_one(&json!({"attributes": [string(key, value)]})).kind(),
            kind,
            "{key} {value}"
        );
    };
    check("langfuse.observation.type", "retriever", Kind::Retriever);
    check("openinference.span.kind", "RERANKER", Kind::Retriever);
    check("gen_ai.operation.name", "text_completion", Kind::Generation);
    check("gen_ai.operation.name", "embeddings", Kind::Embedding);
    check("gen_ai.request.model", "gpt-4o-mini", Kind::Generation);
    check("langfuse.observation.type", "GENERATION", Kind::Span);
    check("app.kind", "tool", Kind::Span);
}

#[test]
fn parts_that_we_have_no_type_for_are_shown_as_they_came() {
    let messages = r#"[{"role":"user","parts":[{"type":"uri","modality":"image","uri":"https://example.com/latte.png"}]}]"#;
    let span = decode_one(
        &json!({"attributes": [string("gen_ai.operation.name", "chat"), string("gen_ai.input.messages", messages)]}),
    );
    assert_eq!(span.input.unwrap().render(), serde_json::from_str::<Value>(messages).unwrap());
}

#[test]
fn a_level_of_langfuses_is_a_status() {
    let attributes = json!([
        string("langfuse.observation.level", "ERROR"),
        string("langfuse.observation.status_message", "no milk")
    ]);
    let span = decode_one(&json!({"attributes": attributes}));
    assert_eq!(span.status, Status::error("_OTHER", "no milk"));
    assert_eq!(span.attributes, []);
}

#[test]
fn a_total_cost_without_buckets_is_kept() {
    let attributes = json!([
        string("langfuse.observation.type", "generation"),
        string("langfuse.observation.cost_details", r#"{"output": 0.25, "total": 0.75}"#),
        string(
            "langfuse.observation.usage_details",
            r#"{"input": 1, "input_audio_tokens": 5, "total": 6}"#
        )
    ]);
    let span = decode_one(&json!({"attributes": attributes}));
    let Detail::Generation(generation) = &span.detail else { panic!("{:?}", span.detail) };
    assert_eq!(generation.cost.to_string(), "0.75");
    assert_eq!(
        span.attributes,
        [("langfuse.observation.usage_details".into(), json!({"input_audio_tokens": 5}))]
    );
}

#[test]
fn exceptions_become_notes() {
    let exception = json!({"timeUnixNano": "6", "name": "exception", "attributes": [string("exception.message", "boom")]});
    let other = json!({"timeUnixNano": 6, "name": "retry", "attributes": [string("why", "429")]});
    let notes = decode_one(&json!({"events": [exception, other]})).notes;
    assert_eq!((notes[0].name.as_ref(), notes[0].message.as_ref()), ("exception", "boom"));
    assert_eq!(notes[1].message.as_ref(), r#"{"why":"429"}"#);
}

//! What others than Langfuse read: the GenAI conventions and OpenInference.

use super::fixture::{self, generation, span};
use super::{attributes, json, wire_span};
use glassbox_trace::cost::Cost;
use glassbox_trace::otlp::{Encoding, Profile, Resource};
use glassbox_trace::span::{Attempt, Detail, Generation, Parameters, Span};
use glassbox_trace::usage::Usage;
use serde_json::{Map, Value, json};

const OPEN_TELEMETRY: Encoding = Encoding::new(Profile::OpenTelemetry);

fn written(span: &Span) -> Map<String, Value> {
    attributes(span, &OPEN_TELEMETRY)
}

fn call(generation: Generation) -> Span {
    span(Detail::Generation(Box::new(generation)))
}

#[test]
fn counts_are_inclusive() {
    let usage = Usage::from_totals(Some(10_000), Some(8000), Some(1000), Some(500), Some(200));
    let written = written(&call(Generation { usage, ..generation() }));
    assert_eq!(written["gen_ai.usage.input_tokens"], 10_000);
    assert_eq!(written["gen_ai.usage.cache_read.input_tokens"], 8000);
    assert_eq!(written["gen_ai.usage.cache_creation.input_tokens"], 1000);
    assert_eq!(written["gen_ai.usage.output_tokens"], 500);
    assert_eq!(written["gen_ai.usage.reasoning.output_tokens"], 200);
}

#[test]
fn unknown_usage_and_cost_are_not_zero() {
    let written =
        written(&call(Generation { usage: Usage::UNKNOWN, cost: Cost::UNKNOWN, ..generation() }));
    assert!(
        written
            .keys()
            .all(|key| !key.starts_with("gen_ai.usage.") && !key.starts_with("llm.cost."))
    );
}

#[test]
fn the_output_has_its_finish_reason_inside() {
    let reason =
        |span: &Span| json(&written(span), "gen_ai.output.messages")[0]["finish_reason"].clone();
    let check = |told: &str, expected: &str| {
        let finish_reasons = vec![told.into()];
        assert_eq!(reason(&call(Generation { finish_reasons, ..generation() })), expected);
    };
    check("stop", "stop");
    check("tool_calls", "tool_call");
    check("end_turn", "stop");
    check("max_tokens", "length");
    let cut =
        Detail::Generation(Box::new(Generation { finish_reasons: Vec::new(), ..generation() }));
    assert_eq!(reason(&fixture::failed(cut)), "error");
}

#[test]
fn attempts_count_how_often_they_were_sent_again() {
    let attempt = |number| {
        span(Detail::Attempt(Attempt { number, http_status: Some(503), retry_after: None }))
    };
    assert!(!written(&attempt(1)).contains_key("http.request.resend_count"));
    assert_eq!(written(&attempt(3))["http.request.resend_count"], 2);
    assert_eq!(written(&attempt(3))["http.response.status_code"], 503);
}

#[test]
fn only_model_calls_are_clients_with_models() {
    for span in [fixture::coffee_shop(), fixture::kinds()].concat() {
        let calls_a_model = matches!(span.detail, Detail::Generation(_) | Detail::Embedding(_));
        let wire = wire_span(&span, &Resource::default(), &OPEN_TELEMETRY);
        assert_eq!(wire["kind"], if calls_a_model { 3 } else { 1 }, "{}", span.name);
        let has_model =
            written(&span).keys().any(|key| key.contains("model") || key.contains("usage"));
        assert_eq!(has_model, calls_a_model, "{}", span.name);
    }
}

#[test]
fn nothing_is_langfuses() {
    for span in [fixture::coffee_shop(), fixture::trouble(), fixture::kinds()].concat() {
        assert!(written(&span).keys().all(|key| !key.starts_with("langfuse.")));
    }
}

#[test]
fn the_service_tier_is_openais_only_for_openai() {
    let tier = |provider: &str| {
        let parameters = Parameters { service_tier: Some("flex".into()), ..Parameters::default() };
        written(&call(Generation { provider: provider.into(), parameters, ..generation() }))
    };
    assert_eq!(tier("openai")["openai.request.service_tier"], "flex");
    assert_eq!(tier("groq")["glassbox.lm.service_tier"], "flex");
}

#[test]
fn free_attributes_have_the_types_of_otlp() {
    let fact = |value: Value| {
        let span = Span { attributes: vec![("app.fact".into(), value)], ..span(Detail::Span) };
        written(&span).get("app.fact").cloned()
    };
    assert_eq!(fact(json!(7)), Some(json!(7)));
    assert_eq!(fact(json!(["a", "b"])), Some(json!(["a", "b"])));
    assert_eq!(fact(json!(["a", 1])), Some(json!(r#"["a",1]"#)));
    assert_eq!(fact(json!({"a": 1})), Some(json!(r#"{"a":1}"#)));
    assert_eq!(fact(json!(u64::MAX)), Some(json!("18446744073709551615")));
    assert_eq!(fact(json!(null)), None);
}

#[test]
fn free_attributes_cannot_replace_ours() {
    let attributes = vec![
        ("gen_ai.request.model".into(), json!("cheap")),
        ("gen_ai.request.model".into(), json!(1)),
    ];
    let written = written(&Span { attributes, ..call(generation()) });
    assert_eq!(written["gen_ai.request.model"], "gpt-4o-mini");
}

#[test]
fn the_environment_is_on_resource_and_span() {
    let resource = Resource { environment: Some("staging".into()), ..Resource::new("coffee-shop") };
    let request = glassbox_trace::otlp::encode(&[span(Detail::Span)], &resource, &OPEN_TELEMETRY);
    let json: Value = serde_json::from_slice(&request.to_json()).unwrap();
    let on_resource = super::wire_attributes(&json["resourceSpans"][0]["resource"]);
    assert_eq!(on_resource["deployment.environment.name"], "staging");
    let wire = wire_span(&span(Detail::Span), &resource, &OPEN_TELEMETRY);
    assert_eq!(super::wire_attributes(&wire)["deployment.environment.name"], "staging");
}

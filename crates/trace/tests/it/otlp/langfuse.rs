//! What Langfuse's ingestion does with attributes, one trap a test.

use super::fixture::{self, generation, span};
use super::{attributes, json, wire_attributes, wire_span};
use glassbox_trace::cost::Cost;
use glassbox_trace::message::Message;
use glassbox_trace::otlp::{self, Encoding, Profile, Resource};
use glassbox_trace::span::{Agent, Detail, Generation, Note, Parameters, Span, TraceAttributes};
use glassbox_trace::usage::Usage;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const LANGFUSE: Encoding = Encoding::new(Profile::Langfuse);

fn written(span: &Span) -> Map<String, Value> {
    attributes(span, &LANGFUSE)
}

fn call(generation: Generation) -> Span {
    span(Detail::Generation(Box::new(generation)))
}

fn failed_call(generation: Generation) -> Span {
    fixture::failed(Detail::Generation(Box::new(generation)))
}

/// A call of which nothing is known about tokens and dollars.
fn unknown() -> Generation {
    Generation { usage: Usage::UNKNOWN, cost: Cost::UNKNOWN, ..generation() }
}

#[test]
fn usage_is_in_exclusive_buckets_with_a_total() {
    assert_eq!(
        json(&written(&call(generation())), "langfuse.observation.usage_details"),
        json!({"input": 176, "input_cached_tokens": 1024, "output": 210, "output_reasoning_tokens": 100, "total": 1510})
    );
}

#[test]
fn cost_is_our_own_in_numbers_with_a_total() {
    let written = written(&call(generation()));
    assert_eq!(
        written["langfuse.observation.cost_details"],
        r#"{"input":0.0000264,"input_cached_tokens":0.0000768,"output":0.000126,"output_reasoning_tokens":0.00006,"total":0.0002892}"#
    );
}

#[test]
fn a_failed_call_is_not_counted_and_charged_by_langfuse() {
    let written = written(&failed_call(unknown()));
    assert_eq!(
        json(&written, "langfuse.observation.usage_details"),
        json!({"input": 0, "output": 0, "total": 0})
    );
    assert_eq!(json(&written, "langfuse.observation.cost_details"), json!({"total": 0}));
    assert_eq!(written["langfuse.observation.metadata.usage_unknown"], true);
}

#[test]
fn a_hit_of_our_cache_is_not_counted_and_charged_by_langfuse() {
    let written = written(&call(Generation { cache_hit: true, ..unknown() }));
    assert_eq!(json(&written, "langfuse.observation.usage_details")["total"], 0);
    assert_eq!(json(&written, "langfuse.observation.cost_details"), json!({"total": 0}));
    assert_eq!(written["langfuse.observation.metadata.cache_hit"], true);
}

#[test]
fn what_a_failed_call_did_use_is_told() {
    let usage = Usage { input: Some(10), ..Usage::UNKNOWN };
    let written = written(&failed_call(Generation { usage, cost: Cost::UNKNOWN, ..generation() }));
    assert_eq!(
        json(&written, "langfuse.observation.usage_details"),
        json!({"input": 10, "total": 10})
    );
    assert!(!written.contains_key("langfuse.observation.cost_details"));
}

#[test]
fn a_good_call_of_unknown_usage_is_left_to_langfuse() {
    let written = written(&call(unknown()));
    assert!(!written.contains_key("langfuse.observation.usage_details"));
    assert!(!written.contains_key("langfuse.observation.cost_details"));
}

#[test]
fn reasoning_without_our_cost_counts_as_output() {
    let written = written(&call(Generation { cost: Cost::UNKNOWN, ..generation() }));
    let details = json(&written, "langfuse.observation.usage_details");
    assert_eq!(
        details,
        json!({"input": 176, "input_cached_tokens": 1024, "output": 310, "total": 1510})
    );
    assert_eq!(written["langfuse.observation.metadata.reasoning_tokens"], 100);
}

#[test]
fn the_model_that_answered_is_priced() {
    let written = |response_model| written(&call(Generation { response_model, ..generation() }));
    let model = |written: Map<String, Value>| written["langfuse.observation.model.name"].clone();
    assert_eq!(model(written(Some("gpt-4o-mini-2024-07-18".into()))), "gpt-4o-mini-2024-07-18");
    assert_eq!(model(written(None)), "gpt-4o-mini");
}

#[test]
fn the_service_tier_is_a_parameter_of_its_own() {
    let parameters = json(&written(&call(generation())), "langfuse.observation.model.parameters");
    assert_eq!(parameters["service_tier"], "priority");
    let none = written(&call(Generation { parameters: Parameters::default(), ..generation() }));
    assert!(!none.contains_key("langfuse.observation.model.parameters"));
}

#[test]
fn the_first_chunk_is_an_instant() {
    let written = written(&call(generation()));
    assert_eq!(written["langfuse.observation.completion_start_time"], "2026-11-22T13:05:38.412Z");
}

#[test]
fn the_prompts_version_is_an_int() {
    let attributes = written(&call(generation()));
    assert_eq!(attributes["langfuse.observation.prompt.name"], "coffee-shop");
    assert_eq!(attributes["langfuse.observation.prompt.version"], 3);
    let none = written(&call(Generation { prompt: None, ..generation() }));
    assert!(none.keys().all(|key| !key.contains("prompt")));
}

#[test]
fn nothing_is_written_twice() {
    for span in [fixture::coffee_shop(), fixture::trouble(), fixture::kinds()].concat() {
        for key in written(&span).keys() {
            let foreign = [
                "gen_ai.",
                "llm.",
                "input.",
                "output.",
                "openinference.",
                "glassbox.",
                "tag.",
                "deployment.",
            ];
            assert!(foreign.iter().all(|prefix| !key.starts_with(prefix)), "{key}");
        }
    }
}

#[test]
fn an_agent_keeps_clear_of_the_operation_that_loses_usage() {
    let attributes = vec![
        ("gen_ai.operation.name".into(), json!("invoke_agent")),
        ("input".into(), json!("mine")),
    ];
    let written = written(&Span { attributes, ..span(Detail::Agent(Agent::default())) });
    assert!(!written.contains_key("gen_ai.operation.name") && !written.contains_key("input"));
    assert_eq!(written["langfuse.observation.metadata.gen_ai.operation.name"], "invoke_agent");
}

#[test]
fn keys_of_langfuses_own_pass_as_they_are() {
    let public = vec![("langfuse.trace.public".into(), json!(true))];
    assert_eq!(
        written(&Span { attributes: public, ..span(Detail::Span) })["langfuse.trace.public"],
        true
    );
}

#[test]
fn what_traces_share_is_on_every_span() {
    for span in fixture::coffee_shop() {
        let written = written(&span);
        let check =
            |key: &str, value: Value| assert_eq!(written[key], value, "{key} of {}", span.name);
        check("langfuse.trace.name", "coffee shop".into());
        check("user.id", "customer-42".into());
        check("session.id", "session-7".into());
        check("langfuse.trace.tags", json!(["demo", "coffee"]));
        check("langfuse.trace.metadata.mood", "happy".into());
        check("langfuse.environment", "production".into());
        check("langfuse.release", "4f2c1d9".into());
        check("langfuse.version", "2".into());
    }
}

#[test]
fn without_tags_there_is_no_empty_array() {
    assert!(!written(&span(Detail::Span)).contains_key("langfuse.trace.tags"));
}

#[test]
fn long_names_are_cut_between_characters() {
    let long: Arc<str> = "é".repeat(1100).into();
    let trace = TraceAttributes {
        name: Some(Arc::clone(&long)),
        session_id: Some(Arc::clone(&long)),
        user_id: Some(Arc::clone(&long)),
        tags: vec![long],
        ..TraceAttributes::default()
    };
    let written = written(&Span { trace: Arc::new(trace), ..span(Detail::Span) });
    let cut = "é".repeat(200);
    for key in ["langfuse.trace.name", "session.id", "user.id"] {
        assert_eq!(written[key], cut, "{key}");
    }
    assert_eq!(written["langfuse.trace.tags"], json!([cut]));
}

#[test]
fn environments_that_langfuse_refuses_are_left_out() {
    let environment = |name: &str| {
        let trace =
            TraceAttributes { environment: Some(name.into()), ..TraceAttributes::default() };
        written(&Span { trace: Arc::new(trace), ..span(Detail::Span) })
            .get("langfuse.environment")
            .cloned()
    };
    assert_eq!(environment("langfuse-Production"), Some("production".into()));
    assert_eq!(environment("in production"), None);
}

#[test]
fn an_error_is_a_level_with_a_message() {
    let attributes = written(&fixture::failed(Detail::Span));
    assert_eq!(attributes["langfuse.observation.level"], "ERROR");
    assert_eq!(attributes["langfuse.observation.status_message"], "too many requests");
    assert_eq!(attributes["error.type"], "429");
    let status =
        &wire_span(&fixture::failed(Detail::Span), &Resource::default(), &LANGFUSE)["status"];
    assert_eq!(status, &json!({"code": 2, "message": "too many requests"}));
}

#[test]
fn notes_are_metadata_and_a_warning_since_events_are_dropped() {
    let note =
        Note { at: fixture::at(1), name: "adapter.fallback".into(), message: "using chat".into() };
    let noted = Span { notes: vec![note.clone()], ..span(Detail::Span) };
    let wire = wire_span(&noted, &Resource::default(), &LANGFUSE);
    assert_eq!(wire["events"], json!([]));
    let attributes = wire_attributes(&wire);
    assert_eq!(attributes["langfuse.observation.level"], "WARNING");
    assert_eq!(
        json(&attributes, "langfuse.observation.metadata.notes")[0]["message"],
        "using chat"
    );

    let failed = written(&Span { notes: vec![note], ..fixture::failed(Detail::Span) });
    assert_eq!(failed["langfuse.observation.level"], "ERROR");
}

#[test]
fn a_root_has_a_name() {
    let nameless = Span { name: "".into(), ..span(Detail::Span) };
    assert_eq!(wire_span(&nameless, &Resource::default(), &LANGFUSE)["name"], "span");
}

#[test]
fn the_scope_is_not_taken_for_langfuses_own_sdk() {
    assert!(!otlp::SCOPE_NAME.contains("langfuse"));
}

#[test]
fn input_is_a_conversation_and_output_a_message() {
    let attributes = written(&call(generation()));
    let input = json(&attributes, "langfuse.observation.input");
    assert_eq!(input[0]["role"], "system");
    let output = json(&attributes, "langfuse.observation.output");
    assert_eq!(
        output,
        json!({"role": "assistant", "content": r#"{"friendly_response":"Coming right up!"}"#})
    );

    let with_tools =
        fixture::kinds().into_iter().find(|span| span.name.starts_with("chat")).unwrap();
    let attributes = written(&with_tools);
    let input = json(&attributes, "langfuse.observation.input");
    assert_eq!(input["tools"][0]["function"]["name"], "order_drink");
    assert_eq!(input["messages"][1]["role"], "user");
    let output = json(&attributes, "langfuse.observation.output");
    assert_eq!(output["reasoning_content"], "They want a drink.");
    assert_eq!(output["tool_calls"][0]["function"]["arguments"], r#"{"drink":"latte"}"#);
}

#[test]
fn a_plain_text_goes_as_it_is() {
    let greeting = Span { input: Some("hello \"you\"".into()), ..span(Detail::Span) };
    assert_eq!(written(&greeting)["langfuse.observation.input"], "hello \"you\"");
}

#[test]
fn a_partial_answer_of_a_failed_call_is_shown() {
    let cut =
        failed_call(Generation { output: Some(Message::assistant("Coming ri")), ..unknown() });
    assert_eq!(json(&written(&cut), "langfuse.observation.output")["content"], "Coming ri");
}

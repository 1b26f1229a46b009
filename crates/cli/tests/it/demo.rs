//! The demo: what it prints, what it sends, and what it says about a wrong setting.

use crate::command::{glassbox, json, run};
use crate::langfuse::{Langfuse, text};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

const FAST: [&str; 3] = ["demo", "--speed", "20"];

#[test]
fn the_summary_has_every_number() {
    let summary = json(glassbox(&FAST).arg("--json"));
    assert_eq!(summary["provider"], "simulated");
    assert_eq!(summary["customers"], 4);
    assert_eq!(summary["failed"], 0);
    assert_eq!((&summary["traces"], &summary["spans_started"]), (&8.into(), &24.into()));
    assert_eq!((&summary["spans_exported"], &summary["spans_received"]), (&24.into(), &24.into()));
    for zero in ["spans_dropped", "orphan_spans", "mixed_traces"] {
        assert_eq!(summary[zero], 0, "{zero}");
    }
    for positive in [
        "sequential_ms",
        "concurrent_ms",
        "speedup",
        "telemetry_hot_path_us",
        "telemetry_cpu_ms",
        "telemetry_cpu_percent",
        "telemetry_program_cpu_percent",
        "process_cpu_ms",
        "input_tokens",
        "output_tokens",
        "cost_usd",
    ] {
        assert!(summary[positive].as_f64().unwrap() > 0.0, "{positive}: {summary}");
    }
}

#[test]
fn telemetry_is_compared_with_none_in_the_same_run() {
    let summary = json(glassbox(&FAST).args(["--json", "--compare", "--customers", "6"]));
    // What is compared is told apart from what is shown.
    assert_eq!((&summary["spans_started"], &summary["spans_received"]), (&30.into(), &30.into()));
    let compare = &summary["compare"];
    assert_eq!(
        (&compare["spans"], &compare["lost"], &compare["failed"]),
        (&36.into(), &0.into(), &0.into())
    );
    let rounds = compare["rounds"].as_array().unwrap();
    let on: Vec<_> = rounds.iter().map(|round| round["telemetry"].as_bool().unwrap()).collect();
    assert_eq!(on, [false, true, true, false]);
    for positive in
        ["wall_off_ms", "wall_on_ms", "cpu_off_ms", "cpu_on_ms", "hot_path_ms", "workers_cpu_ms"]
    {
        assert!(compare[positive].as_f64().unwrap() > 0.0, "{positive}: {compare}");
    }
    assert!(json(glassbox(&FAST).arg("--json"))["compare"].is_null());
}

#[test]
fn people_see_the_stream_the_replies_the_tree_and_the_headline() {
    let (output, stdout, stderr) = run(&mut glassbox(&FAST));
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
    assert!(!stdout.contains('\x1b'), "colours in a pipe: {stdout}");
    for expected in [
        "model     simulated on http://127.0.0.1:",
        "llm.generate",
        "chain_of_thought.reasoning_complete",
        "customer 1  makes a large iced latte with oat milk, extra shot",
        "customer 4  tells a joke that ends in: It got mugged!",
        "`- ChainOfThought(CoffeeShop)",
        "   `- chat gpt-4o-mini   ttft ",
        "4 customers   one after another ",
        "24 spans sent, 0 lost   telemetry ",
        "   open http://127.0.0.1:",
        "To keep it open: glassbox demo --serve",
    ] {
        assert!(stdout.contains(expected), "no {expected:?} in:\n{stdout}");
    }
}

#[test]
fn many_customers_are_served_within_the_limit_and_none_is_mixed_up() {
    let summary = json(
        glassbox(&["demo", "--json", "--speed", "0", "--customers", "300"])
            .args(["--concurrency", "50"]),
    );
    assert_eq!(summary["spans_received_together"], 900);
    assert_eq!((&summary["orphan_spans"], &summary["mixed_traces"]), (&0.into(), &0.into()));
}

#[test]
fn an_overloaded_provider_serves_everybody_and_the_sums_agree() {
    let summary = json(
        glassbox(&["demo", "--scene", "overload", "--json", "--speed", "5"])
            .args(["--customers", "80"]),
    );
    assert_eq!((&summary["scene"], &summary["failed"]), (&"overload".into(), &0.into()));
    assert_eq!((&summary["orphan_spans"], &summary["mixed_traces"]), (&0.into(), &0.into()));
    assert_eq!(summary["spans_received"], summary["spans_exported"]);
    let (calls, overload) = (&summary["calls"], &summary["overload"]);
    assert_eq!(calls["adds_up"], true, "{calls}");
    assert_eq!(calls["answered"], 84, "four of them one after another");
    assert_eq!(calls["attempts"], calls["provider"]["calls"]);
    assert!(calls["provider"]["most_at_once"].as_u64().unwrap() <= 20, "{calls}");
    assert!(calls["limiter_waits"].as_u64().unwrap() > 0, "{calls}");
    // A few of so many calls go wrong on purpose; which of them depends on the requests alone.
    let failed = |key: &str| calls[key].as_u64().unwrap();
    assert!(failed("failed_429") + failed("failed_529") > 0, "{calls}");
    assert!(overload["throughput_percent"].as_f64().unwrap() > 0.0, "{overload}");
}

#[test]
fn without_telemetry_there_are_no_spans() {
    let summary = json(glassbox(&FAST).args(["--json", "--no-telemetry"]));
    assert_eq!((&summary["spans_started"], &summary["spans_received"]), (&0.into(), &0.into()));
    assert_eq!(summary["failed"], 0);
}

#[test]
fn every_step_reaches_langfuse() {
    let langfuse = Langfuse::start();
    let mut command = glassbox(&FAST);
    command.env("LANGFUSE_PUBLIC_KEY", "pk-lf-demo").env("LANGFUSE_SECRET_KEY", "sk-lf-demo");
    command.env("LANGFUSE_BASE_URL", &langfuse.url).env("LANGFUSE_RELEASE", "r1");
    command.env("LANGFUSE_TRACING_ENVIRONMENT", "staging");
    let (output, stdout, stderr) = run(&mut command);
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains(&format!("open {}/trace/", langfuse.url)), "{stdout}");

    for headers in langfuse.headers() {
        assert_eq!(headers["authorization"], "Basic cGstbGYtZGVtbzpzay1sZi1kZW1v");
        assert_eq!(headers["content-type"], "application/x-protobuf");
        assert_eq!(headers["x-langfuse-ingestion-version"], "4");
    }

    let mut traces: HashMap<Vec<u8>, Vec<Span>> = HashMap::new();
    for span in langfuse.spans() {
        traces.entry(span.trace_id.clone()).or_default().push(span);
    }
    assert_eq!(traces.len(), 8, "eight traces for the two rounds");
    let users: HashSet<_> = traces.values().map(|spans| check_trace(spans)).collect();
    assert_eq!(users.len(), 8, "none shared between customers and rounds: {users:?}");
}

/// Checks one customer's trace; returns whose it is.
fn check_trace(spans: &[Span]) -> (String, String) {
    let mut spans: Vec<_> = spans.iter().collect();
    spans.sort_by_key(|span| span.start_time_unix_nano);
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(
        names,
        ["CoffeeShopAgent.forward", "ChainOfThought(CoffeeShop)", "chat gpt-4o-mini"]
    );
    let types: Vec<_> =
        spans.iter().map(|span| text(span, "langfuse.observation.type").unwrap()).collect();
    assert_eq!(types, ["span", "chain", "generation"]);
    assert!(spans[0].parent_span_id.is_empty());
    assert_eq!(spans[1].parent_span_id, spans[0].span_id);
    assert_eq!(spans[2].parent_span_id, spans[1].span_id);

    let whose = (
        text(spans[0], "user.id").unwrap().to_owned(),
        text(spans[0], "session.id").unwrap().to_owned(),
    );
    for span in &spans {
        assert_eq!(text(span, "langfuse.trace.name"), Some("CoffeeShopAgent.forward"));
        assert_eq!(text(span, "langfuse.environment"), Some("staging"));
        assert_eq!(text(span, "langfuse.release"), Some("r1"));
        assert_eq!(
            (text(span, "user.id"), text(span, "session.id")),
            (Some(&*whose.0), Some(&*whose.1))
        );
        assert!(
            text(span, "langfuse.observation.input").is_some()
                && text(span, "langfuse.observation.output").is_some()
        );
        assert!(
            span.attributes.iter().all(|attribute| !attribute.key.starts_with("gen_ai.")),
            "nothing twice"
        );
    }

    check_generation(spans[2]);
    let output = text(spans[0], "langfuse.observation.output").unwrap();
    let reasoning = output.find(r#""reasoning""#).expect("the reasoning is in the output");
    assert!(
        reasoning < output.find(r#""action""#).unwrap(),
        "the reasoning comes before the answer: {output}"
    );
    for module in &spans[..2] {
        for key in ["langfuse.observation.usage_details", "langfuse.observation.cost_details"] {
            assert_eq!(text(module, key), None, "usage and cost stand at the generation only");
        }
    }
    whose
}

fn check_generation(span: &Span) {
    let parsed = |key: &str| serde_json::from_str::<Value>(text(span, key).unwrap()).unwrap();
    assert_eq!(text(span, "langfuse.observation.model.name"), Some("gpt-4o-mini-2024-07-18"));
    assert!(text(span, "langfuse.observation.completion_start_time").is_some());
    for key in ["langfuse.observation.usage_details", "langfuse.observation.cost_details"] {
        let details = parsed(key);
        let buckets = details.as_object().unwrap().iter().filter(|(name, _)| *name != "total");
        let sum: f64 = buckets.map(|(_, amount)| amount.as_f64().unwrap()).sum();
        let total = details["total"].as_f64().unwrap();
        assert!(total > 0.0 && (sum - total).abs() < 1e-9, "{key}: {details}");
    }
    let input = parsed("langfuse.observation.input");
    assert_eq!(input[0]["role"], "system");
    assert_eq!(input[1]["role"], "user");
    assert_eq!(parsed("langfuse.observation.output")["role"], "assistant");
}

#[test]
fn a_dead_langfuse_costs_spans_and_not_the_program() {
    let mut command = glassbox(&FAST);
    command.env("LANGFUSE_PUBLIC_KEY", "pk-lf-demo").env("LANGFUSE_SECRET_KEY", "sk-lf-demo");
    // Nothing listens on the discard port.
    command.env("LANGFUSE_BASE_URL", "http://127.0.0.1:9").arg("--flush-timeout").arg("1");
    let (output, stdout, stderr) = run(&mut command);
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("0 spans sent, 0 lost, 24 waiting"), "{stdout}");
    assert!(
        stdout.contains("langfuse: 0 spans lost, 24 not delivered yet: error sending"),
        "{stdout}\n{stderr}"
    );
    assert!(stderr.contains("24"), "the guard tells what is lost in the end: {stderr}");
}

#[test]
fn wrong_settings_say_what_to_type() {
    let check = |arguments: &[&str], variables: &[(&str, &str)], expected: &str| {
        let (output, _, stderr) = run(glassbox(arguments).envs(variables.iter().copied()));
        assert!(!output.status.success());
        assert!(stderr.contains(expected), "no {expected:?} in: {stderr}");
    };
    check(&FAST, &[("LANGFUSE_PUBLIC_KEY", "pk-lf-1")], "LANGFUSE_SECRET_KEY");
    check(&FAST, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")], "OTEL_EXPORTER_OTLP_ENDPOINT");
    check(&["demo", "--model", "gpt-4o"], &[], r#"type "openai/gpt-4o""#);
    check(&["demo", "--model", "openai/gpt-4o"], &[], "export OPENAI_API_KEY=");
    check(&["demo", "--speed", "fast"], &[], "give a number");
    check(&["demo", "--customers", "0"], &[], "0 is not in 1..");
    check(&["demo", "--scene", "tea"], &[], "coffee-shop, react, codeact, research, overload");
    check(&["demo", "--scene", "overload", "--model", "openai/x"], &[], "leave --model out");
    check(&FAST, &[("GLASSBOX_PRICES", "/no/such/file")], "GLASSBOX_PRICES");
}

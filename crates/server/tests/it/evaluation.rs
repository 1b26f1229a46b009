//! Scores as OpenTelemetry tells them: by events of spans, in and out.

use crate::stage::{Stage, attribute, span, text};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::{Value, json};

const OTLP: &str = "/api/v1/traces/01010101010101010101010101010101/otlp";

fn event(attributes: Vec<KeyValue>) -> Event {
    Event {
        name: "gen_ai.evaluation.result".to_owned(),
        time_unix_nano: 1_767_225_600_500_001_000,
        attributes,
        ..Event::default()
    }
}

fn named(name: &str, rest: impl IntoIterator<Item = KeyValue>) -> Event {
    let name = text("gen_ai.evaluation.name", name);
    event([name].into_iter().chain(rest).collect())
}

fn number(value: f64) -> KeyValue {
    attribute("gen_ai.evaluation.score.value", Any::DoubleValue(value))
}

fn judged(events: Vec<Event>) -> Span {
    Span { events, ..span(1, 1, 0, "root", 0, 900) }
}

async fn scores(stage: &Stage) -> Vec<Value> {
    let answer = stage.get("/api/v1/scores").await;
    answer["items"].as_array().unwrap().clone()
}

fn events_of(request: &Value) -> Vec<Value> {
    let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    spans.iter().flat_map(|span| span["events"].as_array().unwrap().clone()).collect()
}

#[tokio::test]
async fn evaluations_of_anybody_are_scores_once() {
    let stage = Stage::new().await;
    let label = || text("gen_ai.evaluation.score.label", "relevant");
    let events = vec![
        named("both", [number(4.0), label()]),
        named("label", [label(), text("gen_ai.evaluation.explanation", "to the point")]),
        // None of these is one.
        named("", [number(1.0)]),
        named("failed", [text("error.type", "timeout")]),
        named("not finite", [number(f64::NAN)]),
        event(vec![number(1.0)]),
    ];
    for _ in 0..2 {
        assert!(stage.send(vec![judged(events.clone())]).await.status().is_success());
    }
    let mut found = scores(&stage).await;
    found.sort_by_key(|score| score["name"].to_string());
    let facts = |score: &Value| {
        let facts = ["name", "value", "comment", "span_id", "at_us"];
        json!(facts.map(|fact| score[fact].clone()))
    };
    let (span_id, at_us) = ("0101010101010101", 1_767_225_600_500_001_i64);
    assert_eq!(
        found.iter().map(facts).collect::<Vec<_>>(),
        [
            json!(["both", 4.0, null, span_id, at_us]),
            json!(["label", "relevant", "to the point", span_id, at_us]),
        ]
    );
    // They are told as they came, and not once more.
    assert_eq!(events_of(&stage.get(OTLP).await).len(), events.len());
    // What was thought better of later is told besides.
    let id = found[0]["id"].as_str().unwrap();
    let request = stage.client.post(stage.url("/api/v1/scores")).bearer_auth(&stage.running.token);
    let better = json!({"id": id, "trace_id": "01".repeat(16), "name": "both", "value": 5});
    assert_eq!(request.json(&better).send().await.unwrap().status(), 201);
    assert_eq!(events_of(&stage.get(OTLP).await).len(), events.len() + 1);
}

#[tokio::test]
async fn what_an_export_wrote_leaves_the_span_as_it_was() {
    let stage = Stage::new().await;
    let note = Event { name: "note".to_owned(), ..Event::default() };
    let plain = judged(vec![note.clone()]);
    let own = |id: &str, rest: Vec<KeyValue>| {
        let id = text("glassbox.score.id", id);
        named("taste", rest.into_iter().chain([number(1.0), id]))
    };
    let events = vec![
        own("exact", vec![text("glassbox.score.value", "true")]),
        note,
        own("trace", vec![text("glassbox.score.of", "trace")]),
        own("other", vec![text("glassbox.score.of", "0202020202020202")]),
        own("broken", vec![text("glassbox.score.of", "?"), text("glassbox.score.value", "{")]),
    ];
    assert!(stage.send(vec![judged(events)]).await.status().is_success());
    let mut found = scores(&stage).await;
    found.sort_by_key(|score| score["id"].to_string());
    let facts = |score: &Value| json!([score["id"], score["value"], score["span_id"]]);
    let span_id = "0101010101010101";
    assert_eq!(
        found.iter().map(facts).collect::<Vec<_>>(),
        [
            json!(["broken", 1.0, span_id]),
            json!(["exact", true, span_id]),
            json!(["other", 1.0, "0202020202020202"]),
            json!(["trace", 1.0, null]),
        ]
    );
    // It is the same span to the byte.
    let trace_id = "01".repeat(16).parse().unwrap();
    let span_id = "01".repeat(8).parse().unwrap();
    let store = &stage.running.store;
    let raw = store.span(trace_id, span_id).unwrap().unwrap();
    assert_eq!(raw.bytes, prost::Message::encode_to_vec(&plain));
    // And it is known again.
    assert!(stage.send(vec![plain]).await.status().is_success());
    let written = events_of(&stage.get(OTLP).await);
    assert_eq!(written.len(), 5);
}

#[tokio::test]
async fn more_scores_than_a_span_can_carry_go_elsewhere_or_are_counted() {
    let stage = Stage::new().await;
    stage.send(vec![span(1, 1, 0, "root", 0, 900), span(1, 2, 1, "child", 1, 2)]).await;
    let event = |at: usize| {
        json!({"id": at.to_string(), "type": "score-create", "timestamp": "2026-01-01T00:00:00Z", "body":
            {"id": at.to_string(), "traceId": "01".repeat(16), "name": "taste", "value": at}})
    };
    let batch = json!({ "batch": (0..2050).map(event).collect::<Vec<_>>() });
    let request = stage.client.post(stage.url("/api/public/ingestion")).json(&batch);
    assert_eq!(request.send().await.unwrap().status(), 207);
    let request = stage.client.get(stage.url(OTLP)).bearer_auth(&stage.running.token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["glassbox-scores-left-out"], "2");
    let request: Value = answer.json().await.unwrap();
    assert_eq!(events_of(&request).len(), 2048);
    let fresh = Stage::new().await;
    let import = fresh.client.post(fresh.url("/v1/traces")).json(&request).send().await.unwrap();
    assert_eq!(import.text().await.unwrap(), "{}");
    assert_eq!(fresh.get("/api/public/scores?limit=1").await["meta"]["totalItems"], 2048);
    let trace = fresh.get(&OTLP.replace("/otlp", "")).await;
    assert_eq!(trace["spans"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_langfuse_says_of_a_trace_is_told_by_its_root() {
    let stage = Stage::new().await;
    let batch = json!({"batch": [
        {"id": "1", "type": "trace-create", "timestamp": "2026-01-01T00:00:00.000Z", "body": {"id": "01".repeat(16),
            "name": "order", "userId": "ann", "tags": ["a"], "metadata": {"k": "v"}, "input": {"q": 1}, "output": "served"}},
        {"id": "2", "type": "span-create", "timestamp": "2026-01-01T00:00:00.000Z", "body": {"id": "01".repeat(8),
            "traceId": "01".repeat(16), "name": "root", "startTime": "2026-01-01T00:00:00.000Z",
            "endTime": "2026-01-01T00:00:01.000Z"}},
    ]});
    let request = stage.client.post(stage.url("/api/public/ingestion")).json(&batch);
    assert_eq!(request.send().await.unwrap().status(), 207);
    let request = stage.get(OTLP).await;
    let fresh = Stage::new().await;
    let import = fresh.client.post(fresh.url("/v1/traces")).json(&request).send().await.unwrap();
    assert_eq!(import.text().await.unwrap(), "{}");
    let path = OTLP.replace("/otlp", "");
    let (mut original, mut copy) = (stage.get(&path).await, fresh.get(&path).await);
    for answer in [&mut original, &mut copy] {
        answer["trace"]["updated_seq"].take();
    }
    assert_eq!(copy["spans"].as_array().unwrap().len(), 1);
    assert_eq!(copy["trace"], original["trace"]);
    let path = format!("/api/public/traces/{}", "01".repeat(16));
    for field in ["input", "output", "name", "userId", "tags", "metadata"] {
        assert_eq!(fresh.get(&path).await[field], stage.get(&path).await[field], "{field}");
    }
}

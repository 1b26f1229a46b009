//! Spans that are announced when they begin, and the stream that tells of them.

use crate::stage::{Stage, span, text};
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::time::Duration;

const TRACE: &str = "01010101010101010101010101010101";

fn lines(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn process() -> Value {
    json!({"process": {"id": "p-1", "service": "coffee-shop"}})
}

fn start(id: &str) -> Value {
    json!({"start": {"trace_id": TRACE, "span_id": id.repeat(8), "name": "chat gpt-4o-mini", "kind": "generation",
        "start_us": 1_767_225_600_000_000_u64, "model": "gpt-4o-mini", "session_id": "s"}})
}

async fn announce(stage: &Stage, lines: String) -> Value {
    let response = stage.client.post(stage.url("/api/v1/live")).body(lines).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

/// Reads the stream until an event of this name, and returns what it says.
struct Events {
    chunks: std::pin::Pin<Box<dyn futures::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Events {
    async fn open(stage: &Stage, path: &str) -> Self {
        let response = stage
            .client
            .get(stage.url(path))
            .bearer_auth(&stage.running.token)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let mut events = Self { chunks: Box::pin(response.bytes_stream()), text: String::new() };
        events.next("heartbeat").await;
        events
    }

    async fn next(&mut self, name: &str) -> Value {
        let reading = async {
            loop {
                while let Some((event, rest)) = self.text.split_once("\n\n") {
                    let field = |name: &str| {
                        event
                            .lines()
                            .find_map(|line| line.strip_prefix(name))
                            .unwrap_or_default()
                            .trim()
                            .to_owned()
                    };
                    let (kind, data) = (field("event:"), field("data:"));
                    self.text = rest.to_owned();
                    if kind == name {
                        return serde_json::from_str(&data).unwrap();
                    }
                }
                let chunk = self.chunks.next().await.expect("the stream goes on").unwrap();
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an event within 20 s")
    }
}

#[tokio::test]
async fn a_call_is_seen_from_its_start_to_its_end() {
    let stage = Stage::new().await;
    let mut events = Events::open(&stage, "/api/v1/stream").await;
    assert_eq!(
        announce(&stage, lines(&[process(), start("02")])).await,
        json!({"known": false, "started": 1})
    );
    let started = events.next("span_start").await;
    assert_eq!((&started["state"], &started["model"]), (&json!("running"), &json!("gpt-4o-mini")));
    let trace = events.next("trace").await;
    assert_eq!(
        (&trace["state"], &trace["open_spans"], &trace["session_id"]),
        (&json!("running"), &json!(1), &json!("s"))
    );

    stage.send(vec![span(1, 2, 0, "chat gpt-4o-mini", 0, 50)]).await;
    let ended = events.next("span_end").await;
    assert_eq!((&ended["state"], &ended["duration_us"]), (&json!("done"), &json!(50_000)));
    assert_eq!(events.next("trace").await["state"], "done");
    // Late, and known to be over.
    assert_eq!(
        announce(&stage, lines(&[process(), start("02")])).await,
        json!({"known": true, "started": 0})
    );
    assert_eq!(stage.get(&format!("/api/v1/traces/{TRACE}")).await["trace"]["state"], "done");
    stage.running.stop().await;
}

#[tokio::test]
async fn a_process_that_is_gone_leaves_abandoned_spans() {
    let stage = Stage::with(|options| options.live_timeout = Duration::from_millis(200)).await;
    let mut events = Events::open(&stage, "/api/v1/stream?q=status:abandoned").await;
    announce(&stage, lines(&[process(), start("02")])).await;
    assert_eq!(events.next("span_end").await["state"], "abandoned");
    announce(&stage, lines(&[process(), start("03"), json!({"health": {"queued": 1}})])).await;
    announce(&stage, lines(&[process(), json!({"bye": {}})])).await;
    assert_eq!(events.next("span_end").await["span_id"], "03".repeat(8));
    stage.running.stop().await;
}

/// A model call of which only the beginning is known, as programs of ours announce it.
fn asking(id: &str, said: &str) -> Value {
    let messages = json!([{"role": "user", "parts": [{"type": "text", "content": said}]}]);
    json!({"start": {"trace_id": TRACE, "span_id": id.repeat(8), "name": "chat gpt-4o-mini",
    "start_us": 1_767_225_600_000_000_u64, "attributes": {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": 0.7, "gen_ai.request.stop_sequences": ["END"],
        "session.id": "s", "user.id": "u", "gen_ai.input.messages": messages.to_string(),
    }}})
}

#[tokio::test]
async fn a_span_that_runs_shows_what_it_was_asked() {
    let stage = Stage::with(|options| options.live_timeout = Duration::from_secs(3600)).await;
    let mut oat = Events::open(&stage, "/api/v1/stream?q=oat").await;
    let said = format!("Latte with oat milk? {}", "please ".repeat(100));
    announce(&stage, lines(&[process(), asking("03", "Tea?"), asking("02", &said)])).await;

    // The stream finds it by its words, and leaves it to whoever looks to fetch them.
    let told = oat.next("span_start").await;
    assert_eq!((&told["span_id"], &told["kind"]), (&json!("02".repeat(8)), &json!("generation")));
    assert!(!told.to_string().contains("milk"), "{told}");

    let span = format!("/api/v1/traces/{TRACE}/spans/{}", "02".repeat(8));
    let detail = stage.get(&span).await;
    assert_eq!(detail["state"], "running");
    assert_eq!(detail["messages"][0]["role"], "user");
    assert_eq!(detail["messages"][0]["parts"][0]["text"], json!(said), "{}", detail["messages"]);
    assert_eq!(detail["parameters"]["temperature"], 0.7);
    let trace = stage.get(&format!("/api/v1/traces/{TRACE}")).await;
    assert_eq!(
        (&trace["trace"]["session_id"], &trace["trace"]["user_id"]),
        (&json!("s"), &json!("u"))
    );
    let preview = trace["trace"]["input_preview"].as_str().unwrap();
    assert!(preview.contains("Tea?") || preview.contains("oat milk"), "{preview}");

    // The span itself says it again, and better.
    let mut ended = span_with_input(2, "Latte with oat milk, and what else?");
    ended.name = "chat gpt-4o-mini".to_owned();
    stage.send(vec![ended]).await;
    let detail = stage.get(&span).await;
    assert_eq!((&detail["state"], &detail["messages"]), (&json!("done"), &Value::Null));
    assert_eq!(detail["input"], "Latte with oat milk, and what else?");

    // What a process was asking when it vanished is still there.
    announce(&stage, lines(&[process(), json!({"bye": {}})])).await;
    let span = format!("/api/v1/traces/{TRACE}/spans/{}", "03".repeat(8));
    let abandoned = async {
        loop {
            let detail = stage.get(&span).await;
            if detail["state"] == "abandoned" {
                return detail;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let detail = tokio::time::timeout(Duration::from_secs(20), abandoned).await.unwrap();
    assert_eq!(detail["messages"][0]["parts"][0]["text"], "Tea?");
    stage.running.stop().await;
}

fn span_with_input(id: u8, input: &str) -> opentelemetry_proto::tonic::trace::v1::Span {
    let mut span = span(1, id, 0, "answer", 0, 50);
    span.attributes.push(text("input.value", input));
    span
}

#[tokio::test]
async fn what_is_announced_is_small_whoever_sends_it() {
    let stage = Stage::new().await;
    let mut huge = asking("02", &"x".repeat(5_000_000));
    let attributes = huge["start"]["attributes"].as_object_mut().unwrap();
    attributes.extend((0..200).map(|at| (format!("more {at}"), json!("y".repeat(1000)))));
    announce(&stage, lines(&[process(), huge])).await;
    let detail = stage.get(&format!("/api/v1/traces/{TRACE}/spans/{}", "02".repeat(8))).await;
    assert!(detail["attributes"].to_string().len() < 80_000);
    assert_eq!(detail["truncated"], json!(["input"]));
    assert!(detail["messages"][0]["parts"][0]["text"].as_str().unwrap().starts_with("xxx"));
    stage.running.stop().await;
}

#[tokio::test]
async fn the_stream_carries_no_payloads() {
    let stage = Stage::new().await;
    let mut events = Events::open(&stage, "/api/v1/stream").await;
    let mut fat = span_with_input(2, &"x".repeat(1_000_000));
    let facts = json!({"small": [1, 2], "large": vec!["y".repeat(1000); 1000]});
    fat.attributes.push(text("metadata", &facts.to_string()));
    stage.send(vec![fat]).await;
    assert!(events.next("span_end").await.to_string().len() < 4096);
    let trace = events.next("trace").await;
    assert!(
        trace.to_string().len() < 4096 && trace["metadata"]["small"] == json!([1, 2]),
        "{trace}"
    );
    let detail = stage.get(&format!("/api/v1/traces/{TRACE}/spans/{}", "02".repeat(8))).await;
    assert!(detail["attributes"].to_string().len() > 1_500_000);
    stage.running.stop().await;
}

#[tokio::test]
async fn a_start_that_comes_after_its_end_is_not_waited_for() {
    let stage = Stage::new().await;
    stage.send(vec![span(1, 2, 0, "chat gpt-4o-mini", 0, 50)]).await;
    let running = async || {
        let health = stage.get("/api/v1/health").await;
        let senders = health["senders"].as_array().unwrap();
        senders.iter().find(|sender| sender["process"] == "p-1").unwrap()["running"].clone()
    };
    announce(&stage, lines(&[process(), start("02"), start("03")])).await;
    assert_eq!(running().await, 1);
    // By whichever of two processes it was announced, its end is the end of it.
    let other = json!({"process": {"id": "p-2"}});
    announce(&stage, lines(&[other, start("03")])).await;
    assert_eq!(running().await, 0);
    stage.running.stop().await;
}

#[tokio::test]
async fn a_process_whose_clock_is_wrong_is_seen_all_the_same() {
    let stage = Stage::new().await;
    for (id, start_us) in [("02", 0), ("03", 32_503_680_000_000_000), ("04", u64::MAX)] {
        let mut start = start(id);
        start["start"]["start_us"] = start_us.into();
        assert_eq!(announce(&stage, lines(&[process(), start])).await["started"], 1, "{start_us}");
    }
    let trace = stage.get(&format!("/api/v1/traces/{TRACE}")).await;
    assert_eq!(
        (&trace["trace"]["open_spans"], &trace["spans"][2]["state"]),
        (&json!(3), &json!("running"))
    );
    let ends = (2..5).map(|id| span(1, id, 0, "answer", 0, 50));
    stage.send(ends.collect()).await;
    let trace = stage.get(&format!("/api/v1/traces/{TRACE}")).await;
    assert_eq!(
        (&trace["trace"]["open_spans"], &trace["trace"]["state"]),
        (&json!(0), &json!("done"))
    );
    stage.running.stop().await;
}

#[tokio::test]
async fn a_span_that_was_given_up_runs_again_when_it_is_announced_again() {
    let stage = Stage::with(|options| options.live_timeout = Duration::from_millis(200)).await;
    let mut events = Events::open(&stage, "/api/v1/stream").await;
    announce(&stage, lines(&[process(), asking("02", "Tea?")])).await;
    assert_eq!(events.next("span_end").await["state"], "abandoned");
    // In other words than the first time, be they more or fewer.
    for said in ["Tea, please?", "T?", "Tea? Tea? Tea?"] {
        announce(&stage, lines(&[process(), asking("02", said)])).await;
        assert_eq!(events.next("span_start").await["state"], "running", "{said}");
        assert_eq!(events.next("span_end").await["state"], "abandoned");
    }
    stage.running.stop().await;
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_where_it_was() {
    let stage = Stage::new().await;
    stage.send(vec![span(1, 2, 0, "first", 0, 50)]).await;
    let url = stage.url("/api/v1/stream");
    let request =
        stage.client.get(url).bearer_auth(&stage.running.token).header("last-event-id", "0");
    let response = request.send().await.unwrap();
    let mut events = Events { chunks: Box::pin(response.bytes_stream()), text: String::new() };
    assert_eq!(events.next("span_end").await["name"], "first");
    stage.running.stop().await;
}

#[tokio::test]
async fn lines_that_are_wrong_are_named() {
    let stage = Stage::new().await;
    for (body, message) in [
        (start("02").to_string(), "line 1: begin with"),
        (lines(&[process(), json!({"stop": 1})]), "line 2: unknown variant"),
        (
            lines(&[
                process(),
                json!({"start": {"trace_id": "x", "span_id": "y", "name": "n", "start_us": 1}}),
            ]),
            "line 2: trace_id",
        ),
    ] {
        let response =
            stage.client.post(stage.url("/api/v1/live")).body(body).send().await.unwrap();
        assert_eq!(response.status(), 400);
        let error: Value = response.json().await.unwrap();
        let said = error["error"]["message"].as_str().unwrap();
        assert!(said.starts_with(message), "{said}");
    }
}

#[tokio::test]
async fn what_begins_and_ends_with_its_process_at_once_does_not_run_for_ever() {
    let stage = Stage::with(|options| options.live_timeout = Duration::from_secs(3600)).await;
    let mut events = Events::open(&stage, "/api/v1/stream").await;
    let bye = json!({"bye": {}});
    announce(&stage, lines(&[process(), start("02"), bye.clone()])).await;
    assert_eq!(events.next("span_end").await["span_id"], "02".repeat(8));
    announce(&stage, lines(&[process(), start("03")])).await;
    announce(&stage, lines(&[process(), start("04"), bye])).await;
    let mut gone = [events.next("span_end").await, events.next("span_end").await];
    gone.sort_by_key(|span| span["span_id"].to_string());
    assert_eq!(gone[0]["span_id"], "03".repeat(8));
    assert_eq!(
        (&gone[1]["span_id"], &gone[1]["state"]),
        (&json!("04".repeat(8)), &json!("abandoned"))
    );
    stage.running.stop().await;
}

#[tokio::test]
async fn what_is_kept_of_a_process_is_small() {
    let stage = Stage::new().await;
    let endless = json!({"process": {"id": "p".repeat(1000)}});
    let request = stage.client.post(stage.url("/api/v1/live")).body(lines(&[endless]));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let said: Value = answer.json().await.unwrap();
    assert!(said["error"]["message"].as_str().unwrap().starts_with("line 1: id"), "{said}");
    let service = json!({"process": {"id": "p-1", "service": "s".repeat(100_000)}});
    let health = json!({"health": {"log": "x".repeat(1_000_000)}});
    announce(&stage, lines(&[service, health])).await;
    let health = stage.get("/api/v1/health").await;
    assert!(health.to_string().len() < 10_000, "{}", health.to_string().len());
    assert_eq!(health["senders"][0]["process"], "p-1");
    stage.running.stop().await;
}

#[tokio::test]
async fn a_proxy_in_between_is_told_to_hold_nothing_back() {
    let stage = Stage::new().await;
    let request = stage.client.get(stage.url("/api/v1/stream")).bearer_auth(&stage.running.token);
    let headers = request.send().await.unwrap().headers().clone();
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(headers["cache-control"], "no-cache");
    stage.running.stop().await;
}

#[tokio::test]
async fn words_of_a_stream_are_found_wherever_the_lists_find_them() {
    let stage = Stage::with(|options| options.live_timeout = Duration::from_secs(3600)).await;
    let late = |what: &str| format!("{} {what}", "please ".repeat(2000));
    let mut oat = Events::open(&stage, "/api/v1/stream?q=oat").await;
    let mut phrase = Events::open(&stage, "/api/v1/stream?q=%22of+oat%22").await;
    let mut neither = Events::open(&stage, "/api/v1/stream?q=-oat").await;
    let other = asking("03", "Tea?");
    announce(&stage, lines(&[process(), other, asking("02", &late("a cup of oat"))])).await;
    assert_eq!(oat.next("span_start").await["span_id"], "02".repeat(8));
    assert_eq!(phrase.next("span_start").await["span_id"], "02".repeat(8));
    assert_eq!(neither.next("span_start").await["span_id"], "03".repeat(8));
    // What came out, and what only events say.
    stage.send(vec![span_with_input(3, "Tea?"), span_with_input(4, &late("made of oat"))]).await;
    assert_eq!(oat.next("span_end").await["span_id"], "04".repeat(8));
    assert_eq!(phrase.next("span_end").await["span_id"], "04".repeat(8));
    assert_eq!(neither.next("span_end").await["span_id"], "03".repeat(8));
    // What was given up is known by what it was asked.
    announce(&stage, lines(&[process(), json!({"bye": {}})])).await;
    assert_eq!(oat.next("span_end").await["state"], "abandoned");
    stage.running.stop().await;
}

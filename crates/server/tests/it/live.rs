//! Spans that are announced when they begin, and the stream that tells of them.

use crate::stage::{Stage, span};
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

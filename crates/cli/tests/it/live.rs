//! Programs that find the server, and a call that is seen while it runs.

use crate::stage::Stage;
use glassbox::telemetry::address::ServerAddress;
use glassbox::telemetry::destination::Destination;
use glassbox::telemetry::observe::Observe;
use glassbox::{Bus, Lm, Message, Request, scope};
use glassbox_sim::{Latency, Sim};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the call takes.
const CALL: Duration = Duration::from_secs(5);

fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// A provider that takes its time.
fn slow_provider() -> Sim {
    let latency = Latency { first_token: CALL, ..Latency::none() };
    Sim::builder().latency(latency).speed(1.0).start().unwrap()
}

/// What the stream told, and when it came.
struct Told {
    events: Vec<(u64, String, Value)>,
}

impl Told {
    fn of(&self, name: &str) -> &(u64, String, Value) {
        let event = self
            .events
            .iter()
            .find(|(_, event, span)| event == name && span["kind"] == "generation");
        event.unwrap_or_else(|| panic!("no {name} in {:?}", self.events))
    }
}

/// Reads the stream until a root has ended.
async fn read(stage: &Stage, ready: tokio::sync::oneshot::Sender<()>) -> Told {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("{}/api/v1/stream", stage.url())).bearer_auth(stage.token());
    let mut response = request.send().await.unwrap();
    let (mut text, mut events, mut ready) = (String::new(), Vec::new(), Some(ready));
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((block, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            let (name, data) = (field("event:"), field("data:"));
            text = rest.to_owned();
            if name == "heartbeat" {
                let _ = ready.take().map(|ready| ready.send(()));
            }
            let data: Value = serde_json::from_str(&data).unwrap();
            let is_last = name == "span_end" && data["kind"] == "generation";
            events.push((now_us(), name, data));
            if is_last {
                return Told { events };
            }
        }
    }
    panic!("the stream ended");
}

#[allow(clippy::print_stdout, reason = "the figures are worth seeing")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_seen_when_it_begins_and_when_it_ends() {
    let stage = Stage::new();
    // As `observe()` finds it.
    let address = ServerAddress::find(&stage.folder.path().join("glassbox")).unwrap();
    assert_eq!((address.url.as_str(), address.pid), (stage.url(), Some(stage.child.id())));
    let bus = Bus::new();
    let observe = Observe::new().bus(&bus).service_name("slow");
    let observing = observe.destination(Destination::server(&address).unwrap()).start().unwrap();
    let sim = slow_provider();
    let lm =
        Lm::builder("openai/gpt-4o-mini").base_url(sim.openai_url()).api_key("k").build().unwrap();

    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let program = async {
        is_ready.await.unwrap();
        let request = Request::new(vec![Message::user("Hello?")]);
        let call = scope().bus(&bus).session("s-1").run(lm.generate(request));
        call.await.unwrap();
    };
    let (told, ()) = tokio::join!(read(&stage, ready), program);

    let (started_at, _, start) = told.of("span_start");
    let (ended_at, _, end) = told.of("span_end");
    assert_eq!((&start["state"], &start["model"]), (&json!("running"), &json!("gpt-4o-mini")));
    assert_eq!((&end["state"], &end["span_id"]), (&json!("done"), &start["span_id"]));
    assert!(end["duration_us"].as_u64().unwrap() >= 5_000_000);
    let start_late = started_at - start["start_us"].as_u64().unwrap();
    let end_late = ended_at - end["end_us"].as_u64().unwrap();
    println!("seen {start_late} us after its start, {end_late} us after its end");
    // Measured: a twentieth of it. The machine may be loaded; without announcements the first would be five seconds.
    assert!(start_late < 2_000_000 && end_late < 2_000_000, "{start_late} us, {end_late} us");
    observing.shutdown().await.unwrap();
}

#[test]
fn a_program_finds_the_server_and_leaves_in_good_order() {
    let stage = Stage::new();
    let summary = stage.demo();
    assert_eq!(summary["failed"], 0);
    let traces = stage.get("/api/v1/traces");
    let traces = traces["items"].as_array().unwrap();
    assert_eq!(traces.len(), 8, "{traces:?}");
    for trace in traces {
        assert_eq!((&trace["state"], &trace["spans"]), (&json!("done"), &json!(3)), "{trace}");
        assert_eq!(trace["service"], "coffee-shop");
    }
}

#[test]
fn a_server_that_was_killed_is_not_found() {
    let mut stage = Stage::new();
    let folder = stage.folder.path().join("glassbox");
    assert!(ServerAddress::find(&folder).is_some());
    stage.child.kill().unwrap();
    stage.child.wait().unwrap();
    assert!(folder.join("server.json").exists());
    assert!(ServerAddress::find(&folder).is_none());
    // Nothing waits for it, either.
    stage.demo();
}

#[test]
fn programs_can_be_told_to_leave_the_server_alone() {
    let stage = Stage::new();
    let mut command = stage.command(&["demo", "--speed", "0", "--json"]);
    crate::command::json(command.env("GLASSBOX_SERVER", "off"));
    assert_eq!(stage.get("/api/v1/traces")["items"], json!([]));
}

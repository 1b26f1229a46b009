//! Announcements of spans that begin: what strangers are not told, and what a server that hangs cannot do.

use crate::receiver::{Receiver, Reply};
use crate::spans::{end, health, observe, root};
use glassbox_events::bus::Bus;
use glassbox_telemetry::address::ServerAddress;
use glassbox_telemetry::config::Settings;
use glassbox_telemetry::destination::Destination;
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::Span;
use serde_json::Value;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

fn begin(observing: &Observing, span: &Span) {
    observing.processor().on_start(&Arc::new(Span { end: None, ..span.clone() }));
}

/// Waits for something that happens on other threads.
#[track_caller]
fn wait_for(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not happen");
        sleep(Duration::from_millis(10));
    }
}

fn is_announcement(path: &str) -> bool {
    path == "/api/v1/live"
}

#[test]
fn a_receiver_that_is_no_server_is_told_nothing() {
    let answers = |path: &str| match path {
        "/v1/traces" => 200.into(),
        // A portal answers everything, a collector nothing else.
        _ => Reply::from(404).body("{\"name\":\"collector\"}"),
    };
    let receiver = Receiver::start(move |_, request| answers(&request.path));
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::from_lookup(|name| match name {
        "XDG_RUNTIME_DIR" | "XDG_STATE_HOME" => folder.path().to_str().map(Into::into),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(receiver.base.clone()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=Bearer secret".to_owned()),
        _ => None,
    });
    let observe = Observe::from_settings(settings.unwrap()).bus(&Bus::new());
    let observing = observe.start().unwrap();
    let asked = || {
        let requests = receiver.requests().into_iter();
        requests.filter(|request| request.path != "/v1/traces").collect::<Vec<_>>()
    };
    wait_for(|| !asked().is_empty());
    // Longer than whoever does not answer is left alone.
    let span = root("a question");
    begin(&observing, &span);
    sleep(Duration::from_millis(3500));
    end(&observing, span);
    observing.flush_blocking(Duration::from_secs(30)).unwrap();
    assert_eq!(receiver.accepted().iter().filter(|name| *name == "a question").count(), 1);
    let asked = asked();
    let [question] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((question.method.as_str(), question.path.as_str()), ("GET", "/healthz"));
    assert_eq!(question.header("authorization"), "");
}

/// What went in, as long as anybody holds on to it.
struct Input;

impl Render for Input {
    fn render(&self) -> Value {
        "x".repeat(1000).into()
    }
}

#[test]
fn a_server_that_hangs_holds_on_to_nothing_that_has_ended() {
    let receiver = Receiver::start(|_, request| {
        let delay = Duration::from_secs(if is_announcement(&request.path) { 3600 } else { 0 });
        Reply::from(200).delay(delay)
    });
    let observing = observe(Destination::server(&ServerAddress::new(&receiver.base)).unwrap());
    wait_for(|| receiver.requests().iter().any(|request| is_announcement(&request.path)));
    let input: Arc<dyn Render> = Arc::new(Input);
    for _ in 0..10 {
        // As many as may wait, again and again.
        for _ in 0..2000 {
            let span = Span { input: Some(Payload::Value(Arc::clone(&input))), ..root("short") };
            begin(&observing, &span);
            end(&observing, span);
        }
        sleep(Duration::from_millis(200));
    }
    observing.flush_blocking(Duration::from_secs(60)).unwrap();
    wait_for(|| Arc::strong_count(&input) == 1);
    assert_eq!((health(&observing).exported, health(&observing).unannounced), (20_000, 0));
    // Nor is it waited for in the end.
    drop(observing);
}

#[test]
fn a_server_that_knows_nobody_is_not_told_again_and_again() {
    let receiver = Receiver::start(|_, request| {
        Reply::from(200).body(if is_announcement(&request.path) {
            r#"{"known":false}"#
        } else {
            ""
        })
    });
    let observing = observe(Destination::server(&ServerAddress::new(&receiver.base)).unwrap());
    // More than fit into one request.
    let spans: Vec<_> = (0..2500).map(|_| root("long")).collect();
    spans.iter().for_each(|span| begin(&observing, span));
    let told = || {
        let requests = receiver.requests().into_iter();
        let lines = requests.flat_map(|request| request.lines);
        lines.filter(|line| line.starts_with(r#"{"start""#)).count()
    };
    wait_for(|| told() >= spans.len());
    sleep(Duration::from_secs(2));
    assert!(told() <= 2 * spans.len(), "{}", told());
    spans.into_iter().for_each(|span| end(&observing, span));
    drop(observing);
}

//! What becomes of a batch when the destination does not simply take it.

use crate::logs;
use crate::receiver::{Receiver, Reply, own_address};
use crate::spans::{child, end, end_many, health, observe, otlp, quick, root};
use glassbox_telemetry::destination::{Compression, Destination, OtlpConfig};
use glassbox_telemetry::health::DropReason;
use glassbox_telemetry::limits::Limits;
use glassbox_trace::payload::{Payload, Render};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::Value;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(8);

#[test]
fn what_may_pass_is_tried_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        let receiver =
            Receiver::start(move |number, _| if number < 2 { status.into() } else { 200.into() });
        let observing = observe(otlp(&receiver));
        end_many(&observing, 3);
        assert_eq!(observing.flush_blocking(PATIENCE).unwrap().exported(), 3, "{status}");
        let health = health(&observing);
        assert_eq!((health.requests, health.retries, health.exported), (3, 2, 3), "{status}");
        assert!(health.last_error.unwrap().starts_with(&status.to_string()));
        assert_eq!(receiver.accepted(), ["0", "1", "2"]);
    }
}

#[test]
fn what_does_not_pass_is_not() {
    for status in [404, 405, 415, 501, 301] {
        let receiver = Receiver::start(move |_, _| status.into());
        let observing = observe(otlp(&receiver));
        end_many(&observing, 3);
        let error = observing.flush_blocking(PATIENCE).unwrap_err();
        assert_eq!(
            (error.report().destinations[0].lost, receiver.requests().len()),
            (3, 1),
            "{error}"
        );
        assert_eq!(health(&observing).dropped.of(DropReason::Rejected), 3);
    }
}

#[test]
fn a_pause_that_is_asked_for_is_kept_even_when_a_flush_waits() {
    let receiver = Receiver::start(|number, _| match number {
        0 => Reply::from(429).header("retry-after", "1"),
        _ => 200.into(),
    });
    let observing = observe(otlp(&receiver));
    end(&observing, root("a"));
    observing.flush_blocking(PATIENCE).unwrap();
    let requests = receiver.requests();
    let pause = requests[1].at - requests[0].at;
    assert!(pause >= Duration::from_secs(1) && pause < Duration::from_secs(3), "{pause:?}");
}

#[test]
fn a_destination_that_comes_up_late_misses_nothing() {
    logs::keep();
    let address = own_address();
    let config = OtlpConfig::new(format!("http://{address}/v1/traces"));
    let observing = observe(Destination::otlp(config).unwrap().limits(quick()).named("late"));

    end_many(&observing, 10);
    let error = observing.flush_blocking(Duration::from_millis(300)).unwrap_err();
    assert_eq!(
        (error.report().destinations[0].pending, error.report().destinations[0].lost),
        (10, 0),
        "{error}"
    );
    assert!(error.to_string().starts_with("late: 10 spans not yet delivered ("), "{error}");
    assert!(error.to_string().to_lowercase().contains("connection refused"), "{error}");

    let receiver = Receiver::at(TcpListener::bind(address).unwrap(), |_, _| 200.into());
    end_many(&observing, 5);
    assert_eq!(observing.flush_blocking(PATIENCE).unwrap().exported(), 15);
    assert_eq!(receiver.accepted().len(), 15);
    // However often it was tried, it was told once.
    let logged = logs::about("late does not take spans");
    assert_eq!(logged.len(), 1, "{logged:?}");
}

#[test]
fn a_batch_is_given_up_after_its_time() {
    let receiver = Receiver::start(|_, _| 503.into());
    let limits = Limits { give_up_after: Duration::from_millis(100), ..quick() };
    let observing = observe(otlp(&receiver).limits(limits));
    end_many(&observing, 4);
    let began = Instant::now();
    let error = observing.flush_blocking(PATIENCE).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(error.to_string(), "otlp: 4 spans lost (503 Service Unavailable)");
    assert_eq!(health(&observing).dropped.of(DropReason::Undeliverable), 4);
}

#[test]
fn a_destination_that_hangs_is_tried_again() {
    let receiver = Receiver::start(|number, _| match number {
        0 => Reply::from(200).delay(Duration::from_secs(60)),
        _ => 200.into(),
    });
    let limits = Limits { request_timeout: Duration::from_millis(100), ..quick() };
    let observing = observe(otlp(&receiver).limits(limits));
    end(&observing, root("a"));
    observing.flush_blocking(PATIENCE).unwrap();
    let health = health(&observing);
    // On a machine that is busy, the second one may take too long as well.
    assert!(health.exported == 1 && health.retries >= 1, "{health:?}");
    assert!(health.last_error.as_ref().unwrap().contains("timed out"), "{health:?}");
}

#[test]
fn wrong_credentials_are_told_once_and_not_repeated() {
    logs::keep();
    for (status, name) in [(401, "locked-out"), (403, "forbidden")] {
        let receiver = Receiver::start(move |_, _| Reply::from(status).body("no such key"));
        let observing = observe(otlp(&receiver).named(name));
        for _ in 0..3 {
            end(&observing, root("a"));
            observing.flush_blocking(PATIENCE).unwrap_err();
        }
        let health = health(&observing);
        assert_eq!(
            (health.dropped.of(DropReason::Unauthorized), health.requests, health.retries),
            (3, 3, 0)
        );
        drop(observing);

        let logged = logs::about(name);
        assert_eq!(logged.len(), 2, "the error, and the total at the end: {logged:?}");
        assert_eq!(logged[0].0, tracing::Level::ERROR);
        assert!(
            logged[0].1.contains("no such key; check OTEL_EXPORTER_OTLP_HEADERS"),
            "{logged:?}"
        );
        assert!(
            logged[1].1.starts_with(&format!("{name} lost 3 of 3 spans (3 unauthorized)")),
            "{logged:?}"
        );
    }
}

#[test]
fn a_batch_that_is_too_large_is_halved() {
    let receiver =
        Receiver::start(
            |_, request| if request.names().len() > 100 { 413.into() } else { 200.into() },
        );
    let observing = observe(otlp(&receiver));
    end_many(&observing, 500);
    assert_eq!(observing.flush_blocking(PATIENCE).unwrap().exported(), 500);
    let expected: Vec<_> = (0..500).map(|number| number.to_string()).collect();
    assert_eq!(receiver.accepted(), expected);
}

#[test]
fn a_span_that_alone_is_too_large_is_lost_alone() {
    let receiver = Receiver::start(|_, request| {
        if request.names().contains(&"3".into()) { 413.into() } else { 200.into() }
    });
    let observing = observe(otlp(&receiver));
    end_many(&observing, 8);
    let error = observing.flush_blocking(PATIENCE).unwrap_err();
    assert_eq!((error.report().exported(), error.report().destinations[0].lost), (7, 1));
    assert_eq!(health(&observing).dropped.of(DropReason::TooLarge), 1);
}

#[test]
fn one_malformed_span_costs_one_span() {
    let is_poisoned = |names: &[String]| names.iter().any(|name| name == "poison");
    let receiver =
        Receiver::start(
            move |_, request| if is_poisoned(&request.names()) { 400.into() } else { 200.into() },
        );
    let observing = observe(otlp(&receiver));
    for number in 0..500 {
        let name = if number == 321 { "poison".to_owned() } else { number.to_string() };
        end(&observing, child(&name));
    }
    let error = observing.flush_blocking(PATIENCE).unwrap_err();
    assert_eq!((error.report().exported(), error.report().destinations[0].lost), (499, 1));
    let health = health(&observing);
    assert_eq!(health.dropped.of(DropReason::Rejected), 1);
    assert!(health.requests <= 20, "{health:?}");
}

#[test]
fn a_destination_that_finds_all_malformed_is_not_flooded() {
    let receiver = Receiver::start(|_, _| 400.into());
    let observing = observe(otlp(&receiver));
    for _ in 0..2 {
        end_many(&observing, 512);
        observing.flush_blocking(PATIENCE).unwrap_err();
    }
    let health = health(&observing);
    assert_eq!(health.dropped.of(DropReason::Rejected), 1024);
    assert!(health.requests < 50, "{health:?}");
}

#[test]
fn a_value_that_panics_costs_one_span() {
    struct Panics;
    impl Render for Panics {
        fn render(&self) -> Value {
            panic!("not today")
        }
    }

    let receiver = Receiver::ok();
    let observing = observe(otlp(&receiver));
    end_many(&observing, 10);
    let mut span = child("panics");
    span.input = Some(Payload::shared(Arc::new(Panics)));
    end(&observing, span);
    end_many(&observing, 10);
    let error = observing.flush_blocking(PATIENCE).unwrap_err();
    assert_eq!((error.report().exported(), error.report().destinations[0].lost), (20, 1));
    assert_eq!(health(&observing).dropped.of(DropReason::Unencodable), 1);
    // The worker goes on.
    end(&observing, root("a"));
    observing.flush_blocking(PATIENCE).unwrap();
}

#[test]
fn spans_that_are_accepted_in_part_are_counted() {
    let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".into() };
    let protobuf = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let json =
        r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#.as_bytes().to_vec();
    for (kind, body) in [("application/x-protobuf", protobuf), ("application/json", json)] {
        let receiver = Receiver::start(move |_, _| {
            Reply::from(200).header("content-type", kind).body(body.clone())
        });
        let observing = observe(otlp(&receiver));
        end_many(&observing, 5);
        let error = observing.flush_blocking(PATIENCE).unwrap_err();
        assert_eq!(error.to_string(), "otlp: 2 spans lost (too old)");
        assert_eq!((error.report().exported(), receiver.requests().len()), (3, 1));
    }
}

#[test]
fn requests_are_bounded_by_spans_and_bytes() {
    let receiver = Receiver::ok();
    let observing = observe(otlp(&receiver).limits(Limits { batch_spans: 7, ..quick() }));
    end_many(&observing, 30);
    observing.flush_blocking(PATIENCE).unwrap();
    assert!(receiver.requests().iter().all(|request| request.names().len() <= 7));

    let receiver = Receiver::ok();
    let config =
        OtlpConfig { compression: Compression::Gzip, ..OtlpConfig::new(receiver.traces_url()) };
    let destination = Destination::otlp(config).unwrap();
    let observing = observe(destination.limits(Limits { batch_bytes: 50_000, ..quick() }));
    for _ in 0..10 {
        let mut span = child("heavy");
        // The weight of a text is known without rendering it, that of a value is not.
        span.input = Some("x".repeat(10_000).into());
        span.output = Some(Value::from("y".repeat(10_000)).into());
        end(&observing, span);
    }
    observing.flush_blocking(PATIENCE).unwrap();
    let sizes: Vec<_> = receiver.requests().iter().map(|request| request.names().len()).collect();
    assert!(sizes.iter().all(|size| *size <= 2), "{sizes:?}");
    let health = health(&observing);
    assert_eq!(health.exported, 10);
    assert!(health.bytes_raw > 200_000 && health.bytes_sent < health.bytes_raw / 10, "{health:?}");
    assert!(!health.worker_busy.is_zero());
}

#[test]
fn what_was_in_flight_when_the_credentials_were_refused_is_sent_when_they_are_accepted() {
    let receiver = Receiver::start(|number, _| if number < 6 { 401.into() } else { 200.into() });
    let limits = Limits { batch_spans: 10, refusal_pause: Duration::from_millis(50), ..quick() };
    let observing = observe(otlp(&receiver).limits(limits));
    end_many(&observing, 100);
    // Nobody waits for a flush: that would tell at once that they are refused, and give them up.
    let began = Instant::now();
    while health(&observing).exported < 100 {
        assert!(began.elapsed() < PATIENCE, "{}", health(&observing));
        std::thread::sleep(Duration::from_millis(5));
    }
    let health = health(&observing);
    assert_eq!((health.dropped.total(), health.is_unauthorized), (0, false), "{health}");
    assert_eq!(receiver.accepted().len(), 100);
}

#[test]
fn full_batches_go_several_at_a_time() {
    let receiver = Receiver::start(|_, _| Reply::from(200).delay(Duration::from_millis(100)));
    let observing = observe(otlp(&receiver).limits(Limits { batch_spans: 100, ..quick() }));
    let began = Instant::now();
    end_many(&observing, 2000);
    observing.flush_blocking(PATIENCE).unwrap();
    // One at a time, it would be two seconds.
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    assert_eq!(receiver.accepted().len(), 2000);
}

#[test]
fn a_batch_goes_when_it_is_old_or_full() {
    let receiver = Receiver::ok();
    let limits = Limits { batch_age: Duration::from_millis(200), batch_spans: 10, ..quick() };
    let observing = observe(otlp(&receiver).limits(limits));
    let began = Instant::now();
    end_many(&observing, 10);
    let wait_for = |count: usize| {
        while receiver.accepted().len() < count {
            assert!(began.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(2));
        }
        receiver.requests().last().unwrap().at - began
    };
    assert!(wait_for(10) < Duration::from_millis(150), "full");
    let began_waiting = began.elapsed();
    end(&observing, root("a"));
    let waited = wait_for(11) - began_waiting;
    assert!(waited > Duration::from_millis(150) && waited < Duration::from_secs(1), "{waited:?}");
}

#[test]
fn a_span_is_found_whether_the_worker_dozes_or_sleeps() {
    let receiver = Receiver::ok();
    let limits = Limits { batch_age: Duration::from_millis(50), ..quick() };
    let observing = observe(otlp(&receiver).limits(limits));
    for (number, pause) in [0, 10, 49, 50, 51, 75, 200].into_iter().enumerate() {
        std::thread::sleep(Duration::from_millis(pause));
        let ended = Instant::now();
        end(&observing, root("a"));
        while receiver.accepted().len() <= number {
            assert!(ended.elapsed() < Duration::from_secs(1), "after a pause of {pause} ms");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

//! Every span is exported or counted as lost, whatever happens; and what is lost first.

use crate::logs;
use crate::receiver::{Receiver, Reply};
use crate::spans::{child, end, end_many, health, observe, otlp, quick, root};
use glassbox_events::bus::Bus;
use glassbox_telemetry::destination::Destination;
use glassbox_telemetry::health::DropReason;
use glassbox_telemetry::limits::Limits;
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_trace::id::TraceId;
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Span, Status};
use proptest::prelude::*;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A receiver that answers nothing before it is told to, and an observer whose worker waits for it.
fn blocked(limits: Limits, name: &str) -> (Receiver, SyncSender<()>, Observing) {
    let (go, may_go) = sync_channel::<()>(1);
    let may_go = Mutex::new(may_go);
    let receiver = Receiver::start(move |number, _| {
        if number == 0 {
            may_go.lock().unwrap().recv().unwrap();
        }
        200.into()
    });
    let observing = observe(otlp(&receiver).limits(limits).named(name));
    end(&observing, root("first"));
    while health(&observing).in_flight == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    (receiver, go, observing)
}

#[test]
fn a_full_queue_keeps_roots_and_errors_and_the_newest() {
    logs::keep();
    let (receiver, go, observing) = blocked(Limits { queue_spans: 10, ..quick() }, "overfull");
    for number in 0..5 {
        end(&observing, root(&format!("root {number}")));
        end(
            &observing,
            Span {
                status: Status::error("timeout", "too slow"),
                ..child(&format!("error {number}"))
            },
        );
        end_many(&observing, 2);
    }
    let held = health(&observing);
    assert_eq!((held.queued, held.dropped.of(DropReason::Overflow)), (10, 10));
    // With nothing else left, the oldest go.
    end(&observing, root("root 5"));

    go.send(()).unwrap();
    let error = observing.flush_blocking(Duration::from_secs(5)).unwrap_err();
    assert_eq!(error.report().destinations[0].lost, 11);
    let mut expected = vec!["first".to_owned()];
    expected.extend(
        (0..5).flat_map(|number| [format!("root {number}"), format!("error {number}")]).skip(1),
    );
    expected.push("root 5".to_owned());
    assert_eq!(receiver.accepted(), expected);
    drop(observing);

    let logged = logs::about("overfull");
    assert_eq!(logged.len(), 2, "the first drop, and the total at the end: {logged:?}");
    assert!(logged[0].1.contains("overfull lost 11 spans (overflow)"), "{logged:?}");
    assert!(logged[1].1.starts_with("overfull lost 11 of 22 spans (11 overflow)"), "{logged:?}");
}

#[test]
fn the_queue_is_bounded_by_bytes_too() {
    let (receiver, go, observing) = blocked(Limits { queue_bytes: 100_000, ..quick() }, "heavy");
    for number in 0..10 {
        end(
            &observing,
            Span { input: Some("x".repeat(30_000).into()), ..child(&number.to_string()) },
        );
    }
    // Heavier than the whole queue: it waits alone.
    end(&observing, Span { input: Some("x".repeat(300_000).into()), ..child("giant") });
    assert_eq!(health(&observing).queued, 1);
    go.send(()).unwrap();
    observing.flush_blocking(Duration::from_secs(5)).unwrap_err();
    assert_eq!(receiver.accepted(), ["first", "giant"]);
}

#[test]
fn a_burst_fits_into_memory_by_default() {
    for bytes in [500, 4096] {
        let limits = Limits { batch_spans: 512, ..Limits::default() };
        let (_receiver, go, observing) = blocked(limits, "bursting");
        // The same text counts for each span as if it were its own.
        let text = Payload::from("x".repeat(bytes));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..12_500 {
                        let input = Some(text.clone());
                        end(&observing, Span { input, ..child("burst") });
                    }
                });
            }
        });
        let health = health(&observing);
        assert_eq!((health.ended, health.dropped.total()), (100_001, 0), "{health}");
        // Nobody waits for them here.
        std::mem::forget((observing, go));
    }
}

#[test]
fn a_line_tells_how_it_is_going() {
    let receiver = Receiver::start(|number, _| if number == 0 { 404.into() } else { 200.into() });
    let observing = observe(otlp(&receiver));
    for _ in 0..2 {
        end_many(&observing, 3);
        let _ = observing.flush_blocking(Duration::from_secs(5));
    }
    let line = health(&observing).to_string();
    let expected = "otlp: 3 sent, 3 dropped (3 rejected), 0.";
    assert!(line.starts_with(expected), "{line}");
    assert!(line.ends_with(" kB in 2 requests, last error: 404 Not Found"), "{line}");
}

#[test]
fn a_sample_keeps_whole_traces_and_is_not_a_loss() {
    let receiver = Receiver::ok();
    let memory = Destination::memory();
    let observing = Observe::new()
        .bus(&Bus::new())
        .destination(otlp(&receiver).sample_rate(0.25))
        .destination(&memory)
        .start()
        .unwrap();
    for number in 0..400_u64 {
        // Ids whose lower half is spread evenly.
        let mut above = root("root");
        let spread = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        above.trace_id = TraceId::from_bytes((1 << 64 | spread).to_be_bytes());
        end(
            &observing,
            Span { name: "child".into(), parent_id: Some(above.span_id), ..root("child") },
        );
        end(&observing, above);
    }
    observing.flush_blocking(Duration::from_secs(5)).unwrap();
    let health = &observing.health().destinations[0];
    assert!(health.is_balanced());
    assert_eq!(health.ended + health.sampled_out, 800);
    let roots = receiver.accepted().iter().filter(|name| *name == "root").count();
    assert!((90..=110).contains(&roots), "{roots}");
    assert_eq!(memory.spans().len(), 800);
}

#[test]
fn the_hot_path_is_measured_if_asked() {
    let memory = Destination::memory();
    let observe = Observe::new().bus(&Bus::new()).destination(&memory).measure_hot_path(true);
    let observing = observe.start().unwrap();
    let span = Arc::new(root("a"));
    observing.processor().on_start(&span);
    observing.processor().on_end(&span);
    let health = observing.health();
    assert_eq!((health.started, health.hot_path.calls), (1, 2));
    assert!(health.hot_path.time.unwrap() < Duration::from_millis(5), "{health:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever a destination answers, the books are balanced at every moment, and say what the destination has.
    #[test]
    fn the_books_are_balanced(
        statuses in prop::collection::vec(prop::sample::select(vec![200_u16, 200, 200, 400, 401, 404, 413, 429, 500, 503]), 1..30),
        bursts in prop::collection::vec(1_usize..60, 1..8),
        batch_spans in 1_usize..40,
        queue_spans in 20_usize..100,
        ends_by_shutdown: bool,
    ) {
        let receiver = Receiver::start(move |number, _| match statuses.get(number) {
            Some(429) => Reply::from(429).header("retry-after", "0"),
            Some(status) => (*status).into(),
            None => 200.into(),
        });
        let limits = Limits { batch_spans, queue_spans, give_up_after: Duration::from_millis(30), ..quick() };
        let observing = observe(otlp(&receiver).limits(limits));
        let processor = Arc::clone(observing.processor());
        for burst in &bursts {
            end_many(&observing, *burst);
            health(&observing);
            std::thread::yield_now();
        }
        if ends_by_shutdown {
            drop(observing);
        } else {
            let _ = observing.flush_blocking(Duration::from_secs(5));
        }
        let health = processor.health().destinations.remove(0);
        prop_assert!(health.is_balanced(), "{:?}", health);
        prop_assert_eq!((health.queued, health.in_flight), (0, 0));
        prop_assert_eq!(health.ended, bursts.iter().sum::<usize>() as u64);
        prop_assert_eq!(health.exported, receiver.accepted().len() as u64);
        prop_assert_eq!(health.requests, receiver.requests().len() as u64);
    }
}

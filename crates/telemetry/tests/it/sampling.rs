//! What is not in the sample: it feeds events and budgets, follows the caller, and is exported if it fails.

use crate::receiver::Receiver;
use crate::spans::{child, end, health, observe, otlp, root};
use glassbox_events::bus::{Bus, Subscriber};
use glassbox_events::context::Context;
use glassbox_events::event::Event;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::propagation::{TRACEPARENT, parse};
use glassbox_events::run::Stop;
use glassbox_events::scope::Scope;
use glassbox_telemetry::destination::Destination;
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_trace::span::{Detail, Generation, Span, Status};
use glassbox_trace::usage::Usage;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn flush(observing: &Observing) {
    observing.flush_blocking(Duration::from_secs(5)).unwrap();
}

/// A span that stands below another one.
fn below(above: &Span, name: &str) -> Span {
    Span { trace_id: above.trace_id, parent_id: Some(above.span_id), ..child(name) }
}

fn failed(span: Span) -> Span {
    Span { status: Status::error("timeout", "too slow"), ..span }
}

/// Counts the tokens of all generations, as a budget does.
#[derive(Default)]
struct Tokens(AtomicU64);

impl Subscriber for Tokens {
    fn on_event(&self, event: &Event) -> Result<(), Stop> {
        let Some(Detail::Generation(generation)) = event.subject().map(|span| &span.detail) else {
            return Ok(());
        };
        let tokens = self.0.fetch_add(generation.usage.total(), Ordering::Relaxed);
        if tokens > 250 { Err(Stop::new("too many tokens")) } else { Ok(()) }
    }
}

#[test]
fn what_is_not_in_the_sample_feeds_events_and_budgets() {
    let bus = Bus::new();
    let memory = Destination::memory();
    let destination = Destination::from(&memory).sample_rate(0.0);
    let observing = Observe::new().bus(&bus).destination(destination).start().unwrap();
    let tokens = Arc::new(Tokens::default());
    let _counting =
        bus.subscribe("llm.generate", Arc::clone(&tokens) as Arc<dyn Subscriber>).unwrap();

    let scope = Scope::new().bus(&bus);
    let run = scope.context().run().unwrap().clone();
    for call in 0..4 {
        assert!(run.stopped().is_none(), "after {call}");
        let mut span = OpenSpan::begin(
            scope.context(),
            Family::Llm,
            &"chat".into(),
            Detail::Generation(Box::default()),
            None,
        );
        span.edit(|span| {
            let usage = Usage { input: Some(90), output: Some(10), ..Usage::default() };
            span.detail =
                Detail::Generation(Box::new(Generation { usage, ..Generation::default() }));
        });
        span.end(Status::Ok, None);
    }
    assert_eq!(tokens.0.load(Ordering::Relaxed), 400);
    assert!(run.stopped().is_some());
    assert!(memory.spans().is_empty());
    assert_eq!((health(&observing).sampled_out, health(&observing).ended), (4, 0));
}

#[test]
fn the_caller_decides_for_the_whole_trace_if_it_is_followed() {
    let bus = Bus::new();
    let (followed, alone) = (Destination::memory(), Destination::memory());
    let _observing = Observe::new()
        .bus(&bus)
        .destination(Destination::from(&followed).sample_rate(0.0).follow_parent(true))
        .destination(Destination::from(&alone).sample_rate(0.0))
        .start()
        .unwrap();
    for flags in ["00", "01"] {
        let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        let scope = Scope::new()
            .bus(&bus)
            .from_headers(|name| (name == "traceparent").then_some(parent.as_str()));
        let begin = |above: &Context, name: &str| {
            OpenSpan::begin(
                above,
                Family::Module,
                &format!("{name} {flags}").into(),
                Detail::Span,
                None,
            )
        };
        let above = begin(scope.context(), "above");
        begin(above.context(), "below").end(Status::Ok, None);
        above.end(Status::Ok, None);
    }
    let names: Vec<_> = followed.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["below 01", "above 01"]);
    assert!(alone.spans().is_empty());
}

#[test]
fn a_trace_that_fails_is_exported_whole_though_not_in_the_sample() {
    let receiver = Receiver::ok();
    let observing = observe(otlp(&receiver).sample_rate(0.0).keep_errors());
    let (good, bad) = (root("good"), root("bad"));
    end(&observing, below(&good, "good 1"));
    end(&observing, below(&bad, "bad 1"));
    assert_eq!((health(&observing).held, health(&observing).ended), (2, 0));
    end(&observing, failed(below(&bad, "bad 2")));
    end(&observing, below(&bad, "bad 3"));
    end(&observing, bad);
    end(&observing, below(&good, "good 2"));
    end(&observing, good);
    end(&observing, failed(root("alone")));
    flush(&observing);
    assert_eq!(receiver.accepted(), ["bad 1", "bad 2", "bad 3", "bad", "alone"]);
    let health = health(&observing);
    assert_eq!((health.held, health.sampled_out, health.ended), (0, 3, 5));
}

#[test]
fn what_is_still_held_at_the_end_is_not_lost_but_out_of_the_sample() {
    let receiver = Receiver::ok();
    let observing = observe(otlp(&receiver).sample_rate(0.0).keep_errors());
    for number in 0..20_000 {
        end(&observing, child(&number.to_string()));
    }
    let held = health(&observing);
    assert_eq!((held.held, held.sampled_out), (16_384, 20_000 - 16_384));
    let processor = Arc::clone(observing.processor());
    drop(observing);
    let health = processor.health().destinations.remove(0);
    assert!(health.is_balanced());
    assert_eq!((health.held, health.sampled_out, health.dropped.total()), (0, 20_000, 0));
    assert!(receiver.requests().is_empty());
}

/// The flags that are handed on to another service from within a span.
fn handed_on(bus: &Bus, parent: Option<&str>) -> String {
    let scope = Scope::new().bus(bus);
    let scope = match parent.map(|parent| parse(parent, None).unwrap()) {
        Some(parent) => scope.remote_parent(parent),
        None => scope,
    };
    let span = OpenSpan::begin(scope.context(), Family::Module, &"a".into(), Detail::Span, None);
    let mut flags = String::new();
    span.context().inject(|name, value| {
        if name == TRACEPARENT {
            flags = value[value.len() - 2..].to_owned();
        }
    });
    span.end(Status::Ok, None);
    flags
}

#[test]
fn other_services_are_told_what_is_in_the_sample() {
    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const NOT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let observed = |rates: &[f64]| {
        let bus = Bus::new();
        let observe = rates.iter().fold(Observe::new().bus(&bus), |observe, rate| {
            let memory = Destination::memory();
            let named = Destination::from(&memory).named(format!("memory {rate}"));
            observe.destination(named.sample_rate(*rate))
        });
        (observe.start().unwrap(), bus)
    };
    let check = |rates: &[f64], parent, expected: &str| {
        let (_observing, bus) = observed(rates);
        assert_eq!(handed_on(&bus, parent), expected, "{rates:?} below {parent:?}");
    };
    check(&[1.0], None, "01");
    check(&[0.0], None, "00");
    check(&[0.0, 1.0], None, "01");
    // Where nobody keeps anything, the caller's word is handed on.
    assert_eq!(handed_on(&Bus::new(), None), "01");
    assert_eq!(handed_on(&Bus::new(), Some(SAMPLED)), "01");
    assert_eq!(handed_on(&Bus::new(), Some(NOT)), "00");
}

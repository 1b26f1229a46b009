//! Subscribers observe: they cannot fail the program, but they can stop a run.

use glassbox_events::bus::Bus;
use glassbox_events::context::Context;
use glassbox_events::event::{Event, EventName};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::run::Stop;
use glassbox_events::scope::Scope;
use glassbox_trace::span::{Detail, Status};
use std::sync::{Arc, Mutex};

/// Runs a module that does nothing, on a bus.
fn call(bus: &Bus) -> Context {
    let scope = Scope::new().bus(bus);
    let span = OpenSpan::begin(
        scope.context(),
        Family::Module,
        &"Step.forward".into(),
        Detail::Span,
        None,
    );
    let context = span.context().clone();
    span.end(Status::Ok, None);
    context
}

fn names_heard(
    bus: &Bus,
    pattern: &str,
) -> (glassbox_events::bus::Subscription, Arc<Mutex<Vec<EventName>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    (bus.on(pattern, move |event: &Event| hears.lock().unwrap().push(event.name())).unwrap(), heard)
}

#[test]
fn a_subscription_hears_what_it_asked_for_until_it_is_dropped() {
    let bus = Bus::new();
    let (subscription, heard) = names_heard(&bus, "module.complete");
    call(&bus);
    assert!(bus.wants(EventName::ModuleComplete) && !bus.wants(EventName::ModuleStart));
    drop(subscription);
    call(&bus);
    assert_eq!(*heard.lock().unwrap(), [EventName::ModuleComplete]);
    assert!(!bus.wants(EventName::ModuleComplete));
}

#[test]
fn a_subscription_for_ever_outlives_its_handle() {
    let bus = Bus::new();
    let (subscription, heard) = names_heard(&bus, "module.*");
    subscription.forever();
    call(&bus);
    assert_eq!(*heard.lock().unwrap(), [EventName::ModuleStart, EventName::ModuleComplete]);
}

#[test]
fn a_panic_in_a_subscriber_is_counted_and_nobody_else_notices() {
    let bus = Bus::new();
    let _panicking = bus.on("*", |_: &Event| -> () { panic!("a subscriber's own fault") }).unwrap();
    let (_subscription, heard) = names_heard(&bus, "*");
    call(&bus);
    assert_eq!(*heard.lock().unwrap(), [EventName::ModuleStart, EventName::ModuleComplete]);
    assert_eq!(bus.panics(), 2);
}

#[test]
fn a_stop_ends_the_run_once_and_is_told() {
    let bus = Bus::new();
    let (_subscription, heard) = names_heard(&bus, "run.stopped");
    let _stopping = bus.on("module.*", |_: &Event| Err(Stop::new("enough"))).unwrap();
    let context = call(&bus);
    assert_eq!(context.run().unwrap().stopped(), Some(&Stop::new("enough")));
    assert_eq!(
        *heard.lock().unwrap(),
        [EventName::RunStopped],
        "told once, although two events said stop"
    );
}

#[test]
fn a_subscriber_that_causes_what_it_hears_comes_to_an_end() {
    let bus = Bus::new();
    let inner = bus.clone();
    let _subscription = bus.on("module.start", move |_: &Event| _ = call(&inner)).unwrap();
    let (_counting, heard) = names_heard(&bus, "module.start");
    call(&bus);
    assert!(heard.lock().unwrap().len() < 100);
}

#[test]
fn a_channel_is_bounded_and_counts_what_it_missed() {
    let bus = Bus::new();
    let events = bus.channel("module.*", 3).unwrap();
    for _ in 0..4 {
        call(&bus);
    }
    let received = std::iter::from_fn(|| events.try_recv()).count();
    assert_eq!((received, events.missed()), (3, 5));
}

#[test]
fn a_span_that_is_dropped_ends_as_cancelled() {
    let bus = Bus::new();
    let statuses = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&statuses);
    let _subscription = bus
        .on("module.error", move |event: &Event| {
            seen.lock().unwrap().push(event.subject().map(|span| span.status.clone()));
        })
        .unwrap();
    let scope = Scope::new().bus(&bus);
    drop(OpenSpan::begin(
        scope.context(),
        Family::Module,
        &"Step.forward".into(),
        Detail::Span,
        None,
    ));
    let expected = Status::error("cancelled", "the call was cancelled before it ended");
    assert_eq!(*statuses.lock().unwrap(), [Some(expected)]);
}

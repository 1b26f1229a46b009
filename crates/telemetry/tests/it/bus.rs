//! From events on the bus to a tree of spans.

use crate::spans::{child, root};
use glassbox_events::bus::Bus;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, EventName, LlmAttempt};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::scope::Scope;
use glassbox_telemetry::destination::Destination;
use glassbox_telemetry::observe::Observe;
use glassbox_telemetry::tree::{render_timed_tree, render_tree};
use glassbox_trace::span::{Attempt, Chain, Detail, Status};
use std::sync::Arc;
use std::time::Duration;

fn begin(above: &Context, family: Family, name: &str, detail: Detail) -> OpenSpan {
    OpenSpan::begin(above, family, &name.into(), detail, None)
}

#[test]
fn a_program_becomes_a_tree() {
    let bus = Bus::new();
    let memory = Destination::memory();
    let observing = Observe::new().bus(&bus).destination(&memory).start().unwrap();

    let scope = Scope::new().bus(&bus);
    let agent = begin(scope.context(), Family::Module, "CoffeeShopAgent.forward", Detail::Span);
    let chain = Detail::Chain(Chain::default());
    let chain = begin(agent.context(), Family::Module, "ChainOfThought(CoffeeShop)", chain);
    let call =
        begin(chain.context(), Family::Llm, "chat gpt-4o-mini", Detail::Generation(Box::default()));
    let mut attempt = child("attempt 1 (429)");
    let place = call.context().span().unwrap();
    (attempt.trace_id, attempt.parent_id) = (place.trace_id, Some(place.span_id));
    attempt.status = Status::error("429", "slow down");
    attempt.detail =
        Detail::Attempt(Attempt { number: 1, http_status: Some(429), retry_after: None });
    let failed = Some(Arc::new(attempt));
    let (duration, http_status, retry_after) = (Duration::from_millis(1), Some(429), None);
    call.context().emit(EventData::LlmAttempt(LlmAttempt {
        number: 1,
        duration,
        http_status,
        retry_after,
        failed,
    }));
    call.end(Status::Ok, None);
    chain.end(Status::Ok, None);
    drop(begin(agent.context(), Family::Module, "Lookup.forward", Detail::Span));
    agent.end(Status::Ok, None);

    insta::assert_snapshot!(render_tree(&memory.spans()), @r"
    CoffeeShopAgent.forward [span]
      ChainOfThought(CoffeeShop) [chain]
        chat gpt-4o-mini [generation]
          attempt 1 (429) [span] error: 429
      Lookup.forward [span] error: cancelled
    ");
    let health = observing.health();
    assert_eq!((health.started, health.destinations[0].exported), (4, 5));

    memory.clear();
    assert!(memory.spans().is_empty());
    drop(observing);
    assert!(!bus.wants(EventName::ModuleStart), "it listens no longer");
    begin(scope.context(), Family::Llm, "unheard", Detail::Generation(Box::default()))
        .end(Status::Ok, None);
    assert!(memory.spans().is_empty());
}

#[test]
fn what_has_no_place_in_a_tree_is_shown_all_the_same() {
    let first = root("first");
    let mut below = child("below");
    (below.trace_id, below.parent_id) = (first.trace_id, Some(first.span_id));
    below.end = None;
    let (mut chicken, mut egg) = (root("chicken"), root("egg"));
    egg.trace_id = chicken.trace_id;
    (chicken.parent_id, egg.parent_id) = (Some(egg.span_id), Some(chicken.span_id));
    let spans = [egg, below, child("lost"), chicken, root("second"), first].map(Arc::new);

    insta::assert_snapshot!(render_tree(&spans), @r"
    first [span]
      below [span]
    (orphan) lost [span]
    second [span]
    (orphan) chicken [span]
      egg [span]
    ");
    assert!(render_timed_tree(&spans).starts_with("first [span] 1.0ns\n  below [span] running\n"));
}

#[test]
fn a_deep_tree_does_not_overflow_the_stack() {
    let mut spans = vec![root("0")];
    for depth in 1..20_000 {
        let above = &spans[depth - 1];
        let mut below = child("x");
        (below.trace_id, below.parent_id) = (above.trace_id, Some(above.span_id));
        spans.push(below);
    }
    let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
    assert_eq!(render_tree(&spans).lines().count(), 20_000);
}

#[test]
fn memory_can_be_waited_for() {
    let bus = Bus::new();
    let memory = Destination::memory();
    let _observing = Observe::new().bus(&bus).destination(&memory).start().unwrap();
    let context = Scope::new().bus(&bus).context().clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        begin(&context, Family::Module, "later", Detail::Span).end(Status::Ok, None);
    });
    assert_eq!(memory.wait(1, Duration::from_secs(5)).len(), 1);
    assert_eq!(memory.wait(2, Duration::from_millis(10)).len(), 1);
}

//! Traces that come from outside and go outside.

use glassbox_events::bus::Bus;
use glassbox_events::context::Context;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::propagation::parse;
use glassbox_events::scope::{Scope, spawn};
use glassbox_trace::span::{Detail, Span, Status};
use std::collections::HashMap;
use std::sync::Arc;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// Opens and ends a span.
fn span(name: &str, inside: impl FnOnce()) -> Arc<Span> {
    let span =
        OpenSpan::begin(&Context::current(), Family::Module, &name.into(), Detail::Span, None);
    span.context().clone().enter(inside);
    span.end(Status::Ok, None).unwrap()
}

fn injected(context: &Context) -> HashMap<&'static str, String> {
    let mut headers = HashMap::new();
    context.inject(|name, value| {
        headers.insert(name, value);
    });
    headers
}

#[test]
fn good_headers_are_read() {
    let check = |text: &str, sampled| {
        let parent = parse(text, None).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            (parent.trace_id.to_string(), parent.span_id.to_string()),
            (TRACE.into(), PARENT.into())
        );
        assert_eq!(parent.sampled, sampled, "{text}");
    };
    check(&traceparent("00"), false);
    check(&traceparent("01"), true);
    // Bits that have no meaning yet.
    check(&traceparent("fe"), false);
    check(&traceparent("ff"), true);
    check(&format!(" {}\t", traceparent("01")), true);
    // Later versions, with or without more fields.
    check(&format!("01-{TRACE}-{PARENT}-01"), true);
    check(&format!("cc-{TRACE}-{PARENT}-00-what-the-future-brings"), false);
    check(&format!("cc-{TRACE}-{PARENT}-01-"), true);
}

#[test]
fn bad_headers_are_refused() {
    let zeros = "0".repeat(32);
    for text in [
        String::new(),
        "00".to_owned(),
        format!("ff-{TRACE}-{PARENT}-01"),
        format!("0-{TRACE}-{PARENT}-01"),
        format!("000-{TRACE}-{PARENT}-01"),
        format!("0A-{TRACE}-{PARENT}-01"),
        format!("+1-{TRACE}-{PARENT}-01"),
        format!("00-{zeros}-{PARENT}-01"),
        format!("00-{TRACE}-{}-01", &zeros[..16]),
        format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{}-01", PARENT.to_uppercase()),
        format!("00-{TRACE}-{PARENT}-0F"),
        format!("00-{TRACE}-{PARENT}-1"),
        format!("00-{TRACE}-{PARENT}-011"),
        format!("00-{TRACE}-{PARENT}-01-more"),
        format!("00-{TRACE}-{PARENT}-01-"),
        format!("00-{TRACE}-{PARENT}"),
        format!("00-{}-{PARENT}-01", &TRACE[1..]),
        format!("00_{TRACE}_{PARENT}_01"),
        format!("00-{}--{PARENT}-01", &TRACE[1..]),
        format!("cc-{TRACE}-{PARENT}-01.more"),
        format!("00-{}é-{PARENT}-01", &TRACE[2..]),
        format!("{}é", &traceparent("01")[..54]),
        "é".repeat(60),
    ] {
        assert!(parse(&text, None).is_err(), "{text:?}");
    }
}

#[test]
fn what_runs_below_a_remote_parent_is_in_its_trace() {
    let headers =
        HashMap::from([("traceparent", traceparent("00")), ("tracestate", "a=1, b=2".into())]);
    let lookup = |name: &str| headers.get(name).map(String::as_str);
    let mut inner = None;
    let root = Scope::new().user("u-1").from_headers(lookup).enter(|| {
        span("root", || {
            assert_eq!(Context::current().span().unwrap().parent_id().unwrap().to_string(), PARENT);
            inner = Some(span("inner", || ()));
        })
    });
    let inner = inner.unwrap();
    assert_eq!(root.trace_id.to_string(), TRACE);
    assert_eq!(root.parent_id.unwrap().to_string(), PARENT);
    assert_eq!((inner.trace_id, inner.parent_id), (root.trace_id, Some(root.span_id)));
    assert_eq!((root.is_local_root(), inner.is_local_root()), (true, false));
    for span in [&root, &inner] {
        let remote = span.trace.remote_parent.as_ref().unwrap();
        assert!(!remote.sampled);
        assert_eq!(remote.trace_state.as_deref(), Some("a=1,b=2"));
        assert_eq!(span.trace.user_id.as_deref(), Some("u-1"));
        assert_eq!(span.trace.name.as_deref(), Some("root"));
    }
}

#[test]
fn a_remote_parent_goes_before_the_span_that_is_open_here() {
    let mut below = None;
    let outer = span("outer", || {
        let scope = Scope::new().remote_parent(parse(&traceparent("01"), None).unwrap());
        below = Some(scope.enter(|| span("below", || ())));
    });
    let below = below.unwrap();
    assert_ne!(below.trace_id, outer.trace_id);
    assert_eq!(below.parent_id.unwrap().to_string(), PARENT);
}

#[test]
fn bad_or_missing_headers_begin_a_new_trace() {
    for bad in [Some("00-nonsense"), None] {
        let root = Scope::new().from_headers(|_| bad).enter(|| span("root", || ()));
        assert_eq!((root.parent_id, &root.trace.remote_parent), (None, &None));
        assert_ne!(root.trace_id.to_string(), TRACE);
    }
    // A tracestate that makes no sense harms nobody.
    let good = traceparent("01");
    let lookup = |name: &str| Some(if name == "traceparent" { good.as_str() } else { "NONSENSE" });
    let root = Scope::new().from_headers(lookup).enter(|| span("root", || ()));
    assert_eq!(root.trace.remote_parent.as_ref().unwrap().trace_state, None);
}

#[test]
fn the_trace_is_handed_on() {
    assert_eq!(injected(&Context::current()), HashMap::new());

    let mut handed = HashMap::new();
    let own = span("own", || handed = injected(&Context::current()));
    assert_eq!(handed["traceparent"], format!("00-{}-{}-01", own.trace_id, own.span_id));
    assert_eq!(handed.len(), 1);

    // What comes in goes out, with the innermost span as the parent.
    let scope =
        |flags| Scope::new().remote_parent(parse(&traceparent(flags), Some("a=1")).unwrap());
    for flags in ["00", "01"] {
        let below = scope(flags).enter(|| span("below", || handed = injected(&Context::current())));
        assert_eq!(handed["traceparent"], format!("00-{TRACE}-{}-{flags}", below.span_id));
        assert_eq!(handed["tracestate"], "a=1");
    }
    // Without a span of our own the caller's goes on.
    assert_eq!(injected(scope("01").context())["traceparent"], traceparent("01"));
    // Later versions are handed on as what is understood of them.
    let later = parse(&format!("cc-{TRACE}-{PARENT}-ff-x"), None).unwrap();
    assert_eq!(
        injected(Scope::new().remote_parent(later).context())["traceparent"],
        traceparent("01")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_served_at_the_same_time_keep_their_own_traces() {
    let served: Vec<_> = (1..=20_u128)
        .map(|number| {
            let header = format!("00-{number:032x}-{PARENT}-01");
            let scope = Scope::new().bus(&Bus::new()).from_headers(|_| Some(header.as_str()));
            scope.run(async move {
                tokio::task::yield_now().await;
                let spawned = spawn(async {
                    tokio::task::yield_now().await;
                    span("spawned", || ()).trace_id
                });
                (number, spawned.await.unwrap())
            })
        })
        .collect();
    for (number, trace_id) in glassbox_events::scope::join_all(served).await {
        assert_eq!(trace_id.to_string(), format!("{number:032x}"));
    }
}

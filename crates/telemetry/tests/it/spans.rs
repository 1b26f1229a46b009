//! Spans, destinations and observers for tests.

use crate::receiver::Receiver;
use glassbox_events::bus::Bus;
use glassbox_telemetry::destination::{Destination, OtlpConfig};
use glassbox_telemetry::health::DestinationHealth;
use glassbox_telemetry::limits::Limits;
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::span::{Detail, Span, Status};
use glassbox_trace::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A root.
pub(crate) fn root(name: &str) -> Span {
    let at = next();
    Span {
        trace_id: TraceId::from_bytes(u128::from(at).to_be_bytes()),
        span_id: SpanId::from_bytes(at.to_be_bytes()),
        parent_id: None,
        name: name.into(),
        start: Timestamp::from_unix_nanos(at),
        end: Some(Timestamp::from_unix_nanos(at + 1)),
        status: Status::Ok,
        trace: Arc::default(),
        input: None,
        output: None,
        notes: Vec::new(),
        detail: Detail::Span,
        attributes: Vec::new(),
    }
}

/// A span with a parent, which need not exist.
pub(crate) fn child(name: &str) -> Span {
    Span { parent_id: Some(SpanId::from_bytes([7; 8])), ..root(name) }
}

pub(crate) fn end(observing: &Observing, span: Span) {
    observing.processor().on_end(&Arc::new(span));
}

/// Ends spans named by their number.
pub(crate) fn end_many(observing: &Observing, count: usize) {
    for number in 0..count {
        end(observing, child(&number.to_string()));
    }
}

/// Limits under which tests are quick.
pub(crate) fn quick() -> Limits {
    Limits {
        batch_age: Duration::from_millis(10),
        first_backoff: Duration::from_millis(5),
        longest_backoff: Duration::from_millis(20),
        request_timeout: Duration::from_secs(2),
        ..Limits::default()
    }
}

pub(crate) fn otlp(receiver: &Receiver) -> Destination {
    Destination::otlp(OtlpConfig::new(receiver.traces_url())).unwrap().limits(quick())
}

/// Observes a bus of its own.
pub(crate) fn observe(destination: impl Into<Destination>) -> Observing {
    Observe::new().bus(&Bus::new()).destination(destination).start().unwrap()
}

/// The health of the only destination. It is balanced at every moment.
pub(crate) fn health(observing: &Observing) -> DestinationHealth {
    let health = observing.health().destinations.remove(0);
    assert!(health.is_balanced(), "{health:?}");
    health
}

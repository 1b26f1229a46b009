//! Glassbox: the events of a span, its recorder, a queue and a worker, before a destination that discards.

use super::System;
use crate::data::Facts;
use anyhow::Result;
use glassbox_events::bus::Bus;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::scope::Scope;
use glassbox_telemetry::destination::Destination;
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Detail, Status};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Observed, with one destination that discards.
pub(crate) struct Glassbox {
    bus: Bus,
    observing: Observing,
}

impl Glassbox {
    pub(crate) fn start() -> Result<Self> {
        let bus = Bus::new();
        let observing = Observe::new().bus(&bus).destination(Destination::discard()).start()?;
        Ok(Self { bus, observing })
    }
}

impl System for Glassbox {
    fn name(&self) -> &'static str {
        "glassbox"
    }

    fn spans(&self, facts: &Facts, count: u32) -> Duration {
        spans(&self.bus, facts, count)
    }

    fn settle(&self) {
        let flushed = self.observing.flush_blocking(Duration::from_secs(10));
        assert!(flushed.is_ok(), "spans were lost: {flushed:?}");
    }
}

/// Where nobody listens: what remains in a program that is not observed.
pub(crate) struct Unobserved(Bus);

impl Unobserved {
    pub(crate) fn new() -> Self {
        Self(Bus::new())
    }
}

impl System for Unobserved {
    fn name(&self) -> &'static str {
        "glassbox, unobserved"
    }

    fn spans(&self, facts: &Facts, count: u32) -> Duration {
        spans(&self.0, facts, count)
    }

    fn settle(&self) {}
}

fn spans(bus: &Bus, facts: &Facts, count: u32) -> Duration {
    let scope = Scope::new().bus(bus);
    let root = OpenSpan::begin(scope.context(), Family::Module, &facts.name, Detail::Span, None);
    let took = root.context().clone().enter(|| {
        let began = Instant::now();
        for _ in 0..count {
            let span = llm_span(facts, facts.input());
            span.context().enter(|| black_box(()));
            end(span, facts);
        }
        began.elapsed()
    });
    root.end(Status::Ok, None);
    took
}

/// Begins a model call below the current span.
pub(crate) fn llm_span(facts: &Facts, input: Payload) -> OpenSpan {
    let detail = Detail::Generation(Box::new(facts.generation()));
    OpenSpan::begin_here(Family::Llm, &facts.name, detail, Some(input))
}

fn end(mut span: OpenSpan, facts: &Facts) {
    span.edit(|span| {
        if let Detail::Generation(generation) = &mut span.detail {
            facts.answer(generation);
        }
    });
    black_box(span.end(Status::Ok, Some(facts.output())));
}

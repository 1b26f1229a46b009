//! The recorder: hears of events and tells the processor which spans began and ended.

use crate::processor::AsyncSpanProcessor;
use glassbox_events::bus::{Bus, Subscriber, Subscription};
use glassbox_events::event::Event;
use glassbox_events::pattern::PatternError;
use glassbox_events::run::Stop;
use glassbox_trace::id::TraceId;
use glassbox_trace::span::RemoteParent;
use std::sync::Arc;

/// Turns events into spans that began and ended.
#[derive(Debug)]
pub struct Recorder {
    processor: Arc<AsyncSpanProcessor>,
}

impl Recorder {
    /// Makes a recorder in front of a processor.
    #[must_use]
    pub const fn new(processor: Arc<AsyncSpanProcessor>) -> Self {
        Self { processor }
    }

    /// Subscribes to what it needs, until the subscriptions are dropped.
    ///
    /// # Errors
    ///
    /// None, as long as the patterns match events.
    pub fn subscribe(self, bus: &Bus) -> Result<Vec<Subscription>, PatternError> {
        let recorder: Arc<dyn Subscriber> = Arc::new(self);
        // Not `*`: what nobody hears is not even built.
        let patterns =
            ["module.*", "llm.request", "llm.attempt", "llm.generate", "llm.error", "tool.*"];
        patterns.iter().map(|pattern| bus.subscribe(pattern, Arc::clone(&recorder))).collect()
    }
}

impl Subscriber for Recorder {
    fn on_event(&self, event: &Event) -> Result<(), Stop> {
        // An event's subject begins or ends with it. Of attempts only failed ones have a span, when they have ended.
        match event.subject() {
            Some(span) if span.end.is_some() => self.processor.on_end(span),
            Some(span) => self.processor.on_start(span),
            None => (),
        }
        Ok(())
    }

    fn keeps(&self, trace_id: TraceId, parent: Option<&RemoteParent>) -> Option<bool> {
        Some(self.processor.keeps(trace_id, parent))
    }
}

//! A stage: a bus of its own on which a program plays, and all that was seen and heard of it.

use glassbox::telemetry::destination::Destination;
use glassbox::telemetry::memory::Memory;
use glassbox::telemetry::observe::{Observe, Observing};
use glassbox::telemetry::tree::render_tree;
use glassbox::trace::span::{Detail, Generation, Kind, Span};
use glassbox::{Bus, Event, EventName, Scope, Subscription};
use std::sync::{Arc, Mutex};

pub(crate) struct Stage {
    pub(crate) bus: Bus,
    memory: Memory,
    heard: Arc<Mutex<Vec<Event>>>,
    _observing: Observing,
    _subscription: Subscription,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let (bus, memory) = (Bus::new(), Destination::memory());
        let observing = Observe::new().bus(&bus).destination(&memory).start().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let subscription =
            bus.on("*", move |event| log.lock().unwrap().push(event.clone())).unwrap();
        Self { bus, memory, heard, _observing: observing, _subscription: subscription }
    }

    /// A scope whose events come here.
    pub(crate) fn scope(&self) -> Scope {
        glassbox::scope().bus(&self.bus)
    }

    /// The spans that have ended, in the order in which they did.
    pub(crate) fn spans(&self) -> Vec<Arc<Span>> {
        self.memory.spans()
    }

    /// The spans as an indented tree.
    pub(crate) fn tree(&self) -> String {
        render_tree(&self.spans())
    }

    /// The only span of that name.
    #[track_caller]
    pub(crate) fn span(&self, name: &str) -> Arc<Span> {
        let mut spans = self.spans();
        spans.retain(|span| &*span.name == name);
        assert_eq!(spans.len(), 1, "spans named {name} in\n{}", self.tree());
        spans.remove(0)
    }

    /// The generations, in the order in which they ended.
    pub(crate) fn generations(&self) -> Vec<Arc<Span>> {
        let mut spans = self.spans();
        spans.retain(|span| span.kind() == Kind::Generation);
        spans
    }

    /// The events that were heard, in order.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.heard.lock().unwrap().clone()
    }

    /// How often an event was heard.
    pub(crate) fn count(&self, name: EventName) -> usize {
        self.events().iter().filter(|event| event.name() == name).count()
    }
}

/// What a generation's span tells of the model call.
#[track_caller]
pub(crate) fn generation(span: &Span) -> &Generation {
    match &span.detail {
        Detail::Generation(generation) => generation,
        detail => panic!("{} is no generation: {detail:?}", span.name),
    }
}

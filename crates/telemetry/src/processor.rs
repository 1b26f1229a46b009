//! The span processor: takes spans from the program and returns at once.

use crate::health::{Health, HotPath};
use crate::queue::Queue;
use crate::tally::Tally;
use crate::weight::weigh;
use glassbox_trace::id::TraceId;
use glassbox_trace::span::{RemoteParent, Span};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Takes spans from the program and hands them to the workers of all destinations.
///
/// [`on_start`](Self::on_start) and [`on_end`](Self::on_end) only count and queue a reference: no JSON, no
/// formatting, no I/O. They never fail, and never wait for a destination.
pub struct AsyncSpanProcessor {
    queues: Box<[Arc<Queue>]>,
    started: Tally,
    /// The nanoseconds that the calls took, if they are measured.
    hot_path: Option<Tally>,
}

impl AsyncSpanProcessor {
    pub(crate) fn new(queues: Vec<Arc<Queue>>, measure_hot_path: bool) -> Self {
        Self {
            queues: queues.into(),
            started: Tally::default(),
            hot_path: measure_hot_path.then(Tally::default),
        }
    }

    /// Takes note of a span that began. It is exported when it ends; a destination that shows what runs is told now.
    pub fn on_start(&self, span: &Arc<Span>) {
        self.timed(|| {
            self.started.add(1);
            for queue in &self.queues {
                queue.begin(span);
            }
        });
    }

    /// Queues a span that ended for every destination.
    pub fn on_end(&self, span: &Arc<Span>) {
        self.timed(|| {
            let weight = weigh(span);
            for queue in &self.queues {
                queue.push(span, weight);
            }
        });
    }

    /// Tells whether any destination has a trace in its sample, which may go on from another process.
    #[must_use]
    pub fn keeps(&self, trace_id: TraceId, parent: Option<&RemoteParent>) -> bool {
        self.queues.iter().any(|queue| queue.keeps(trace_id, parent))
    }

    /// Returns how the export is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let started = self.started.sum();
        let awake = self.queues.iter().filter(|queue| !queue.slumbers());
        let destinations: Vec<_> = awake.map(|queue| queue.health()).collect();
        // Every queue was handed all that ended, so any of them tells how many did.
        let ended = destinations.first().map_or(0, |first| first.ended + first.sampled_out);
        let time = self.hot_path.as_ref().map(|nanos| Duration::from_nanos(nanos.sum()));
        Health { started, hot_path: HotPath { calls: started + ended, time }, destinations }
    }

    pub(crate) fn queues(&self) -> &[Arc<Queue>] {
        &self.queues
    }

    fn timed(&self, call: impl FnOnce()) {
        let Some(nanos) = &self.hot_path else { return call() };
        let began = Instant::now();
        call();
        nanos.add(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
}

impl fmt::Debug for AsyncSpanProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSpanProcessor").field("queues", &self.queues).finish_non_exhaustive()
    }
}

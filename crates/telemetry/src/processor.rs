//! The span processor: takes spans from the program and returns at once.

use crate::health::{Health, HotPath};
use crate::queue::Queue;
use crate::weight::weigh;
use glassbox_trace::span::Span;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Takes spans from the program and hands them to the workers of all destinations.
///
/// [`on_start`](Self::on_start) and [`on_end`](Self::on_end) only count and queue a reference: no JSON, no
/// formatting, no I/O. They never fail, and never wait for a destination.
pub struct AsyncSpanProcessor {
    queues: Box<[Arc<Queue>]>,
    started: AtomicU64,
    hot_path: Option<Clock>,
    calls: AtomicU64,
}

#[derive(Default)]
struct Clock {
    nanos: AtomicU64,
}

impl AsyncSpanProcessor {
    pub(crate) fn new(queues: Vec<Arc<Queue>>, measure_hot_path: bool) -> Self {
        Self {
            queues: queues.into(),
            started: AtomicU64::new(0),
            hot_path: measure_hot_path.then(Clock::default),
            calls: AtomicU64::new(0),
        }
    }

    /// Takes note of a span that began. It is exported when it ends.
    pub fn on_start(&self, _span: &Arc<Span>) {
        self.timed(|| {
            self.started.fetch_add(1, Ordering::Relaxed);
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

    /// Returns how the export is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let nanos = self.hot_path.as_ref().map(|clock| clock.nanos.load(Ordering::Relaxed));
        Health {
            started: self.started.load(Ordering::Relaxed),
            hot_path: HotPath {
                calls: self.calls.load(Ordering::Relaxed),
                time: nanos.map(Duration::from_nanos),
            },
            destinations: self.queues.iter().map(|queue| queue.health()).collect(),
        }
    }

    pub(crate) fn queues(&self) -> &[Arc<Queue>] {
        &self.queues
    }

    fn timed(&self, call: impl FnOnce()) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(clock) = &self.hot_path else { return call() };
        let began = Instant::now();
        call();
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        clock.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl fmt::Debug for AsyncSpanProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSpanProcessor").field("queues", &self.queues).finish_non_exhaustive()
    }
}

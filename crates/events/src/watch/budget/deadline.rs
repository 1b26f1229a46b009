//! The clock of budgets of wall time: it stops runs whose time is over, also while they only wait.

use crate::bus::Bus;
use crate::event::{EventData, Shared, SpanContext};
use crate::refusal::BudgetExceeded;
use crate::run::{Run, Stop, WeakRun};
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::span::TraceAttributes;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// A run whose time will be over.
#[derive(Debug)]
pub(super) struct Deadline {
    at: Instant,
    /// The run is not kept alive: most end before their time is over.
    run: WeakRun,
    root: Root,
    bus: Bus,
    exceeded: Arc<BudgetExceeded>,
}

/// The root span of a run, of which its end is told. Its context would keep the run.
#[derive(Debug)]
struct Root {
    trace_id: TraceId,
    span_id: SpanId,
    name: Arc<str>,
    trace: Arc<TraceAttributes>,
}

/// The clock's thread, or `None` where the system gives none: then a run is stopped when it next asks for something.
static CLOCK: LazyLock<Option<Sender<Deadline>>> = LazyLock::new(|| {
    let (sender, receiver) = channel();
    let thread = thread::Builder::new().name("glassbox-deadlines".to_owned());
    thread.spawn(move || keep(&receiver)).ok().map(|_| sender)
});

/// Sets the clock: the run of the span is stopped after `left`, or told of if the budget is soft.
pub(super) fn set(left: Duration, span: &Arc<SpanContext>, bus: &Bus, exceeded: BudgetExceeded) {
    let mut root = span;
    while let Some(parent) = &root.parent {
        root = parent;
    }
    let root = Root {
        trace_id: root.trace_id,
        span_id: root.span_id,
        name: Arc::clone(&root.name),
        trace: Arc::clone(root.trace()),
    };
    // A time that the clock cannot tell never comes.
    let Some(at) = Instant::now().checked_add(left) else { return };
    let run = span.run().downgrade();
    let deadline = Deadline { at, run, root, bus: bus.clone(), exceeded: Arc::new(exceeded) };
    if let Some(clock) = &*CLOCK {
        // The thread ends only with the process.
        let _sent = clock.send(deadline);
    }
}

/// Tells that a run's time is over, and stops it unless the budget is soft.
pub(super) fn over(span: &Arc<SpanContext>, bus: &Bus, exceeded: Arc<BudgetExceeded>) {
    if span.run().stopped().is_some() {
        return;
    }
    let stop = exceeded.refused.then(|| Stop::new(exceeded.to_string()));
    bus.emit(span, EventData::BudgetExceeded(exceeded));
    if let Some(stop) = stop {
        bus.stop(span, stop);
    }
}

/// The life of the clock's thread.
fn keep(receiver: &Receiver<Deadline>) {
    let mut waiting: BinaryHeap<Deadline> = BinaryHeap::new();
    let mut sweep_at = 1024;
    loop {
        let next = waiting.peek().map(|deadline| deadline.at);
        let received = match next {
            Some(at) => receiver.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(deadline) => {
                waiting.push(deadline);
                // Most runs end long before their time is over; those are not kept until then.
                if waiting.len() >= sweep_at {
                    waiting.retain(|deadline| !deadline.run.is_over());
                    sweep_at = (2 * waiting.len()).max(1024);
                }
            }
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        while waiting.peek().is_some_and(|deadline| deadline.at <= now) {
            if let Some(deadline) = waiting.pop()
                && let Some(run) = deadline.run.upgrade()
            {
                over(&deadline.root.context(run), &deadline.bus, deadline.exceeded);
            }
        }
    }
}

impl Root {
    fn context(&self, run: Run) -> Arc<SpanContext> {
        Arc::new(SpanContext {
            trace_id: self.trace_id,
            span_id: self.span_id,
            name: Arc::clone(&self.name),
            parent: None,
            shared: Arc::new(Shared { trace: Arc::clone(&self.trace), run }),
            notes: OnceLock::new(),
        })
    }
}

// The earliest is the greatest, for the heap.
impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Deadline {}

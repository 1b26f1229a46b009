//! A destination in memory, for tests of programs.

use crate::queue::Queue;
use glassbox_trace::span::Span;
use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Keeps the last spans in memory: [`Destination::memory`](crate::destination::Destination::memory). Clones are the
/// same memory.
///
/// ```
/// use glassbox_telemetry::{destination::Destination, observe::Observe, tree::render_tree};
/// let memory = Destination::memory();
/// let observing = Observe::new().destination(&memory).start()?;
/// // ... run a program ...
/// assert_eq!(render_tree(&memory.spans()), "");
/// # Ok::<(), glassbox_telemetry::error::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    spans: Mutex<VecDeque<Arc<Span>>>,
    /// The queues of the observers that this is a destination of.
    queues: Mutex<Vec<Weak<Queue>>>,
}

/// The most spans that are kept.
const CAPACITY: usize = 65_536;

/// The longest that a reader waits for the worker, which needs microseconds.
const PATIENCE: Duration = Duration::from_secs(5);

impl Memory {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns the spans that have ended so far, in the order in which they ended.
    #[must_use]
    pub fn spans(&self) -> Vec<Arc<Span>> {
        self.flush();
        lock(&self.0.spans).iter().cloned().collect()
    }

    /// Waits until at least as many spans are there, at most for `timeout`, and returns them.
    #[must_use]
    pub fn wait(&self, count: usize, timeout: Duration) -> Vec<Arc<Span>> {
        let deadline = Instant::now() + timeout;
        loop {
            let spans = self.spans();
            if spans.len() >= count || Instant::now() >= deadline {
                return spans;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Forgets all spans that have ended so far.
    pub fn clear(&self) {
        self.flush();
        lock(&self.0.spans).clear();
    }

    /// Waits until all spans that have ended are there.
    fn flush(&self) {
        let queues: Vec<_> = lock(&self.0.queues).iter().filter_map(Weak::upgrade).collect();
        let (sender, receiver) = mpsc::channel();
        for queue in queues {
            let sender = sender.clone();
            queue.flush(Box::new(move |_| {
                // Whoever asked may have lost patience; the spans are there all the same.
                let _ = sender.send(());
                // What became of the spans was not heard: that is for the observer.
                false
            }));
        }
        drop(sender);
        let deadline = Instant::now() + PATIENCE;
        // Ends when every queue has answered, or has no worker any more and dropped its sender.
        while receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
    }

    pub(crate) fn attach(&self, queue: &Arc<Queue>) {
        let mut queues = lock(&self.0.queues);
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(queue));
    }

    pub(crate) fn keep(&self, spans: &[Arc<Span>]) {
        let mut kept = lock(&self.0.spans);
        kept.extend(spans.iter().cloned());
        let excess = kept.len().saturating_sub(CAPACITY);
        let forgotten: Vec<_> = kept.drain(..excess).collect();
        drop(kept);
        drop(forgotten);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("spans", &lock(&self.0.spans).len()).finish_non_exhaustive()
    }
}

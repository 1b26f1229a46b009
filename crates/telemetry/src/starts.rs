//! Spans that begin and end, on their way to a server that shows them while they run. What waits is bounded, starts
//! make room for ends, and nobody ever waits.

use crossbeam_queue::ArrayQueue;
use glassbox_trace::id::SpanId;
use glassbox_trace::span::Span;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

/// As many notes wait. Starts take half of it at most: a start that is not told is seen at its end, an end that is not
/// told leaves a span that seems to run.
const CAPACITY: usize = 8192;

/// What happened to a span.
#[derive(Debug)]
pub(crate) enum Note {
    Began(Arc<Span>),
    Ended(SpanId),
}

/// Takes notes of spans that begin and end.
#[derive(Debug)]
pub(crate) struct Starts {
    notes: ArrayQueue<Note>,
    is_asleep: AtomicBool,
    woken: Notify,
    dropped: AtomicU64,
    /// Ends are missing, so nobody knows any more what runs.
    lost_ends: AtomicBool,
}

impl Default for Starts {
    fn default() -> Self {
        Self {
            notes: ArrayQueue::new(CAPACITY),
            is_asleep: AtomicBool::new(false),
            woken: Notify::new(),
            dropped: AtomicU64::new(0),
            lost_ends: AtomicBool::new(false),
        }
    }
}

impl Starts {
    /// Notes that a span began. Never waits.
    pub(crate) fn begin(&self, span: &Arc<Span>) {
        if self.notes.len() >= CAPACITY / 2
            || self.notes.push(Note::Began(Arc::clone(span))).is_err()
        {
            return self.drop_starts(1);
        }
        self.wake();
    }

    /// Notes that a span ended. Never waits.
    pub(crate) fn end(&self, span: SpanId) {
        if self.notes.push(Note::Ended(span)).is_err() {
            self.lost_ends.store(true, Ordering::Relaxed);
        }
        self.wake();
    }

    pub(crate) fn pop(&self) -> Option<Note> {
        self.notes.pop()
    }

    /// Counts starts that are not told.
    pub(crate) fn drop_starts(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Tells, once, whether ends are missing.
    pub(crate) fn takes_lost_ends(&self) -> bool {
        self.lost_ends.swap(false, Ordering::Relaxed)
    }

    /// Waits until there is a note.
    pub(crate) async fn woken(&self) {
        while self.notes.is_empty() {
            // It says so before it looks again: whoever leaves a note after that look knows.
            self.is_asleep.store(true, Ordering::SeqCst);
            if self.notes.is_empty() {
                self.woken.notified().await;
            }
            self.is_asleep.store(false, Ordering::SeqCst);
        }
    }

    /// Costs a system call, so it is done only for one who sleeps.
    fn wake(&self) {
        if self.is_asleep.load(Ordering::SeqCst) && self.is_asleep.swap(false, Ordering::SeqCst) {
            self.woken.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glassbox_trace::id::TraceId;
    use glassbox_trace::span::{Detail, Status};
    use glassbox_trace::time::Timestamp;

    fn span() -> Arc<Span> {
        Arc::new(Span {
            trace_id: TraceId::from_bytes([1; 16]),
            span_id: SpanId::from_bytes([2; 8]),
            parent_id: None,
            name: "chat".into(),
            start: Timestamp::from_unix_nanos(1),
            end: None,
            status: Status::Ok,
            trace: Arc::default(),
            input: None,
            output: None,
            notes: Vec::new(),
            detail: Detail::Span,
            attributes: Vec::new(),
        })
    }

    #[test]
    fn starts_make_room_for_ends() {
        let (starts, span) = (Starts::default(), span());
        (0..CAPACITY).for_each(|_| starts.begin(&span));
        assert_eq!(starts.dropped(), CAPACITY as u64 / 2);
        (0..CAPACITY / 2).for_each(|_| starts.end(span.span_id));
        assert!(!starts.takes_lost_ends());
        starts.end(span.span_id);
        assert!(starts.takes_lost_ends() && !starts.takes_lost_ends());
        assert_eq!(std::iter::from_fn(|| starts.pop()).count(), CAPACITY);
    }
}

//! Hands changes to any number of readers. A slow one misses some and is told how many; nobody waits for it.

use crate::store::{Change, Changes};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// How many changes are kept for readers that come back.
const KEPT: usize = 8192;

/// The changes of late, numbered one by one.
#[derive(Debug)]
pub struct Hub {
    ring: Mutex<Ring>,
    latest: watch::Sender<u64>,
    readers: AtomicUsize,
    missed: AtomicU64,
}

#[derive(Debug)]
struct Ring {
    /// The number of the first change of this server.
    first: u64,
    /// The number of the next change.
    next: u64,
    changes: VecDeque<Change>,
}

/// What came since a reader looked last.
#[derive(Clone, Debug, Default)]
pub struct Caught {
    /// How many changes are gone that the reader never saw.
    pub missed: u64,
    /// The changes with their numbers, in order.
    pub changes: Vec<(u64, Change)>,
    /// The number after the last one: where to go on.
    pub next: u64,
}

impl Default for Hub {
    /// Numbers begin with the time, microseconds since the epoch, so that those of earlier servers are smaller: a server
    /// has fewer changes than there are microseconds.
    fn default() -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::beginning_at(u64::try_from(time.as_micros()).unwrap_or_default().max(1))
    }
}

impl Hub {
    fn beginning_at(first: u64) -> Self {
        Self {
            ring: Mutex::new(Ring { first, next: first, changes: VecDeque::new() }),
            latest: watch::Sender::new(first - 1),
            readers: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
        }
    }
}

impl Hub {
    /// Takes changes. It never waits for readers.
    pub fn publish(&self, changes: Changes) {
        let mut ring = self.ring();
        for change in changes {
            if ring.changes.len() == KEPT {
                ring.changes.pop_front();
            }
            ring.changes.push_back(change);
            ring.next += 1;
        }
        let latest = ring.next - 1;
        drop(ring);
        self.latest.send_replace(latest);
    }

    /// Returns the number of the next change: where a reader begins that wants nothing of the past.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.ring().next
    }

    /// Returns at most so many changes from this number on.
    #[must_use]
    pub fn since(&self, from: u64, most: usize) -> Caught {
        let ring = self.ring();
        let first = ring.next - u64::try_from(ring.changes.len()).unwrap_or(u64::MAX);
        // One of an earlier server, whose clock may have been wrong: all that is kept is new then.
        let is_other = from < ring.first || from > ring.next;
        let from = if is_other { first } else { from };
        let start = from.max(first);
        let skipped = usize::try_from(start - first).unwrap_or(usize::MAX);
        let changes: Vec<_> =
            (start..).zip(ring.changes.iter().skip(skipped).take(most).cloned()).collect();
        let missed = start - from;
        let next = start + u64::try_from(changes.len()).unwrap_or(u64::MAX);
        self.missed.fetch_add(missed, Ordering::Relaxed);
        Caught { missed, changes, next }
    }

    /// Returns what changes whenever there is something new: the number of the last change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Counts a reader in until what is returned is dropped.
    #[must_use]
    pub fn enter(self: &std::sync::Arc<Self>) -> Reading {
        self.readers.fetch_add(1, Ordering::Relaxed);
        Reading(std::sync::Arc::clone(self))
    }

    /// Returns how many readers there are.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed)
    }

    /// Returns how many changes readers have missed, all together.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader that is there.
#[derive(Debug)]
pub struct Reading(std::sync::Arc<Hub>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::received::{Origin, ReceivedSpan};
    use crate::wire::WireSpan;
    use std::sync::Arc;

    fn changes(count: usize) -> Changes {
        let span = ReceivedSpan::read(&WireSpan::default(), &Origin::default());
        vec![Change::Span(Arc::new(span)); count]
    }

    #[test]
    fn readers_go_on_where_they_were() {
        let hub = Hub::beginning_at(1);
        let start = hub.next();
        hub.publish(changes(5));
        let caught = hub.since(start, 3);
        assert_eq!((caught.missed, caught.changes.len(), caught.next), (0, 3, 4));
        let caught = hub.since(caught.next, 3);
        assert_eq!((caught.missed, caught.changes.len(), caught.next), (0, 2, 6));
        assert_eq!(hub.since(6, 3).changes.len(), 0);
        assert_eq!(*hub.watch().borrow(), 5);
    }

    #[test]
    fn who_is_too_slow_is_told_what_is_gone() {
        let hub = Hub::beginning_at(1);
        hub.publish(changes(KEPT + 10));
        let caught = hub.since(1, 1);
        assert_eq!((caught.missed, caught.changes[0].0), (10, 11));
        assert_eq!(hub.missed(), 10);
    }

    #[test]
    fn numbers_of_an_earlier_server_begin_anew() {
        let hub = Hub::beginning_at(1);
        hub.publish(changes(2));
        let caught = hub.since(9_999, 10);
        assert_eq!((caught.missed, caught.changes.len()), (0, 2));
        // However many the earlier one had: a later one's are larger.
        let hub = Hub::default();
        hub.publish(changes(9));
        let caught = hub.since(7, 10);
        assert_eq!((caught.missed, caught.changes.len()), (0, 9));
        assert!(hub.next() > 1_700_000_000_000_000 && hub.next() < 1 << 53);
    }
}

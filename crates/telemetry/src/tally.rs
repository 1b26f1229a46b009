//! A counter that threads add to at the same time without waiting for each other's caches.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SLOTS: usize = 8;

/// Counts in several slots, a thread always in the same one.
#[derive(Debug, Default)]
pub(crate) struct Tally([Slot; SLOTS]);

/// Two lines of a cache, since processors fetch them in pairs: no two slots share one.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot(AtomicU64);

thread_local! {
    static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Tally {
    pub(crate) fn add(&self, count: u64) {
        self.0[slot()].0.fetch_add(count, Ordering::Relaxed);
    }

    /// Returns the sum. What other threads add meanwhile may be in it or not.
    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|slot| slot.0.load(Ordering::Relaxed)).sum()
    }
}

/// Returns the slot of this thread; threads get them in turns.
fn slot() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SLOT.get().unwrap_or_else(|| {
        let slot = NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS;
        SLOT.set(Some(slot));
        slot
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_forgotten() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SLOTS {
                scope.spawn(|| (0..1000).for_each(|_| tally.add(2)));
            }
        });
        assert_eq!(tally.sum(), 2 * SLOTS as u64 * 1000 * 2);
    }
}

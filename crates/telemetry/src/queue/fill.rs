//! How full a queue is: spans and bytes in one atomic number, so that one addition tells both.

use std::sync::atomic::{AtomicU64, Ordering};

/// Spans in the upper 24 bits, bytes in the lower 40: sixteen million spans, a terabyte. Every thread that queues a span
/// writes it, so nothing that is only read shares its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Fill(AtomicU64);

const BYTE_BITS: u32 = 40;
const MAX_WEIGHT: u64 = u32::MAX as u64;

/// The bounds are kept below what the number can hold, with room for what comes while it is full.
pub(super) const MOST_SPANS: usize = 1 << 23;
pub(super) const MOST_BYTES: usize = 1 << 39;

/// How full it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) spans: usize,
    pub(super) bytes: usize,
}

impl Fill {
    /// Adds a span, and returns how full it was before and is after. In one order with the worker's falling asleep.
    pub(super) fn add(&self, weight: usize) -> (Level, Level) {
        let one = number(1, weight);
        let before = self.0.fetch_add(one, Ordering::SeqCst);
        (level(before), level(before.wrapping_add(one)))
    }

    /// Takes spans out that were added with these weights.
    pub(super) fn remove(&self, spans: usize, weights: usize) {
        self.0.fetch_sub(((spans as u64) << BYTE_BITS) + weights as u64, Ordering::Relaxed);
    }

    pub(super) fn level(&self) -> Level {
        level(self.0.load(Ordering::SeqCst))
    }
}

/// The weight that counts: none is so large that a queue could not hold another span.
pub(super) const fn bounded(weight: usize) -> usize {
    if weight as u64 > MAX_WEIGHT { MAX_WEIGHT as usize } else { weight }
}

const fn number(spans: u64, weight: usize) -> u64 {
    (spans << BYTE_BITS) + bounded(weight) as u64
}

const fn level(number: u64) -> Level {
    Level {
        spans: (number >> BYTE_BITS) as usize,
        bytes: (number & ((1 << BYTE_BITS) - 1)) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_bytes_are_counted_together() {
        let fill = Fill::default();
        assert_eq!(fill.add(10), (Level { spans: 0, bytes: 0 }, Level { spans: 1, bytes: 10 }));
        fill.add(usize::MAX);
        assert_eq!(fill.level(), Level { spans: 2, bytes: 10 + u32::MAX as usize });
        fill.remove(1, bounded(usize::MAX));
        assert_eq!(fill.level(), Level { spans: 1, bytes: 10 });
    }
}

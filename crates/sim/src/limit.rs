//! What the server remembers of earlier requests to limit, fail or discount later ones, in bounded memory.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::seed::Fnv;
use crate::tokens;

/// Distinct requests, and prefixes of prompts, that are remembered.
const MOST: usize = 200_000;
/// A prompt is cached from this many tokens on, in steps of so many.
const LEAST_CACHED: usize = 1024;
const CACHE_STEP: usize = 128;

/// A token bucket: so many requests at once, refilled evenly over a minute.
#[derive(Debug)]
pub(crate) struct Bucket {
    capacity: f64,
    per_second: f64,
    left: f64,
    since: Instant,
}

impl Bucket {
    /// Makes a full bucket of a minute's requests, or of so many `at_once`. `speed` shortens its minute.
    pub(crate) fn new(per_minute: u32, at_once: Option<u32>, speed: f64, now: Instant) -> Self {
        let capacity = f64::from(at_once.unwrap_or(per_minute));
        let speed = if speed > 0.0 { speed } else { 1.0 };
        let per_second = f64::from(per_minute) / 60.0 * speed;
        Self { capacity, per_second, left: capacity, since: now }
    }

    /// Takes a request out, or tells how long until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(self.capacity);
        self.since = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        // A bucket without capacity never refills: it says to come back in a minute.
        Err(Duration::try_from_secs_f64((1.0 - self.left) / self.per_second)
            .unwrap_or(Duration::from_secs(60)))
    }
}

/// Counts by key; the keys that came first are forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    counts: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

impl Seen {
    /// Counts the key once more, and returns its count.
    pub(crate) fn count(&mut self, key: u64) -> u64 {
        let count = self.counts.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            0
        });
        *count += 1;
        let count = *count;
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.counts.remove(&oldest);
            }
        }
        count
    }

    fn contains(&self, key: u64) -> bool {
        self.counts.contains_key(&key)
    }
}

/// The prompt cache: which prefixes have been seen.
#[derive(Debug, Default)]
pub(crate) struct PromptCache {
    prefixes: Seen,
}

/// How much of a prompt the cache concerns, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cached {
    /// Of the prompt's beginning, what had been seen before.
    pub(crate) read: u64,
    /// What has been remembered now beyond that.
    pub(crate) written: u64,
}

impl PromptCache {
    /// Looks a prompt up and remembers it. Each model has its own cache.
    pub(crate) fn look_up(&mut self, model: &str, prompt: &str) -> Cached {
        let mut hash = Fnv::default();
        hash.eat(model.as_bytes());
        hash.eat(&[0xff]);
        let mut cached = Cached::default();
        let mut whole = 0;
        for (index, block) in prompt.as_bytes().chunks_exact(CACHE_STEP * tokens::BYTES).enumerate()
        {
            hash.eat(block);
            let length = (index + 1) * CACHE_STEP;
            if length < LEAST_CACHED {
                continue;
            }
            whole = length as u64;
            if self.prefixes.contains(hash.value()) {
                cached.read = whole;
            } else {
                self.prefixes.count(hash.value());
            }
        }
        cached.written = whole - cached.read;
        cached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills_over_a_minute() {
        let start = Instant::now();
        let mut bucket = Bucket::new(60, None, 1.0, start);
        for _ in 0..60 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        assert_eq!(bucket.take(start), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(start + Duration::from_millis(1001)), Ok(()));
        assert!(bucket.take(start + Duration::from_millis(1002)).is_err());
        assert_eq!(Bucket::new(0, None, 1.0, start).take(start), Err(Duration::from_secs(60)));
    }

    #[test]
    fn a_small_bucket_spreads_a_minutes_requests() {
        let start = Instant::now();
        let mut bucket = Bucket::new(600, Some(2), 1.0, start);
        assert_eq!((bucket.take(start), bucket.take(start)), (Ok(()), Ok(())));
        assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
        let later = start + Duration::from_secs(30);
        assert_eq!((bucket.take(later), bucket.take(later)), (Ok(()), Ok(())));
        assert!(bucket.take(later).is_err());
    }

    #[test]
    fn a_minute_passes_faster_at_speed() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1, None, 60.0, start);
        assert_eq!(bucket.take(start), Ok(()));
        assert_eq!(bucket.take(start), Err(Duration::from_secs(1)));
    }

    #[test]
    fn long_prefixes_are_cached_in_steps() {
        let mut cache = PromptCache::default();
        let long = "0123456789abcdef".repeat(320); // 1280 tokens
        assert_eq!(cache.look_up("m", &long), Cached { read: 0, written: 1280 });
        assert_eq!(
            cache.look_up("m", &format!("{long} and more")),
            Cached { read: 1280, written: 0 }
        );
        assert_eq!(cache.look_up("other model", &long), Cached { read: 0, written: 1280 });
        let branched = format!("{}{}", &long[..1024 * 4 + 7], "x".repeat(2000));
        assert_eq!(cache.look_up("m", &branched), Cached { read: 1024, written: 384 });
        assert_eq!(cache.look_up("m", &long[..1000]), Cached::default());
    }
}

//! A rate: so many a minute, by `governor`, with an account of what was taken wrongly.

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::time::Duration;

/// A bucket that holds a second's share of a minute's limit, and fills evenly.
///
/// What is taken cannot be put back into the bucket itself, nor can more be taken than it holds. So what was taken too
/// much, or has still to be taken, is owed, and whoever takes next settles it. In the long run the rate is exact.
pub(super) struct Bucket {
    limiter:
        RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<std::time::Instant>>,
    clock: MonotonicClock,
    holds: NonZeroU32,
    /// What is still to be taken; below zero, what need not be.
    owed: i64,
}

impl Bucket {
    /// Makes a full bucket; a limit of zero counts as one.
    pub(super) fn new(per_minute: u32) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        let holds = NonZeroU32::new(per_minute.get() / 60).unwrap_or(NonZeroU32::MIN);
        let clock = MonotonicClock;
        let quota = Quota::per_minute(per_minute).allow_burst(holds);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            holds,
            owed: 0,
        }
    }

    /// Takes so many, or tells how long until that may work.
    pub(super) fn take(&mut self, count: u64) -> Result<(), Duration> {
        let needed = self.owed.saturating_add(to_i64(count));
        // Someone who needs more than the bucket holds waits until it is full, and those after it pay the rest.
        let now = u32::try_from(needed).unwrap_or(if needed > 0 { u32::MAX } else { 0 });
        let Some(now) = NonZeroU32::new(now.min(self.holds.get())) else {
            self.owed = needed;
            return Ok(());
        };
        match self.limiter.check_n(now) {
            Ok(Ok(())) => {
                self.owed = needed - i64::from(now.get());
                Ok(())
            }
            Ok(Err(not_until)) => Err(not_until.wait_time_from(self.clock.now())),
            // No more than it holds is ever asked for.
            Err(_) => Err(Duration::from_secs(1)),
        }
    }

    /// Settles that `used` were needed where `taken` had been taken.
    pub(super) fn correct(&mut self, taken: u64, used: u64) {
        let owed = self.owed.saturating_add(to_i64(used)).saturating_sub(to_i64(taken));
        // A full bucket runs over: more than it holds cannot be saved up.
        self.owed = owed.max(-i64::from(self.holds.get()));
    }
}

fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_a_seconds_share() {
        let mut bucket = Bucket::new(600);
        for _ in 0..10 {
            bucket.take(1).unwrap();
        }
        let wait = bucket.take(1).unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        // What was not needed may be taken again, up to what the bucket holds.
        bucket.correct(1, 0);
        bucket.take(1).unwrap();
        assert!(bucket.take(1).is_err());
        bucket.correct(1000, 0);
        for _ in 0..10 {
            bucket.take(1).unwrap();
        }
        assert!(bucket.take(1).is_err());
    }

    #[test]
    fn what_is_owed_is_paid_by_those_who_follow() {
        let mut bucket = Bucket::new(6000);
        bucket.take(250).unwrap();
        assert_eq!(bucket.owed, 150);
        let wait = bucket.take(1).unwrap_err();
        assert!(wait > Duration::from_millis(500), "a whole bucket of it: {wait:?}");
        bucket.correct(250, 20);
        assert_eq!(bucket.owed, -80);
        bucket.take(50).unwrap();
        assert_eq!(bucket.owed, -30);
        bucket.correct(10, 500);
        assert_eq!(bucket.owed, 460);
    }

    #[test]
    fn the_smallest_limit_lets_one_begin() {
        let mut bucket = Bucket::new(1);
        bucket.take(1).unwrap();
        assert!(bucket.take(1).unwrap_err() > Duration::from_secs(50));
    }
}

//! Pauses between tries: exponential, with full jitter, so that many programs do not come back at the same moment.

use std::time::Duration;

/// The pauses of one batch.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first.min(longest) }
    }

    /// Draws the next pause: anything from nothing to the bound, which doubles.
    pub(crate) fn draw(&mut self) -> Duration {
        let bound = self.next;
        self.next = bound.saturating_mul(2).min(self.longest);
        bound.mul_f64(fastrand::f64())
    }

    /// Begins anew with short pauses.
    pub(crate) fn restart(&mut self) {
        self.next = self.first.min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_below_a_bound_that_doubles() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        for bound in [100, 200, 350, 350] {
            assert_eq!(backoff.next, ms(bound));
            assert!(backoff.draw() <= ms(bound));
        }
        backoff.restart();
        assert_eq!(backoff.next, ms(100));
    }
}

//! How long an answer takes: log-normal time to the first token, then a steady pace per token.

use std::time::Duration;

use rand_distr::{Distribution, LogNormal};

use crate::seed::{self, Purpose};

/// Sets how long an answer takes.
///
/// Both waits are drawn once per request from a log-normal distribution, seeded by the server's seed and the request itself: the
/// same request takes the same time whenever it arrives.
///
/// ```
/// use std::time::Duration;
/// use glassbox_sim::Latency;
///
/// let slow = Latency { first_token: Duration::from_secs(3), ..Latency::default() };
/// assert!(slow.per_token > Latency::none().per_token);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Median time to the first token.
    pub first_token: Duration,
    /// Spread of the time to the first token: the standard deviation of its logarithm.
    pub first_token_sigma: f64,
    /// Median time per output token after that.
    pub per_token: Duration,
    /// Spread of the time per token: the standard deviation of its logarithm.
    pub per_token_sigma: f64,
}

impl Default for Latency {
    /// A coffee-shop call takes about 5 seconds. The spread is small, so that four calls at once end close together.
    fn default() -> Self {
        Self {
            first_token: Duration::from_millis(800),
            first_token_sigma: 0.15,
            per_token: Duration::from_millis(28),
            per_token_sigma: 0.06,
        }
    }
}

impl Latency {
    /// Answers at once.
    pub fn none() -> Self {
        Self {
            first_token: Duration::ZERO,
            first_token_sigma: 0.0,
            per_token: Duration::ZERO,
            per_token_sigma: 0.0,
        }
    }

    /// Draws the timing of one request.
    pub(crate) fn timing(&self, seed: u64, request: u64, speed: f64) -> Timing {
        if speed <= 0.0 {
            return Timing { first_token: 0.0, per_token: 0.0 };
        }
        let mut rng = seed::rng(seed, Purpose::Latency, request, 0);
        let mut draw = |median: Duration, sigma: f64| {
            // A spread that is no number, or negative, counts as none.
            let factor = LogNormal::new(0.0, sigma).map_or(1.0, |spread| spread.sample(&mut rng));
            median.as_secs_f64() * factor / speed
        };
        Timing {
            first_token: draw(self.first_token, self.first_token_sigma),
            per_token: draw(self.per_token, self.per_token_sigma),
        }
    }
}

/// The waits of one request, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    first_token: f64,
    per_token: f64,
}

impl Timing {
    /// The time from the request's arrival until `tokens` have been written.
    pub(crate) fn after(&self, tokens: u64) -> Duration {
        // Overflows only with medians of centuries; then it waits as long as can be said.
        Duration::try_from_secs_f64(self.first_token + self.per_token * tokens as f64)
            .unwrap_or(Duration::MAX)
    }

    /// How many tokens a chunk of a stream holds: one, unless that would mean a chunk every few milliseconds.
    pub(crate) fn tokens_per_chunk(&self) -> usize {
        const SHORTEST_GAP: f64 = 0.010;
        if self.per_token <= 0.0 {
            return 4;
        }
        (SHORTEST_GAP / self.per_token).ceil().clamp(1.0, 64.0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_takes_the_same_time() {
        let latency = Latency::default();
        assert_eq!(latency.timing(7, 42, 1.0), latency.timing(7, 42, 1.0));
        assert_ne!(latency.timing(7, 42, 1.0), latency.timing(7, 43, 1.0));
        assert_ne!(latency.timing(7, 42, 1.0), latency.timing(8, 42, 1.0));
    }

    #[test]
    fn speed_divides_all_waits() {
        let latency = Latency::default();
        let (one, four) =
            (latency.timing(7, 42, 1.0).after(100), latency.timing(7, 42, 4.0).after(100));
        assert!((one.as_secs_f64() / four.as_secs_f64() - 4.0).abs() < 1e-6);
        assert_eq!(latency.timing(7, 42, 0.0).after(1_000_000), Duration::ZERO);
        assert_eq!(Latency::none().timing(7, 42, 1.0).after(1_000_000), Duration::ZERO);
    }

    #[test]
    fn absurd_spreads_and_medians_do_not_panic() {
        let latency =
            Latency { first_token_sigma: f64::NAN, per_token_sigma: -1.0, ..Latency::default() };
        assert!(latency.timing(1, 1, 1.0).after(1) > Duration::ZERO);
        let forever = Latency { per_token: Duration::MAX, ..Latency::default() };
        assert!(forever.timing(1, 1, 1e-300).after(u64::MAX) > Duration::ZERO);
    }
}

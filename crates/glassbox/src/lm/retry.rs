//! When to try again: attempts, pauses, and what the server asks for.

use crate::lm::failure::Failure;
use glassbox_events::event::WaitReason;
use std::time::Duration;

/// How often and how patiently a model call is tried again.
///
/// The pause before the n-th repetition is drawn by `jitter` out of `initial * 2^(n-1)`, at most `max`. A server that says
/// how long to wait (`retry-after-ms`, `Retry-After` in seconds or as a date, Gemini's `RetryInfo`) is obeyed to the
/// millisecond, up to `max_retry_after`; a longer wish ends the call. No repetition begins that `total` has no room for.
///
/// Tried again are rate limits (429), overload (503, 529, 498), other errors of the server (5xx), timeouts, broken
/// connections and answers that are no answers of the protocol; not: refusals of the key, the request or the content, and
/// quotas that are used up.
///
/// ```
/// use glassbox::RetryPolicy;
/// let impatient = RetryPolicy { attempts: 2, ..RetryPolicy::default() };
/// assert_eq!(RetryPolicy::never().attempts, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// The most attempts, the first one included; at least one is made.
    pub attempts: u32,
    /// The first pause.
    pub initial: Duration,
    /// The longest pause of our own.
    pub max: Duration,
    /// The longest `Retry-After` that is waited for.
    pub max_retry_after: Duration,
    /// How the pauses of calls that failed together are spread.
    pub jitter: Jitter,
    /// The longest that the call may take with all its attempts and waits, our limiter's included. Without one, each
    /// attempt has its timeout and nothing else ends the call.
    pub total: Option<Duration>,
}

/// How a pause is drawn, so that calls that failed at the same moment do not come back at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Between half of the pause and all of it: spread, and yet surely a pause.
    #[default]
    Equal,
    /// Between nothing and all of the pause: spreads best, for many clients of one server.
    Full,
    /// The whole pause, always: for tests.
    None,
}

impl Jitter {
    /// Draws how long a pause really is.
    fn draw(self, pause: Duration) -> Duration {
        match self {
            Self::Equal => pause.mul_f64(0.5 + 0.5 * fastrand::f64()),
            Self::Full => pause.mul_f64(fastrand::f64()),
            Self::None => pause,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(60),
            jitter: Jitter::Equal,
            total: None,
        }
    }
}

impl RetryPolicy {
    /// Makes one attempt only.
    #[must_use]
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Returns how long to wait after the `attempt`-th attempt (from 1) has failed, or `None` to give up.
    pub(crate) fn pause(&self, attempt: u32, failure: &Failure) -> Option<(WaitReason, Duration)> {
        if !failure.retryable || attempt >= self.attempts {
            return None;
        }
        if let Some(asked) = failure.retry_after {
            return (asked <= self.max_retry_after).then_some((WaitReason::RetryAfter, asked));
        }
        let doubled = self.initial.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(self.max);
        Some((WaitReason::Backoff, self.jitter.draw(doubled)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy =
            RetryPolicy { attempts: 9, max: Duration::from_secs(2), ..RetryPolicy::default() };
        let failure = Failure::new(ErrorKind::Server, "");
        for (attempt, longest) in [(1, 0.5), (2, 1.0), (3, 2.0), (8, 2.0)] {
            let (_, pause) = policy.pause(attempt, &failure).unwrap();
            assert!(
                (longest / 2.0..=longest).contains(&pause.as_secs_f64()),
                "{attempt}: {pause:?}"
            );
        }
        assert_eq!(policy.pause(9, &failure), None);
    }

    #[test]
    fn jitter_spreads_within_its_bounds() {
        let pause = Duration::from_secs(1);
        for (jitter, least) in [(Jitter::Equal, 0.5), (Jitter::Full, 0.0), (Jitter::None, 1.0)] {
            let drawn: Vec<_> = (0..1000).map(|_| jitter.draw(pause).as_secs_f64()).collect();
            assert!(drawn.iter().all(|seconds| (least..=1.0).contains(seconds)), "{jitter:?}");
            let smallest = drawn.iter().copied().fold(1.0, f64::min);
            assert!(smallest < least + 0.05, "{jitter:?} reaches {smallest}");
        }
    }

    #[test]
    fn the_servers_wish_is_honoured_unless_it_is_too_long() {
        let asked = |seconds| Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Failure::new(ErrorKind::RateLimited, "")
        };
        let policy = RetryPolicy::default();
        assert_eq!(
            policy.pause(1, &asked(2)),
            Some((WaitReason::RetryAfter, Duration::from_secs(2)))
        );
        assert_eq!(policy.pause(1, &asked(61)), None);
        assert_eq!(policy.pause(1, &Failure::new(ErrorKind::Auth, "")), None);
    }
}

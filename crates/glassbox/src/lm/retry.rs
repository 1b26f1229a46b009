//! When to try again: attempts, pauses, and what the server asks for.

use crate::lm::failure::Failure;
use glassbox_events::event::WaitReason;
use std::time::Duration;

/// How often and how patiently a model call is tried again.
///
/// The pause before the n-th repetition is drawn between half of `initial * 2^(n-1)` and all of it, at most `max`.
/// A `Retry-After` of the server is honoured up to `max_retry_after`; a longer one ends the call.
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
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(60),
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
        Some((WaitReason::Backoff, doubled.mul_f64(0.5 + 0.5 * fastrand::f64())))
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

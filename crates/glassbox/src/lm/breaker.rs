//! A circuit breaker: a provider that keeps failing is left alone for a while, and then tried with one call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When a provider counts as down. Models with the same provider, address and key see the same failures.
///
/// Counted are attempts that ended with an error of the server (5xx), a timeout, a broken connection, or something that
/// is no answer; rate limits are not, and neither are refusals of a request. While the circuit is open, calls fail at once
/// with [`ErrorKind::CircuitOpen`](crate::ErrorKind::CircuitOpen), and [`Lm::any`](crate::Lm::any) asks the next model.
/// After `open_for` one attempt is let through: if it works, the circuit is closed, if not, it opens anew.
///
/// ```
/// use glassbox::{CircuitBreaker, Lm};
/// let breaker = CircuitBreaker { failures: 3, ..CircuitBreaker::default() };
/// let lm = Lm::builder("openai/gpt-4o-mini").api_key("sk-..").circuit_breaker(breaker).build()?;
/// # Ok::<(), glassbox::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// How many failures open the circuit.
    pub failures: u32,
    /// Within what time they have to happen.
    pub window: Duration,
    /// How long nothing is tried.
    pub open_for: Duration,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { failures: 10, window: Duration::from_secs(60), open_for: Duration::from_secs(30) }
    }
}

/// How long a probe is taken to need.
const PROBE: Duration = Duration::from_secs(1);

/// The failures of a provider, and whether its circuit is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circuit(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// When the latest failures were, no older than the window.
    failures: VecDeque<Instant>,
    opened: Option<Instant>,
    /// Whether an attempt is under way that will tell.
    probing: bool,
}

/// The leave to make an attempt as far as the circuit is concerned. One that is dropped has told nothing.
#[derive(Debug)]
pub(crate) struct Fuse {
    circuit: Circuit,
    breaker: CircuitBreaker,
    probes: bool,
}

impl Circuit {
    /// Returns how long the circuit is still open, without taking the leave to probe it.
    pub(crate) fn is_open(&self, breaker: &CircuitBreaker, now: Instant) -> Option<Duration> {
        let state = self.state();
        let since = now.saturating_duration_since(state.opened?);
        match breaker.open_for.checked_sub(since) {
            Some(left) if !left.is_zero() => Some(left),
            // Whoever probes it will soon know.
            _ => state.probing.then_some(PROBE),
        }
    }

    /// Lets an attempt through, or tells how long the circuit is still open.
    pub(crate) fn ask(&self, breaker: &CircuitBreaker, now: Instant) -> Result<Fuse, Duration> {
        if let Some(left) = self.is_open(breaker, now) {
            return Err(left);
        }
        let mut state = self.state();
        let probes = state.opened.is_some();
        // Between looking and taking somebody else may have begun to probe; two probes do no harm.
        state.probing |= probes;
        drop(state);
        Ok(Fuse { circuit: self.clone(), breaker: *breaker, probes })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fuse {
    /// Tells that the provider works.
    pub(crate) fn held(self) {
        let mut state = self.circuit.state();
        state.opened = None;
        if self.probes {
            state.failures.clear();
        }
    }

    /// Tells that the provider failed.
    pub(crate) fn blown(self, now: Instant) {
        let mut state = self.circuit.state();
        let window = self.breaker.window;
        state.failures.retain(|failure| now.saturating_duration_since(*failure) < window);
        state.failures.push_back(now);
        if self.probes || state.failures.len() >= self.breaker.failures.max(1) as usize {
            state.opened = Some(now);
            state.failures.clear();
        }
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        if self.probes {
            self.circuit.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circuit_opens_is_probed_by_one_and_closes() {
        let breaker = CircuitBreaker {
            failures: 2,
            window: Duration::from_secs(10),
            open_for: Duration::from_secs(5),
        };
        let (circuit, start) = (Circuit::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let fail = |seconds| circuit.ask(&breaker, at(seconds)).unwrap().blown(at(seconds));

        // Failures that are too far apart do not add up.
        fail(0);
        fail(11);
        let late = circuit.ask(&breaker, at(12)).unwrap();
        fail(12);
        assert_eq!(circuit.ask(&breaker, at(13)).unwrap_err(), Duration::from_secs(4));

        // One probe, and one only. A probe that is given up tells nothing.
        drop(circuit.ask(&breaker, at(17)).unwrap());
        let probe = circuit.ask(&breaker, at(17)).unwrap();
        assert_eq!(circuit.ask(&breaker, at(18)).unwrap_err(), PROBE);
        probe.blown(at(18));
        assert_eq!(circuit.ask(&breaker, at(18)).unwrap_err(), Duration::from_secs(5));
        circuit.ask(&breaker, at(23)).unwrap().held();
        assert!(circuit.is_open(&breaker, at(23)).is_none());

        // After it one failure is not enough again.
        fail(24);
        assert!(circuit.ask(&breaker, at(24)).is_ok());
        // An answer that had been on its way counts too.
        late.held();
    }
}

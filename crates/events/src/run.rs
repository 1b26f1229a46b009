//! A run: what one outermost scope or root call does, which can be stopped as a whole.

use crate::spending::Spending;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A reason to stop a run, given by a subscriber or by the program.
///
/// A subscriber returns it as an error; every later model attempt of the run is then refused with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    reason: Arc<str>,
}

impl Stop {
    /// Makes a stop with a reason for people.
    #[must_use]
    pub fn new(reason: impl Into<Arc<str>>) -> Self {
        Self { reason: reason.into() }
    }

    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// A handle of a run. Clones are the same run.
#[derive(Clone, Debug, Default)]
pub struct Run(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    number: u64,
    began: Instant,
    stopped: OnceLock<Stop>,
    told: Notify,
    /// A std mutex: it is held for a few additions, never across an await.
    tally: Mutex<Tally>,
}

/// What a run has spent, and what it may be spending now.
#[derive(Debug, Default)]
struct Tally {
    spent: Spending,
    in_flight: Spending,
    /// The budgets of wall time whose clocks are set for this run.
    timed_by: Vec<u64>,
}

impl Default for Inner {
    fn default() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            began: Instant::now(),
            stopped: OnceLock::new(),
            told: Notify::new(),
            tally: Mutex::default(),
        }
    }
}

impl Run {
    /// Begins a run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the run: no new model attempt, tool call or code run begins, and those under way are cancelled. The first
    /// reason stays. Returns whether this call stopped it.
    pub fn stop(&self, stop: Stop) -> bool {
        let first = self.0.stopped.set(stop).is_ok();
        if first {
            self.0.told.notify_waiters();
        }
        first
    }

    /// Returns why the run was stopped, if it was.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stop> {
        self.0.stopped.get()
    }

    /// Waits until the run is stopped, for ever if it never is. Works in every runtime.
    pub async fn until_stopped(&self) -> &Stop {
        loop {
            let told = self.0.told.notified();
            // Asked for before it is looked at, so that a stop in between wakes it.
            if let Some(stop) = self.stopped() {
                return stop;
            }
            told.await;
        }
    }

    /// Returns how long ago the run began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Returns what the run has spent. An attempt of which nobody knows counts with its upper bound; money of a model
    /// without a price is not in it.
    #[must_use]
    pub fn spent(&self) -> Spending {
        self.tally().spent
    }

    /// Returns what the attempts, tool calls and code runs that are under way may spend at most.
    #[must_use]
    pub fn in_flight(&self) -> Spending {
        self.tally().in_flight
    }

    /// Returns the number of the run, which no other run of the process has.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// Takes note of something that begins and may spend that much.
    pub(crate) fn begin(&self, bound: Spending) {
        let mut tally = self.tally();
        tally.in_flight = tally.in_flight.plus(bound);
    }

    /// Takes note of what it did spend.
    pub(crate) fn settle(&self, bound: Spending, spent: Spending) {
        let mut tally = self.tally();
        tally.in_flight = tally.in_flight.minus(bound);
        tally.spent = tally.spent.plus(spent);
    }

    /// Tells whether the budget of that number asks for the first time to be told when the run's time is over.
    pub(crate) fn is_new_clock(&self, budget: u64) -> bool {
        let mut tally = self.tally();
        let is_new = !tally.timed_by.contains(&budget);
        if is_new {
            tally.timed_by.push(budget);
        }
        is_new
    }

    pub(crate) fn downgrade(&self) -> WeakRun {
        WeakRun(Arc::downgrade(&self.0))
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Nothing in here panics while the lock is held; were it so, the sums would still be whole.
        self.0.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that somebody remembers without keeping it.
#[derive(Clone, Debug)]
pub(crate) struct WeakRun(Weak<Inner>);

impl WeakRun {
    pub(crate) fn upgrade(&self) -> Option<Run> {
        self.0.upgrade().map(Run)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

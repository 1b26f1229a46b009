//! A run: what one outermost scope or root call does, which can be stopped as a whole.

use std::fmt;
use std::sync::{Arc, OnceLock};
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

#[derive(Debug, Default)]
struct Inner {
    stopped: OnceLock<Stop>,
    told: Notify,
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
}

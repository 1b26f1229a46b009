//! A run: what one outermost scope or root call does, which can be stopped as a whole.

use std::fmt;
use std::sync::{Arc, OnceLock};

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
pub struct Run {
    stopped: Arc<OnceLock<Stop>>,
}

impl Run {
    /// Begins a run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the run: no new model attempt, tool call or code run begins. The first reason stays.
    /// Returns whether this call stopped it.
    pub fn stop(&self, stop: Stop) -> bool {
        self.stopped.set(stop).is_ok()
    }

    /// Returns why the run was stopped, if it was.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stop> {
        self.stopped.get()
    }
}

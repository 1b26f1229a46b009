//! What watchers tell: stopped runs, alerts, and differences from a baseline.

use crate::run::Stop;
use crate::spending::Spending;
use std::sync::Arc;

/// A run that was stopped, and what it had spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStopped {
    /// Why it was stopped.
    pub stop: Stop,
    /// What it had spent when it was stopped.
    pub spent: Spending,
    /// What was under way then and may be charged for as well, at most. It is cancelled; what it did spend is in
    /// [`Run::spent`](crate::run::Run::spent) once it has ended.
    pub in_flight: Spending,
}

impl RunStopped {
    /// Returns why the run was stopped.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.stop.reason()
    }
}

/// An alert that began or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The rule's name.
    pub rule: Arc<str>,
    /// What the rule measures, such as `error_share` or `latency_p95`.
    pub measure: Arc<str>,
    /// What was measured, in the measure's unit.
    pub value: f64,
    /// The rule's threshold, in the same unit.
    pub threshold: f64,
    /// The rule's labels.
    pub labels: Arc<[(Arc<str>, Arc<str>)]>,
    /// What happened, for people.
    pub message: Arc<str>,
}

/// A difference from a baseline that noise does not explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// What got different: the module's path of names, with the model where there is one.
    pub subject: Arc<str>,
    /// What was measured, such as `latency_ms`, `tokens`, `cost_usd`, `error_share` or `retries`.
    pub measure: Arc<str>,
    /// The baseline's value.
    pub baseline: f64,
    /// The value now.
    pub current: f64,
    /// The lower bound of the difference's interval, in the same unit.
    pub low: f64,
    /// The upper bound of the difference's interval.
    pub high: f64,
    /// How many samples the baseline has.
    pub baseline_samples: u64,
    /// How many samples there are now.
    pub current_samples: u64,
}

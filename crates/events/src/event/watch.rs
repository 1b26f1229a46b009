//! What watchers tell: alerts, and differences from a baseline.

use std::sync::Arc;

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

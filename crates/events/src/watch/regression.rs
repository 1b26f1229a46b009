//! Regressions: a baseline against now, by module and model, and only what noise does not explain.
//!
//! A [`Sampler`] takes samples of everything that ends. Those of a good time are the baseline, which a file can keep; a
//! [`Regression`] compares them with those of now. It reports a difference only if
//!
//! - each side has enough samples;
//! - the bootstrap interval of the difference does not hold zero;
//! - a permutation test says that chance alone gives such a difference at most as often as the level allows;
//! - and it is large enough to matter.
//!
//! The level is of a whole report: it is divided among all comparisons (Bonferroni), so that of a hundred reports without
//! any change at most five have a finding at the level 0.05. Latencies are compared by the mean of the middle half, so
//! that a few calls that hung decide nothing; what a change does to the slowest calls alone is for an
//! [alert](super::alert) on a percentile.

use crate::bus::Bus;
use crate::event;
use crate::pattern::PatternError;
use fastrand::Rng;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

mod samples;
mod sampler;
mod statistics;
mod report;
mod watching;

pub use report::{Finding, Report};
pub use sampler::Sampler;
pub use samples::{BaselineError, Measure, Samples};
pub use watching::RegressionWatch;

use statistics::{difference, trimmed_mean};

/// A baseline, and how a difference from it has to be to be reported.
///
/// ```
/// use glassbox_events::watch::Regression;
/// use glassbox_events::watch::regression::{Measure, Samples};
/// let (mut before, mut now) = (Samples::default(), Samples::default());
/// for call in 0..40 {
///     let millis = 800.0 + f64::from(call % 7);
///     before.add("Answer.forward", Measure::LatencyMs, millis);
///     now.add("Answer.forward", Measure::LatencyMs, millis * 1.3);
/// }
/// let report = Regression::against(before).compare(&now);
/// assert!(report.findings[0].worse);
/// println!("{report}");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Regression {
    baseline: Samples,
    level: f64,
    min_samples: usize,
    min_change: f64,
    seed: u64,
}

impl Regression {
    /// Compares with these samples, at the level 0.05, with at least 20 samples on each side, and reports changes of at
    /// least five percent.
    pub fn against(baseline: Samples) -> Self {
        Self { baseline, level: 0.05, min_samples: 20, min_change: 0.05, seed: 7 }
    }

    /// Sets how often a report may have a finding although nothing changed: 0.05 for one in twenty. From 0.0001 to 0.5.
    pub fn level(self, level: f64) -> Self {
        let level = if level.is_finite() { level.clamp(0.0001, 0.5) } else { 0.05 };
        Self { level, ..self }
    }

    /// Sets how many samples each side of a comparison needs; at least five.
    pub fn min_samples(self, samples: usize) -> Self {
        Self { min_samples: samples.max(5), ..self }
    }

    /// Sets how large a change of latency, tokens or cost has to be to matter, as a part of the baseline: 0.05 for five
    /// percent.
    pub fn min_change(self, part: f64) -> Self {
        Self { min_change: part.max(0.0), ..self }
    }

    /// Sets the seed of the resampling: the same samples and seed give the same report.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Returns the baseline.
    #[must_use]
    pub const fn baseline(&self) -> &Samples {
        &self.baseline
    }

    /// Compares samples with the baseline.
    #[must_use]
    pub fn compare(&self, now: &Samples) -> Report {
        let mut comparisons = Vec::new();
        let mut skipped = BTreeSet::new();
        let names = self.baseline.subjects.keys().chain(now.subjects.keys());
        for name in names.collect::<BTreeSet<_>>() {
            let found = Measure::ALL.into_iter().filter_map(|measure| {
                let (before, now) =
                    (self.baseline.values(name, measure), now.values(name, measure));
                let enough = before.len().min(now.len()) >= self.min_samples;
                enough.then(|| Comparison::new(name, measure, before, now))
            });
            let found: Vec<_> = found.collect();
            if found.is_empty() {
                skipped.insert(Arc::clone(name));
            }
            // Where all is the same on both sides, chance can do nothing: that is no comparison.
            comparisons.extend(found.into_iter().filter(|comparison| !comparison.is_constant()));
        }

        let (count, mut rng) = (comparisons.len(), Rng::with_seed(self.seed));
        let level = self.level / count.max(1) as f64;
        let findings = comparisons.into_iter();
        let mut findings: Vec<_> = findings
            .filter_map(|comparison| comparison.finding(level, self.min_change, &mut rng))
            .collect();
        findings.sort_by(|one, other| other.weight().total_cmp(&one.weight()));
        Report {
            level: self.level,
            comparisons: count,
            findings,
            skipped: skipped.into_iter().collect(),
        }
    }

    /// Takes samples of a bus, of each subject the latest `kept`, and compares them with the baseline every so often, on a
    /// thread of its own, until the returned guard is dropped. What got worse is told once, as `regression.detected`, and
    /// again only after it was better in between.
    ///
    /// The level holds for each comparison of the whole; who compares often hears more false alarms.
    ///
    /// # Errors
    ///
    /// None in practice: the patterns are those of the closed list.
    pub fn watch(
        self,
        bus: &Bus,
        kept: usize,
        every: Duration,
    ) -> Result<RegressionWatch, PatternError> {
        RegressionWatch::start(self, bus, kept, every)
    }
}

/// One measure of one subject, before and now. The values are sorted.
struct Comparison<'a> {
    subject: &'a Arc<str>,
    measure: Measure,
    before: Vec<f64>,
    now: Vec<f64>,
}

impl<'a> Comparison<'a> {
    fn new(subject: &'a Arc<str>, measure: Measure, before: &[f64], now: &[f64]) -> Self {
        let sorted = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        Self { subject, measure, before: sorted(before), now: sorted(now) }
    }

    fn is_constant(&self) -> bool {
        let ends = [self.before.first(), self.before.last(), self.now.first(), self.now.last()];
        ends.iter().all(|end| *end == ends[0])
    }

    fn finding(&self, level: f64, min_change: f64, rng: &mut Rng) -> Option<Finding> {
        let trim = if self.measure == Measure::LatencyMs { 0.25 } else { 0.0 };
        let (baseline, current) = (trimmed_mean(&self.before, trim), trimmed_mean(&self.now, trim));
        let change = current - baseline;
        let matters = match self.measure {
            Measure::LatencyMs | Measure::Tokens | Measure::CostUsd => {
                change.abs() >= min_change * baseline.abs()
            }
            Measure::ErrorShare | Measure::Retries => true,
        };
        if change == 0.0 || !matters {
            return None;
        }
        let interval = difference(&self.before, &self.now, trim, level, rng)?;
        let facts = event::Regression {
            subject: Arc::clone(self.subject),
            measure: self.measure.as_str().into(),
            baseline,
            current,
            low: interval.low,
            high: interval.high,
            baseline_samples: self.before.len() as u64,
            current_samples: self.now.len() as u64,
        };
        Some(Finding { facts: Arc::new(facts), measure: self.measure, worse: change > 0.0 })
    }
}

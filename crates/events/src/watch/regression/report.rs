//! What a comparison found, as a table.

use super::samples::Measure;
use crate::event;
use std::fmt;
use std::sync::Arc;

/// What differs from the baseline beyond noise: what changed most, by its part, comes first. Prints as a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How often such a report may have a finding although nothing changed.
    pub level: f64,
    /// How many comparisons share the level.
    pub comparisons: usize,
    /// What differs.
    pub findings: Vec<Finding>,
    /// The subjects that were not compared: too few samples, or on one side only.
    pub skipped: Vec<Arc<str>>,
}

/// A difference that noise does not explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What differs, and how much.
    pub facts: Arc<event::Regression>,
    /// Which measure.
    pub measure: Measure,
    /// Whether it got worse: every measure is better when it is less.
    pub worse: bool,
}

impl Finding {
    /// Returns the change as a part of the baseline, such as 0.3; `None` where the baseline is zero.
    #[must_use]
    pub fn change(&self) -> Option<f64> {
        let facts = &self.facts;
        (facts.baseline != 0.0).then(|| (facts.current - facts.baseline) / facts.baseline.abs())
    }

    /// Orders findings: those that got worse first, by how much.
    pub(super) fn weight(&self) -> f64 {
        let change = self.change().map_or(f64::INFINITY, f64::abs);
        if self.worse { change } else { -1.0 / (1.0 + change) }
    }
}

impl Report {
    /// Returns what got worse.
    pub fn worse(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.worse)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (level, comparisons) = (self.level, self.comparisons);
        if self.findings.is_empty() {
            write!(f, "nothing differs beyond noise ({comparisons} comparisons, level {level})")?;
        } else {
            let rows = self.findings.iter().map(row);
            let head = [
                "", "measure", "before", "now", "change", "at least", "at most", "samples", "where",
            ];
            let rows: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
            let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
            let widths: [usize; 8] =
                std::array::from_fn(|column| width(column).unwrap_or_default());
            for row in &rows {
                let mut line = String::new();
                for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                    // Words to the left, numbers to the right.
                    let cell = if column < 2 {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    };
                    line.push_str(&cell);
                    line.push_str("  ");
                }
                writeln!(f, "{}", format!("{line}{}", row[8]).trim_end())?;
            }
            write!(f, "{comparisons} comparisons, level {level}")?;
        }
        if !self.skipped.is_empty() {
            write!(f, "; {} subjects have too few samples", self.skipped.len())?;
        }
        Ok(())
    }
}

fn row(finding: &Finding) -> [String; 9] {
    let facts = &finding.facts;
    let show = |value: f64| show(finding.measure, value);
    let signed =
        |value: f64| format!("{}{}", if value < 0.0 { "-" } else { "+" }, show(value.abs()));
    let change = match finding.change() {
        Some(change) => format!("{:+.0} %", change * 100.0),
        None => "new".to_owned(),
    };
    // Of the interval, the bound nearer to zero is what it is at least.
    let (least, most) =
        if finding.worse { (facts.low, facts.high) } else { (facts.high, facts.low) };
    [
        if finding.worse { "worse" } else { "better" }.to_owned(),
        facts.measure.to_string(),
        show(facts.baseline),
        show(facts.current),
        change,
        signed(least),
        signed(most),
        format!("{}/{}", facts.baseline_samples, facts.current_samples),
        facts.subject.to_string(),
    ]
}

fn show(measure: Measure, value: f64) -> String {
    match measure {
        Measure::LatencyMs if value < 10.0 => format!("{value:.2}"),
        Measure::LatencyMs | Measure::Tokens => format!("{value:.0}"),
        Measure::CostUsd => format!("{value:.6}"),
        Measure::ErrorShare => format!("{value:.3}"),
        Measure::Retries => format!("{value:.2}"),
    }
}

//! Samples of what calls took and cost, by subject: what a baseline is made of, and its file.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The version of the file's format.
const VERSION: u64 = 1;
/// A file that is larger is no baseline.
const MAX_BYTES: u64 = 256 << 20;

/// What is measured of each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// `latency_ms`: milliseconds, of calls that worked.
    LatencyMs,
    /// `tokens`: in and out, of calls that worked; of a module those of all model calls in it.
    Tokens,
    /// `cost_usd`: US dollars, as tokens.
    CostUsd,
    /// `error_share`: 1 for a call that failed, else 0.
    ErrorShare,
    /// `retries`: attempts of model calls after the first.
    Retries,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::LatencyMs, Self::Tokens, Self::CostUsd, Self::ErrorShare, Self::Retries];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LatencyMs => "latency_ms",
            Self::Tokens => "tokens",
            Self::CostUsd => "cost_usd",
            Self::ErrorShare => "error_share",
            Self::Retries => "retries",
        }
    }
}

/// The values of one subject, by measure, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Subject([Vec<f64>; Measure::ALL.len()]);

impl Subject {
    pub(super) fn of(&self, measure: Measure) -> &[f64] {
        &self.0[measure as usize]
    }

    pub(super) fn of_mut(&mut self, measure: Measure) -> &mut Vec<f64> {
        &mut self.0[measure as usize]
    }
}

/// Samples of latency, tokens, cost, errors and retries, by subject. A subject is a module by its path of names, or a model
/// within one: `CoffeeShopAgent.forward > ChainOfThought(CoffeeShop) > chat openai/gpt-4o-mini`. Numbers of turns and
/// candidates are left out, so that `turn 1` and `turn 2` are one.
///
/// ```
/// use glassbox_events::watch::regression::{Measure, Samples};
/// let mut samples = Samples::default();
/// samples.add("Answer.forward", Measure::LatencyMs, 812.5);
/// assert_eq!(Samples::from_json(&samples.to_json())?, samples);
/// # Ok::<(), glassbox_events::watch::regression::BaselineError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    pub(super) subjects: BTreeMap<Arc<str>, Subject>,
}

/// Tells why a baseline could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BaselineError(String);

impl Samples {
    /// Adds a value. One that is no finite number is left out.
    pub fn add(&mut self, subject: &str, measure: Measure, value: f64) {
        if value.is_finite() {
            self.subjects.entry(subject.into()).or_default().of_mut(measure).push(value);
        }
    }

    /// Returns the subjects, in order.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.subjects.keys().map(AsRef::as_ref)
    }

    /// Returns the values of a subject, in the order in which they came.
    #[must_use]
    pub fn values(&self, subject: &str, measure: Measure) -> &[f64] {
        self.subjects.get(subject).map_or(&[], |subject| subject.of(measure))
    }

    /// Writes the samples as JSON with a version.
    #[must_use]
    pub fn to_json(&self) -> String {
        let subjects = self.subjects.iter().map(|(name, subject)| {
            let values =
                Measure::ALL.into_iter().filter(|measure| !subject.of(*measure).is_empty());
            let values = values
                .map(|measure| (measure.as_str().to_owned(), Value::from(subject.of(measure))))
                .collect::<Map<_, _>>();
            (name.to_string(), Value::from(values))
        });
        let subjects: Map<_, _> = subjects.collect();
        json!({ "glassbox_baseline": VERSION, "subjects": subjects }).to_string()
    }

    /// Reads samples from JSON.
    ///
    /// # Errors
    ///
    /// The text is no baseline of this version.
    pub fn from_json(text: &str) -> Result<Self, BaselineError> {
        let wrong = |problem: String| BaselineError(format!("this is no baseline: {problem}"));
        let document: Value =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match document.get("glassbox_baseline").and_then(Value::as_u64) {
            Some(VERSION) => (),
            Some(other) => {
                return Err(BaselineError(format!(
                    "the baseline has version {other}, and this program reads {VERSION}: record it anew"
                )));
            }
            None => return Err(wrong("it has no `glassbox_baseline`".to_owned())),
        }
        let subjects = document.get("subjects").and_then(Value::as_object);
        let subjects = subjects.ok_or_else(|| wrong("it has no `subjects`".to_owned()))?;
        let mut samples = Self::default();
        for (name, measures) in subjects {
            let subject = samples.subjects.entry(name.as_str().into()).or_default();
            for measure in Measure::ALL {
                let Some(values) = measures.get(measure.as_str()) else { continue };
                let read = values.as_array().and_then(|values| {
                    values
                        .iter()
                        .map(|value| value.as_f64().filter(|value| value.is_finite()))
                        .collect()
                });
                *subject.of_mut(measure) = read.ok_or_else(|| {
                    wrong(format!("{} of {name:?} is no list of numbers", measure.as_str()))
                })?;
            }
        }
        Ok(samples)
    }

    /// Writes the samples to a file, in one step: whoever reads it sees the old or the new.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), BaselineError> {
        let path = path.as_ref();
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let written = std::fs::write(&beside, self.to_json());
        written.and_then(|()| std::fs::rename(&beside, path)).map_err(|error| {
            BaselineError(format!("{} cannot be written: {error}", path.display()))
        })
    }

    /// Reads the samples of a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no baseline of this version.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, BaselineError> {
        let path = path.as_ref();
        let in_file =
            |problem: &dyn fmt::Display| BaselineError(format!("{}: {problem}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| in_file(&error))?.len();
        if size > MAX_BYTES {
            return Err(in_file(&format!("{size} bytes are more than a baseline has")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| in_file(&error))?;
        Self::from_json(&text).map_err(|error| in_file(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_baseline_is_told() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Samples::from_json(text).unwrap_err().to_string(), expected);
        };
        check("{}", "this is no baseline: it has no `glassbox_baseline`");
        check(
            r#"{"glassbox_baseline":2}"#,
            "the baseline has version 2, and this program reads 1: record it anew",
        );
        check(r#"{"glassbox_baseline":1}"#, "this is no baseline: it has no `subjects`");
        check(
            r#"{"glassbox_baseline":1,"subjects":{"A":{"tokens":["x"]}}}"#,
            "this is no baseline: tokens of \"A\" is no list of numbers",
        );
        assert!(
            Samples::from_json("]")
                .unwrap_err()
                .to_string()
                .starts_with("this is no baseline: expected value")
        );
    }
}

//! What Langfuse's metrics can be asked for, by its names, and in its units.

use super::Failed;
use crate::store::{Dimension, Measure, Numbers, View};
use serde_json::{Value, json};

const OF_TRACES: &[(&str, Dimension)] = &[
    ("name", Dimension::Name),
    ("tags", Dimension::Tags),
    ("environment", Dimension::Environment),
    ("release", Dimension::Release),
    ("version", Dimension::Version),
    ("userId", Dimension::User),
    ("sessionId", Dimension::Session),
    ("id", Dimension::Id),
    ("timestampMonth", Dimension::Month),
];

const OF_OBSERVATIONS: &[(&str, Dimension)] = &[
    ("name", Dimension::Name),
    ("type", Dimension::Kind),
    ("level", Dimension::Level),
    ("environment", Dimension::Environment),
    ("version", Dimension::Version),
    ("release", Dimension::Release),
    ("tags", Dimension::Tags),
    ("traceName", Dimension::TraceName),
    ("traceRelease", Dimension::Release),
    ("traceVersion", Dimension::Version),
    ("providedModelName", Dimension::Model),
    ("isRootObservation", Dimension::IsRoot),
    ("userId", Dimension::User),
    ("sessionId", Dimension::Session),
    ("traceId", Dimension::Trace),
    ("parentObservationId", Dimension::Span),
    ("id", Dimension::Id),
    ("startTimeMonth", Dimension::Month),
];

const OF_SCORES: &[(&str, Dimension)] = &[
    ("name", Dimension::Name),
    ("dataType", Dimension::Type),
    ("source", Dimension::Source),
    ("environment", Dimension::Environment),
    ("value", Dimension::Value),
    ("stringValue", Dimension::Value),
    ("booleanValue", Dimension::Value),
    ("traceName", Dimension::TraceName),
    ("traceRelease", Dimension::Release),
    ("traceVersion", Dimension::Version),
    ("tags", Dimension::Tags),
    ("userId", Dimension::User),
    ("sessionId", Dimension::Session),
    ("traceId", Dimension::Trace),
    ("observationId", Dimension::Span),
    ("observationName", Dimension::SpanName),
    ("observationModelName", Dimension::Model),
    ("id", Dimension::Id),
    ("timestampMonth", Dimension::Month),
    ("timestampDay", Dimension::Day),
];

/// A measure, and by how much ours is more than Langfuse's: it has milliseconds and dollars.
type Known = (&'static str, Measure, f64);

const MILLIS: f64 = 1e3;
const DOLLARS: f64 = 1e12;

const MEASURES_OF_TRACES: &[Known] = &[
    ("count", Measure::Count, 1.0),
    ("latency", Measure::Duration, MILLIS),
    ("totalTokens", Measure::Tokens, 1.0),
    ("totalCost", Measure::Cost, DOLLARS),
    ("observationsCount", Measure::Spans, 1.0),
    ("scoresCount", Measure::Scores, 1.0),
];

const MEASURES_OF_OBSERVATIONS: &[Known] = &[
    ("count", Measure::Count, 1.0),
    ("latency", Measure::Duration, MILLIS),
    ("streamingLatency", Measure::Streaming, MILLIS),
    ("timeToFirstToken", Measure::FirstChunk, MILLIS),
    ("inputTokens", Measure::InputTokens, 1.0),
    ("outputTokens", Measure::OutputTokens, 1.0),
    ("totalTokens", Measure::Tokens, 1.0),
    ("tokensPerSecond", Measure::TokensPerSecond, 1.0),
    ("outputTokensPerSecond", Measure::OutputTokensPerSecond, 1.0),
    ("totalCost", Measure::Cost, DOLLARS),
    ("countScores", Measure::Scores, 1.0),
];

const MEASURES_OF_SCORES: &[Known] =
    &[("count", Measure::Count, 1.0), ("value", Measure::Value, 1.0)];

const AGGREGATIONS: [&str; 11] =
    ["sum", "avg", "count", "max", "min", "p50", "p75", "p90", "p95", "p99", "histogram"];

/// Finds a fact by its name.
pub(super) fn dimension(view: View, field: &str) -> Result<Dimension, Failed> {
    let known = match view {
        View::Traces => OF_TRACES,
        View::Spans => OF_OBSERVATIONS,
        View::Scores => OF_SCORES,
    };
    let found = known.iter().find(|(name, _)| *name == field).map(|(_, dimension)| *dimension);
    found.ok_or_else(|| unknown("dimensions", field, known.iter().map(|(name, _)| *name)))
}

fn unknown(what: &str, asked: &str, known: impl Iterator<Item = &'static str>) -> Failed {
    let known = known.collect::<Vec<_>>().join(", ");
    Failed::bad_request(&format!("{what}: {asked:?} is not known here; type one of {known}"))
}

/// A measure and what is made of its values.
pub(super) struct Wanted {
    pub(super) measure: Measure,
    aggregation: &'static str,
    unit: f64,
    /// Its name in rows, and to order them by.
    pub(super) alias: String,
}

impl Wanted {
    pub(super) fn read(view: View, measure: &str, aggregation: &str) -> Result<Self, Failed> {
        let known = match view {
            View::Traces => MEASURES_OF_TRACES,
            View::Spans => MEASURES_OF_OBSERVATIONS,
            View::Scores => MEASURES_OF_SCORES,
        };
        let found = known.iter().find(|(name, ..)| *name == measure);
        let (name, measure, unit) = found
            .ok_or_else(|| unknown("metrics", measure, known.iter().map(|(name, ..)| *name)))?;
        let aggregation = AGGREGATIONS.into_iter().find(|name| *name == aggregation);
        let aggregation = aggregation.ok_or_else(|| {
            Failed::bad_request(&format!("aggregation is one of {}", AGGREGATIONS.join(", ")))
        })?;
        let alias = format!("{aggregation}_{name}");
        Ok(Self { measure: *measure, aggregation, unit: *unit, alias })
    }

    /// Tells whether single values are needed.
    pub(super) fn needs_values(&self) -> bool {
        self.aggregation.starts_with('p') || self.aggregation == "histogram"
    }

    /// Makes one value of many; `null` of none, and of none to add up 0.
    pub(super) fn of(&self, numbers: &Numbers, bins: usize) -> Value {
        let value = match self.aggregation {
            "count" => return numbers.count.into(),
            "histogram" => {
                let parts = numbers.histogram(bins).into_iter();
                let parts = parts
                    .map(|(from, to, height)| json!([from / self.unit, to / self.unit, height]));
                return parts.collect();
            }
            "sum" => Some(numbers.sum),
            "avg" => (numbers.count > 0).then(|| numbers.sum / numbers.count as f64),
            "min" => numbers.min,
            "max" => numbers.max,
            // The names are all of this shape.
            part => part[1..].parse().ok().and_then(|part| numbers.percentile(part)),
        };
        let value = value.map(|value| value / self.unit);
        match value.filter(|value| value.fract() == 0.0 && value.abs() < 1e15) {
            // Counts are told without a point.
            Some(whole) => (whole as i64).into(),
            None => value.into(),
        }
    }
}

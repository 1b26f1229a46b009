//! Numbers of traces, spans or scores by any of their facts and by time: what metrics are made of.

use super::{ScoreQuery, Window};
use crate::filter::Filter;
use serde_json::Value;

/// The most groups that numbers can fall into.
pub const MOST_GROUPS: usize = 10_000;

/// What is counted, and what is told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsQuery {
    /// What is counted.
    pub view: View,
    /// When it began, or for scores when they arrived.
    pub window: Window,
    /// What it, or for scores their traces, have to be like.
    pub filter: Filter,
    /// What scores have to be like; of no meaning for others.
    pub scores: ScoreQuery,
    /// The facts that make a group.
    pub dimensions: Vec<Dimension>,
    /// How long the times are that make a group.
    pub step: Option<Step>,
    /// What is measured.
    pub measures: Vec<Measure>,
    /// Whether single values are wanted, as percentiles need them.
    pub has_values: bool,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Traces.
    Traces,
    /// Spans.
    Spans,
    /// Scores.
    Scores,
}

/// A fact that tells groups apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Its own name.
    Name,
    /// Its own id.
    Id,
    /// The id of the trace.
    Trace,
    /// The name of the trace.
    TraceName,
    /// The user of the trace.
    User,
    /// The session of the trace.
    Session,
    /// The tags of the trace, a list.
    Tags,
    /// The release of the program.
    Release,
    /// The version of the program.
    Version,
    /// Where the program runs.
    Environment,
    /// The kind of span.
    Kind,
    /// Whether it failed: `ERROR` or `DEFAULT`.
    Level,
    /// The model of the span.
    Model,
    /// The span; for spans the one above.
    Span,
    /// The name of the span.
    SpanName,
    /// Whether a span has none above.
    IsRoot,
    /// The month, such as `2026-01`.
    Month,
    /// The day, such as `2026-01-31`.
    Day,
    /// The value of a score.
    Value,
    /// The kind of a score's value: `NUMERIC`, `BOOLEAN` or `CATEGORICAL`.
    Type,
    /// Where scores come from: all by the API.
    Source,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How many there are.
    Count,
    /// From beginning to end, in microseconds.
    Duration,
    /// From the first chunk to the end, in microseconds.
    Streaming,
    /// From beginning to the first chunk, in microseconds.
    FirstChunk,
    /// All tokens.
    Tokens,
    /// Tokens that were sent.
    InputTokens,
    /// Tokens that came back.
    OutputTokens,
    /// Tokens by the duration, a second.
    TokensPerSecond,
    /// Tokens that came back by the duration, a second.
    OutputTokensPerSecond,
    /// Millionths of a millionth of a dollar.
    Cost,
    /// How many spans a trace has.
    Spans,
    /// How many scores there are of it.
    Scores,
    /// The value of a score, yes being 1 and no 0.
    Value,
}

/// How long the times are that make a group; all in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week from Monday on.
    Week,
    /// A month.
    Month,
}

/// The numbers of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsGroup {
    /// When its time begins, if times make groups.
    pub at_us: Option<i64>,
    /// The facts that were asked for, in that order.
    pub facts: Vec<Value>,
    /// The measures that were asked for, in that order.
    pub numbers: Vec<Numbers>,
}

/// What is known of the values of a measure; those that are not known are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// How many there are.
    pub count: i64,
    /// All together.
    pub sum: f64,
    /// The least.
    pub min: Option<f64>,
    /// The most.
    pub max: Option<f64>,
    /// All of them, the least first, if they were asked for.
    pub values: Vec<f64>,
}

impl Numbers {
    /// Adds a value.
    pub fn add(&mut self, value: f64, is_kept: bool) {
        self.count += 1;
        self.sum += value;
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
        if is_kept {
            self.values.push(value);
        }
    }

    /// Returns the value that so many of a hundred do not exceed.
    #[must_use]
    pub fn percentile(&self, of_hundred: usize) -> Option<f64> {
        let rank = (self.values.len() * of_hundred).div_ceil(100);
        self.values.get(rank.saturating_sub(1)).copied()
    }

    /// Returns how many values lie in equal parts between the least and the most: from, to, how many.
    #[must_use]
    pub fn histogram(&self, bins: usize) -> Vec<(f64, f64, usize)> {
        let (Some(min), Some(max)) = (self.min, self.max) else { return Vec::new() };
        if min == max || bins == 0 {
            return vec![(min, max, self.values.len())];
        }
        let width = (max - min) / bins as f64;
        let mut heights = vec![0; bins];
        for value in &self.values {
            // The cast saturates; the most belongs to the last part.
            let at = (((value - min) / width) as usize).min(bins - 1);
            heights[at] += 1;
        }
        let from = |at: usize| min + width * at as f64;
        heights
            .into_iter()
            .enumerate()
            .map(|(at, height)| (from(at), from(at + 1), height))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_summed_up() {
        let mut numbers = Numbers::default();
        assert_eq!((numbers.percentile(50), numbers.histogram(2)), (None, Vec::new()));
        [1.0, 2.0, 3.0, 5.0].into_iter().for_each(|value| numbers.add(value, true));
        assert_eq!(
            (numbers.count, numbers.sum, numbers.min, numbers.max),
            (4, 11.0, Some(1.0), Some(5.0))
        );
        assert_eq!(
            [0, 50, 75, 99].map(|part| numbers.percentile(part)),
            [1.0, 2.0, 3.0, 5.0].map(Some)
        );
        assert_eq!(numbers.histogram(2), [(1.0, 3.0, 2), (3.0, 5.0, 2)]);
    }
}

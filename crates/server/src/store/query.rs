//! What can be asked of a store.

use super::Retention;
use crate::filter::Filter;
use glassbox_trace::id::{SpanId, TraceId};

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The most items.
    pub limit: usize,
    /// What the last part came with; `None` for the first part.
    pub cursor: Option<String>,
    /// How many items to leave out behind that, for those who count pages.
    pub skip: usize,
}

impl Default for Paging {
    fn default() -> Self {
        Self { limit: 50, cursor: None, skip: 0 }
    }
}

/// Which traces are wanted, and in which order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceQuery {
    /// What they have to be like.
    pub filter: Filter,
    /// What they are ordered by.
    pub sort: Sort,
    /// Which end comes first.
    pub order: Order,
    /// Which part is wanted.
    pub paging: Paging,
}

/// What traces are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// When they began.
    #[default]
    Start,
    /// How long they took.
    Duration,
    /// What they cost.
    Cost,
    /// How many tokens they used.
    Tokens,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The latest, longest or dearest.
    #[default]
    Descending,
    /// The earliest, shortest or cheapest.
    Ascending,
}

/// From when to when, microseconds since the epoch, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From when.
    pub from_us: i64,
    /// To when.
    pub to_us: i64,
}

impl Window {
    /// Cuts the window into so many pieces at the most, in order, each but the first from a multiple of `grain_us` on.
    pub(crate) fn pieces(self, most: i64, grain_us: i64) -> Vec<Self> {
        if self.from_us >= self.to_us {
            return vec![self];
        }
        let most = most.max(1);
        let step = self.to_us.saturating_sub(self.from_us) / most;
        let border = |at: i64| {
            let border = self.from_us.saturating_add(step.saturating_mul(at));
            border
                .saturating_sub(border.rem_euclid(grain_us.max(1)))
                .clamp(self.from_us, self.to_us)
        };
        let mut borders: Vec<_> = (1..most).map(border).collect();
        borders.insert(0, self.from_us);
        borders.push(self.to_us);
        borders.dedup();
        borders.windows(2).map(|pair| Self { from_us: pair[0], to_us: pair[1] }).collect()
    }
}

/// What is counted over time.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsQuery {
    /// From when to when.
    pub window: Window,
    /// How long a bucket is, in microseconds.
    pub bucket_us: i64,
    /// What is told apart.
    pub grouping: Grouping,
    /// What traces, or for models the traces of calls, have to be like.
    pub filter: Filter,
}

/// What numbers over time tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Traces, all together.
    #[default]
    None,
    /// Model calls, all together.
    Calls,
    /// Model calls, by model.
    Model,
    /// Traces, by name.
    Name,
}

/// A key whose values are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FacetKey {
    /// The models.
    Model,
    /// The names of traces.
    Name,
    /// The sessions.
    Session,
    /// The users.
    User,
    /// The tags.
    Tag,
    /// The environments.
    Environment,
    /// The services.
    Service,
}

/// Which scores are wanted. An empty list lets all pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreQuery {
    /// Only those of one of these traces.
    pub trace_ids: Vec<TraceId>,
    /// Only those of traces that are not there.
    pub is_alone: bool,
    /// Only those of one of these spans.
    pub span_ids: Vec<SpanId>,
    /// Only those of one of these names.
    pub names: Vec<String>,
    /// Only these.
    pub ids: Vec<String>,
    /// Only those of one of these kinds.
    pub kinds: Vec<ScoreKind>,
    /// Only those of one of these values.
    pub values: Vec<ScoreValue>,
    /// Only numbers from this one on.
    pub min: Option<f64>,
    /// Only numbers up to this one.
    pub max: Option<f64>,
    /// Only those whose traces are of one of these environments.
    pub environments: Vec<String>,
    /// Only those whose traces are of this user.
    pub user_id: Option<String>,
    /// Only those that arrived then or later, microseconds since the epoch.
    pub from_us: Option<i64>,
    /// Only those that arrived before then.
    pub to_us: Option<i64>,
    /// Which part is wanted.
    pub paging: Paging,
}

/// What the value of a score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// A word, or some.
    Text,
}

/// A value that scores are compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreValue {
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A word, or some.
    Text(String),
}

/// What can be counted.
#[derive(Clone, Copy, Debug)]
pub enum Countable<'a> {
    /// Traces.
    Traces(&'a Filter),
    /// Spans.
    Spans(&'a Filter),
    /// Sessions of traces.
    Sessions(&'a Filter),
    /// Scores; which part of them is wanted makes no difference.
    Scores(&'a ScoreQuery),
}

/// How a store does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreHealth {
    /// Where it is.
    pub path: String,
    /// What it takes of the disk, with its log.
    pub bytes: u64,
    /// How many spans it has.
    pub spans: i64,
    /// How many traces it has.
    pub traces: i64,
    /// When its oldest trace began, microseconds since the epoch.
    pub oldest_us: Option<i64>,
    /// How many batches wait to be written.
    pub queue: usize,
    /// How many blocks wait to be searchable.
    pub unindexed: i64,
    /// What is kept for how long.
    pub retention: Retention,
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn pieces_make_up_the_window_and_split_no_bucket(
            from_us: i64, to_us: i64, most in 1..20_i64, grain_us in 1..1_i64 << 60,
        ) {
            let pieces = Window { from_us, to_us }.pieces(most, grain_us);
            assert!(pieces.len() as i64 <= most, "{pieces:?}");
            assert_eq!((pieces[0].from_us, pieces[pieces.len() - 1].to_us), (from_us, to_us));
            assert!(pieces.windows(2).all(|pair| pair[0].to_us == pair[1].from_us), "{pieces:?}");
            assert!(pieces.iter().skip(1).all(|piece| piece.from_us % grain_us == 0), "{pieces:?}");
        }
    }
}

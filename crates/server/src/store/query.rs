//! What can be asked of a store.

use super::Retention;
use crate::filter::Filter;
use glassbox_trace::id::TraceId;

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

/// Which scores are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreQuery {
    /// Only those of this trace.
    pub trace_id: Option<TraceId>,
    /// Only those of this name.
    pub name: Option<String>,
    /// Only this one.
    pub id: Option<String>,
    /// Which part is wanted.
    pub paging: Paging,
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
    /// How large it is.
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

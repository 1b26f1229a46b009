//! Keeping traces: what any store promises.
//!
//! What is acknowledged is kept, whatever happens to the process. The order in which spans arrive, how often, and in how
//! many batches makes no difference to what is kept.

mod batch;
mod query;
mod metrics;
mod sqlite;

pub use batch::{Batch, Block, Change, Changes, NewScore, NewSpan, OriginBytes, Packer, Written};
pub use metrics::{
    Dimension, MOST_GROUPS, Measure, MetricsGroup, MetricsQuery, Numbers, Step, View,
};
pub use query::{
    Countable, FacetKey, Grouping, Order, Paging, ScoreKind, ScoreQuery, ScoreValue, Sort,
    StatsQuery, StoreHealth, TraceQuery, Window,
};

pub use sqlite::{Examined, Listener, SqliteOptions, SqliteStore, examine};

use crate::filter::Filter;
use crate::view::{
    Facet, GroupSummary, ModelSummary, Page, RawSpan, ScoreView, SpanSummary, Stats, TraceSummary,
    TraceView,
};
use glassbox_trace::id::{SpanId, TraceId};
use std::time::Duration;
use tokio::sync::oneshot;

/// The most scores of one trace that are told at once.
pub const MOST_SCORES_OF_TRACE: usize = 100_000;

/// The most spans of one trace.
pub const MOST_SPANS_OF_TRACE: i64 = 1 << 20;

/// Keeps traces and finds them again.
///
/// Reading blocks the thread, so async code calls it from a blocking one. Writing is queued; the answer comes when the
/// batch is durable.
pub trait Store: Send + Sync + 'static {
    /// Takes a batch, and answers once all of it survives the end of the process, or none of it was kept.
    fn write(&self, batch: Batch) -> oneshot::Receiver<Result<Written, StoreError>>;

    /// Marks spans that are still running as abandoned.
    fn abandon(
        &self,
        spans: Vec<(TraceId, SpanId)>,
    ) -> oneshot::Receiver<Result<Written, StoreError>>;

    /// Marks all spans that are running as abandoned: at the start of a server, nobody is there to end them.
    fn abandon_all(&self) -> oneshot::Receiver<Result<Written, StoreError>>;

    /// Waits until all that was taken is kept, can be searched, and what is too old is gone.
    fn settle(&self) -> oneshot::Receiver<Result<(), StoreError>>;

    /// Lists traces.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or the cursor is none of its own.
    fn traces(&self, query: &TraceQuery) -> Result<Page<TraceSummary>, StoreError>;

    /// Returns one trace.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn trace(&self, trace_id: TraceId, most_spans: usize) -> Result<Option<TraceView>, StoreError>;

    /// Returns one span with its payload.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn span(&self, trace_id: TraceId, span_id: SpanId) -> Result<Option<RawSpan>, StoreError>;

    /// Returns the spans of a trace with their payloads, the first to begin first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn raw_spans(&self, trace_id: TraceId, most_spans: usize) -> Result<Vec<RawSpan>, StoreError>;

    /// Returns what was said of a trace itself, as spans that are none.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn records(&self, trace_id: TraceId) -> Result<Vec<RawSpan>, StoreError>;

    /// Hands out all that can be searched of spans, one after another, with their places in the list; those that are not
    /// there are left out.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn texts(
        &self,
        spans: &[(TraceId, SpanId)],
        each: &mut dyn FnMut(usize, &str),
    ) -> Result<(), StoreError>;

    /// Lists spans, those that arrived last first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or the cursor is none of its own.
    fn spans(&self, filter: &Filter, paging: &Paging) -> Result<Page<SpanSummary>, StoreError>;

    /// Lists sessions, the last used first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or the cursor is none of its own.
    fn sessions(&self, filter: &Filter, paging: &Paging) -> Result<Page<GroupSummary>, StoreError>;

    /// Lists users, the last seen first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or the cursor is none of its own.
    fn users(&self, filter: &Filter, paging: &Paging) -> Result<Page<GroupSummary>, StoreError>;

    /// Lists what models did in some time, the dearest first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn models(&self, window: Window) -> Result<Vec<ModelSummary>, StoreError>;

    /// Counts over time.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn stats(&self, query: &StatsQuery) -> Result<Stats, StoreError>;

    /// Sums up by any facts, in no order.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, there are too many groups or values, or it takes too long.
    fn metrics(&self, query: &MetricsQuery) -> Result<Vec<MetricsGroup>, StoreError>;

    /// Lists scores, the last to arrive first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or the cursor is none of its own.
    fn scores(&self, query: &ScoreQuery) -> Result<Page<ScoreView>, StoreError>;

    /// Returns the scores of a trace and its spans, the last to arrive first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn scores_of(&self, trace_id: TraceId, most: usize) -> Result<Vec<ScoreView>, StoreError> {
        let paging = Paging { limit: most, ..Paging::default() };
        let query = ScoreQuery { trace_ids: vec![trace_id], paging, ..ScoreQuery::default() };
        Ok(self.scores(&query)?.items)
    }

    /// Counts what a list has, all parts together.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn count(&self, what: Countable<'_>) -> Result<i64, StoreError>;

    /// Counts the values of a key, the most frequent first.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn facets(
        &self,
        filter: &Filter,
        key: FacetKey,
        limit: usize,
    ) -> Result<Vec<Facet>, StoreError>;

    /// Tells how the store does.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn health(&self) -> Result<StoreHealth, StoreError>;
}

/// Why a store could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full.
    #[error("the disk is full; make room at {0} and the clients send again")]
    Full(String),
    /// Somebody else holds the file.
    #[error(
        "the store {0} is locked by another process; stop it, or choose another file with --store"
    )]
    Locked(String),
    /// The queue of batches is full: the disk is slower than the senders.
    #[error("too many batches wait for the disk; send again later")]
    Busy,
    /// The file is no store, or damaged.
    #[error(
        "the store {path} cannot be used: {reason}; move it away, or choose another file with --store"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The file was written by a later version.
    #[error(
        "the store {path} has version {found}, and this program knows {known}; use a newer one"
    )]
    TooNew {
        /// The file.
        path: String,
        /// Its version.
        found: i64,
        /// The last known one.
        known: i64,
    },
    /// The cursor is none that was handed out.
    #[error("the cursor is not one that was handed out; leave it out to begin anew")]
    Cursor,
    /// There is more to sum up than is held in memory.
    #[error(
        "there are more than {MOST_GROUPS} groups, or too many values; ask for fewer facts, or for less time"
    )]
    TooMuch,
    /// It takes longer than anybody should wait.
    #[error("this takes too long; ask for less time, or for fewer traces by a filter")]
    Slow,
    /// The store is being closed.
    #[error("the store is closing; send again later")]
    Closed,
    /// Anything else.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Tells whether the same can be asked again later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Full(_) | Self::Locked(_) | Self::Busy | Self::Closed | Self::Failed(_)
        )
    }
}

/// What is kept for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Traces that began longer ago are removed.
    pub age: Option<Duration>,
    /// The oldest traces are removed when the file is larger.
    pub bytes: Option<u64>,
}

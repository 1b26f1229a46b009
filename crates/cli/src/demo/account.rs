//! What the demo's server says of the traces that it has kept.

use super::blame::Blame;
use super::steps::Steps;
use anyhow::Context as _;
use glassbox::trace::id::TraceId;
use glassbox_server::filter::Filter;
use glassbox_server::insight;
use glassbox_server::store::{Order, Paging, Store, TraceQuery};
use glassbox_server::view::{RawSpan, SpanSummary};
use std::collections::HashSet;

/// The most spans of a trace that are looked at.
pub(super) const MOST_SPANS: usize = 100_000;

/// How many traces are taken at a time.
const AT_ONCE: usize = 500;

/// The traces of the demo, as the server has kept them.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) traces: usize,
    pub(super) spans: u64,
    /// Of the customers that were served together.
    pub(super) spans_together: u64,
    /// Spans whose parent is not in their trace.
    pub(super) orphans: usize,
    /// Traces with more than one root, or whose spans name more than one user.
    pub(super) mixed: usize,
    /// What the customers' time went to.
    pub(super) blame: Blame,
    /// What the agents did.
    pub(super) steps: Steps,
}

impl Account {
    /// Reads the demo's traces, one after another. `together` are those of the customers that were served together.
    pub(super) fn read(store: &dyn Store, together: &HashSet<TraceId>) -> anyhow::Result<Self> {
        let mut account = Self::default();
        let mut query = TraceQuery {
            // Others may send to the server as well.
            filter: Filter::parse("tag:demo", 0)?,
            order: Order::Ascending,
            paging: Paging { limit: AT_ONCE, ..Paging::default() },
            ..TraceQuery::default()
        };
        loop {
            let page = store.traces(&query)?;
            for trace in page.items {
                let id = trace.trace_id.parse().context("the server has a trace without an id")?;
                account.add(&store.raw_spans(id, MOST_SPANS)?, together.contains(&id));
            }
            query.paging.cursor = page.next_cursor;
            if query.paging.cursor.is_none() {
                return Ok(account);
            }
        }
    }

    fn add(&mut self, spans: &[RawSpan], is_together: bool) {
        let ids: HashSet<_> = spans.iter().map(|span| &span.summary.span_id).collect();
        let users: HashSet<_> = spans.iter().map(|span| &span.context.user_id).collect();
        let parents = || spans.iter().map(|span| &span.summary.parent_id);
        let count = spans.len() as u64;
        self.traces += 1;
        self.spans += count;
        self.spans_together += if is_together { count } else { 0 };
        self.orphans += parents().flatten().filter(|id| !ids.contains(id)).count();
        let roots = parents().filter(|parent| parent.is_none()).count();
        self.mixed += usize::from(roots != 1 || users.len() != 1);
        let summaries = summaries(spans);
        self.blame.add(&insight::headline(&summaries, 0));
        self.steps.add(&summaries);
    }
}

/// Returns what lists show of spans.
pub(super) fn summaries(spans: &[RawSpan]) -> Vec<SpanSummary> {
    spans.iter().map(|span| span.summary.clone()).collect()
}

//! What a trace's time went into: pure functions over its spans, for the API, the page and the command line.
//!
//! - The *critical path* is what the trace waited for at each moment: from the end backwards, the child that ended last.
//! - *Blame* is the critical path by what happened on it: generation, waiting for the limiter, backing off, own code.
//! - *Parallelism* compares the work of model calls with the time in which any of them was at work.

mod tree;
mod path;
mod blame;
mod parallel;

use crate::view::SpanSummary;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use tree::Tree;

/// What a trace's time went into.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Headline {
    /// How long the root took, in microseconds; that of a running one so far.
    pub wall_us: i64,
    /// The time of all model calls, without waiting and backing off, added up.
    pub work_us: i64,
    /// The time in which at least one model call was at work.
    pub active_us: i64,
    /// How many model calls were at work at once, on average while any was; `None` if none was.
    pub mean_concurrency: Option<f64>,
    /// What the root waited for, as parts of 1: `generation`, `failed` (attempts that failed), `limiter`, `backoff`,
    /// `embedding`, `tool`, `retriever` and `own` (everything else). Together they are 1.
    pub blame: BTreeMap<&'static str, f64>,
    /// The spans that the root waited for, the first to be waited for first.
    pub critical_path: Vec<String>,
}

/// A stretch of time in which a trace waited for the work of a span itself, and not of what is below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stretch {
    /// The span, 16 hex digits.
    pub span_id: String,
    /// From when, microseconds since the epoch.
    pub from_us: i64,
    /// To when.
    pub to_us: i64,
}

/// Returns what a trace waited for at each moment, from the beginning of its root to its end, without gaps. What is still
/// running is taken to end at `now_us`, microseconds since the epoch.
#[must_use]
pub fn critical_path(spans: &[SpanSummary], now_us: i64) -> Vec<Stretch> {
    let tree = Tree::new(spans, now_us);
    let Some(root) = tree.root() else { return Vec::new() };
    path::critical_path(&tree, root)
        .into_iter()
        .map(|path::Stretch { node, from, to }| Stretch {
            span_id: spans[node].span_id.clone(),
            from_us: from,
            to_us: to,
        })
        .collect()
}

/// Tells what a trace's time went into. What is still running is taken to end at `now_us`, microseconds since the epoch.
///
/// The root is the span without a parent in the trace that took the longest. Spans in circles belong to none.
#[must_use]
pub fn headline(spans: &[SpanSummary], now_us: i64) -> Headline {
    let tree = Tree::new(spans, now_us);
    let Some(root) = tree.root() else { return Headline::default() };
    let stretches = path::critical_path(&tree, root);
    let wall_us = tree.nodes[root].to - tree.nodes[root].from;
    let (work_us, active_us) = parallel::work_and_active(&tree, root);
    let mut seen = HashSet::new();
    Headline {
        wall_us,
        work_us,
        active_us,
        mean_concurrency: (active_us > 0).then(|| work_us as f64 / active_us as f64),
        blame: blame::shares(&tree, &stretches),
        critical_path: stretches
            .iter()
            .filter(|stretch| seen.insert(stretch.node))
            .map(|stretch| spans[stretch.node].span_id.clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests;

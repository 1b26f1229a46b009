//! Blame: what was done on the critical path.

use super::path::Stretch;
use super::tree::{Tree, union};
use crate::received::State;
use std::collections::BTreeMap;

/// Returns what was done on the critical path, as parts of 1.
///
/// A model call tells how long it waited, but not when: of its time on the path, as much is waiting as of its time
/// altogether.
pub(super) fn shares(tree: &Tree<'_>, path: &[Stretch]) -> BTreeMap<&'static str, f64> {
    // In order: sums of fractions depend on it, and the same trace is to be answered the same.
    let mut on_path: BTreeMap<usize, i64> = BTreeMap::new();
    for stretch in path {
        *on_path.entry(stretch.node).or_default() += stretch.to - stretch.from;
    }
    let wall: i64 = on_path.values().sum();
    let mut blame: BTreeMap<&'static str, f64> = BTreeMap::new();
    for (node, time) in on_path {
        for (what, time) in split(tree, node, time as f64) {
            if time > 0.0 {
                *blame.entry(what).or_default() += time / wall as f64;
            }
        }
    }
    blame
}

/// Splits the time that a span itself spent on the path.
fn split(tree: &Tree<'_>, node: usize, time: f64) -> [(&'static str, f64); 3] {
    let span = tree.nodes[node].span;
    let what = match span.kind {
        "generation" | "embedding" if span.phases.is_some() => return split_call(tree, node, time),
        "generation" => "generation",
        "embedding" => "embedding",
        "tool" => "tool",
        "retriever" => "retriever",
        // An attempt that failed is told below its call, as a span of its own.
        _ if span.state == State::Error && is_attempt(tree, node) => "failed",
        _ if is_attempt(tree, node) => "generation",
        _ => "own",
    };
    [(what, time), ("limiter", 0.0), ("backoff", 0.0)]
}

fn is_attempt(tree: &Tree<'_>, node: usize) -> bool {
    tree.nodes[node].parent.is_some_and(|parent| tree.is_model_call(parent))
}

fn split_call(tree: &Tree<'_>, node: usize, time: f64) -> [(&'static str, f64); 3] {
    let node = &tree.nodes[node];
    let (waited, backed_off) = match &node.span.phases {
        Some(phases) => (phases.limiter_wait_us.max(0), phases.backoff_us.max(0)),
        None => (0, 0),
    };
    let mut below: Vec<_> = node
        .children
        .iter()
        .map(|child| &tree.nodes[*child])
        .map(|child| (child.from.max(node.from), child.to.min(node.to)))
        .collect();
    let own = (node.to - node.from - union(&mut below)).max(1) as f64;
    // What a call says of itself need not fit into the time that it took.
    let limiter = time * (waited as f64 / own).min(1.0);
    let backoff = (time * (backed_off as f64 / own)).min(time - limiter);
    let what = if node.span.kind == "embedding" { "embedding" } else { "generation" };
    [(what, (time - limiter - backoff).max(0.0)), ("limiter", limiter), ("backoff", backoff)]
}

//! Parallelism: how much work of models was done, and in how much time.

use super::tree::{Tree, union};
use std::collections::HashSet;

/// Returns how long model calls were at work, all added up, and how long at least one was, both while the root ran.
///
/// Waiting for the limiter and backing off is no work, and comes before it. A call that wraps another one does not count,
/// and neither does one that the program's own cache answered.
pub(super) fn work_and_active(tree: &Tree<'_>, root: usize) -> (i64, i64) {
    let (begin, end) = (tree.nodes[root].from, tree.nodes[root].to);
    let calls = || (0..tree.nodes.len()).filter(|at| tree.is_model_call(*at));
    let mut wrappers = HashSet::new();
    for call in calls() {
        let mut above = tree.nodes[call].parent;
        // What is above a span that was seen was seen as well, which also ends circles: the calls in them count as wrappers.
        while let Some(node) = above.filter(|node| wrappers.insert(*node)) {
            above = tree.nodes[node].parent;
        }
    }
    let mut stretches: Vec<_> = calls()
        .filter(|call| !wrappers.contains(call))
        .filter_map(|call| {
            let node = &tree.nodes[call];
            let phases = node.span.phases.as_ref();
            if phases.is_some_and(|phases| phases.cache_hit) {
                return None;
            }
            let waited = phases.map_or(0, |phases| {
                phases.limiter_wait_us.max(0).saturating_add(phases.backoff_us.max(0))
            });
            let from = node.from.saturating_add(waited).max(begin);
            Some((from, node.to.min(end))).filter(|(from, to)| from < to)
        })
        .collect();
    let work = stretches.iter().fold(0_i64, |sum, (from, to)| sum.saturating_add(to - from));
    (work, union(&mut stretches))
}

//! Spans as a tree: who is whose child, and from when to when.

use crate::received::State;
use crate::view::SpanSummary;
use std::cmp::Reverse;
use std::collections::HashMap;

/// The spans of a trace as a tree, by their places in the list.
pub(super) struct Tree<'s> {
    pub(super) nodes: Vec<Node<'s>>,
}

/// A span in its place.
pub(super) struct Node<'s> {
    pub(super) span: &'s SpanSummary,
    pub(super) parent: Option<usize>,
    pub(super) children: Vec<usize>,
    /// When it began, microseconds since the epoch.
    pub(super) from: i64,
    /// When it ended, not before it began; of an abandoned one nobody knows, so it took no time.
    pub(super) to: i64,
}

impl<'s> Tree<'s> {
    pub(super) fn new(spans: &'s [SpanSummary], now_us: i64) -> Self {
        let places: HashMap<&str, usize> =
            spans.iter().enumerate().map(|(at, span)| (span.span_id.as_str(), at)).collect();
        let node = |span: &'s SpanSummary| {
            let open = if span.state == State::Running { now_us } else { span.start_us };
            let parent = span.parent_id.as_deref().and_then(|id| places.get(id)).copied();
            let to = span.end_us.unwrap_or(open).max(span.start_us);
            Node { span, parent, children: Vec::new(), from: span.start_us, to }
        };
        let mut nodes: Vec<_> = spans.iter().map(node).collect();
        for at in 0..nodes.len() {
            if let Some(parent) = nodes[at].parent {
                nodes[parent].children.push(at);
            }
        }
        Self { nodes }
    }

    /// Returns the span without a parent that took the longest.
    pub(super) fn root(&self) -> Option<usize> {
        let roots = (0..self.nodes.len()).filter(|at| self.nodes[*at].parent.is_none());
        // Of equals the first one, and then any, as long as it is always the same.
        roots.max_by_key(|at| {
            let Node { from, to, span, .. } = &self.nodes[*at];
            (to.saturating_sub(*from), Reverse(*from), Reverse(&span.span_id))
        })
    }

    pub(super) fn is_model_call(&self, at: usize) -> bool {
        matches!(self.nodes[at].span.kind, "generation" | "embedding")
    }
}

/// Returns how long at least one of the stretches lasts.
pub(super) fn union(stretches: &mut [(i64, i64)]) -> i64 {
    stretches.sort_unstable();
    let mut reached = i64::MIN;
    let mut length = 0_i64;
    for (from, to) in stretches.iter() {
        length = length.saturating_add(to.saturating_sub(*from.max(&reached)).max(0));
        reached = reached.max(*to);
    }
    length
}

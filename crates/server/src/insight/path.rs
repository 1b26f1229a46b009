//! The critical path: from the end backwards, the child that ended last, then what that one waited for, and so on.

use super::tree::Tree;

/// A stretch of time in which the root waited for the work of a span itself, and not of its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The span, by its place.
    pub(super) node: usize,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// A span that is being walked through, from its end to its beginning.
struct Level {
    node: usize,
    floor: i64,
    cursor: i64,
    /// The children that were not looked at yet, the last to end at the end.
    children: Vec<usize>,
}

/// Returns the critical path, earliest first: without gaps and without overlaps from the root's beginning to its end.
pub(super) fn critical_path(tree: &Tree<'_>, root: usize) -> Vec<Stretch> {
    let mut path = Vec::new();
    let mut mark = |node, from, to| {
        if from < to {
            path.push(Stretch { node, from, to });
        }
    };
    let mut levels = vec![level(tree, root, tree.nodes[root].from, tree.nodes[root].to)];
    while let Some(here) = levels.last_mut() {
        let child = here.children.pop().filter(|_| here.cursor > here.floor);
        let Some(child) = child else {
            mark(here.node, here.floor, here.cursor);
            levels.pop();
            continue;
        };
        let to = tree.nodes[child].to.min(here.cursor);
        let from = tree.nodes[child].from.max(here.floor);
        // A child that began after the cursor, or took no time, was waited for by nobody.
        if from < to {
            mark(here.node, to, here.cursor);
            here.cursor = from;
            levels.push(level(tree, child, from, to));
        }
    }
    path.reverse();
    path
}

fn level(tree: &Tree<'_>, node: usize, floor: i64, cursor: i64) -> Level {
    let mut children = tree.nodes[node].children.clone();
    children.sort_by_key(|child| (tree.nodes[*child].to, tree.nodes[*child].from));
    Level { node, floor, cursor, children }
}

//! Spans as an indented tree, for tests and terminals.

use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::span::{Span, Status};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// Renders spans as a tree: name, kind and how it ended, one a line, children below their parent in the order in which
/// they began. A span whose parent is missing is marked as an orphan.
///
/// ```text
/// CoffeeShopAgent.forward [span]
///   ChainOfThought(CoffeeShop) [chain]
///     chat gpt-4o-mini [generation] error: timeout
/// ```
#[must_use]
pub fn render_tree(spans: &[Arc<Span>]) -> String {
    render(spans, |_| String::new())
}

/// Renders spans as [`render_tree`] does, with how long each took.
#[must_use]
pub fn render_timed_tree(spans: &[Arc<Span>]) -> String {
    render(spans, |span| match span.duration() {
        Some(duration) => format!(" {duration:.1?}"),
        None => " running".to_owned(),
    })
}

fn render(spans: &[Arc<Span>], suffix: impl Fn(&Span) -> String) -> String {
    let mut order: Vec<&Span> = spans.iter().map(AsRef::as_ref).collect();
    order.sort_by_key(|span| span.start);

    let known: HashMap<(TraceId, SpanId), usize> =
        order.iter().enumerate().map(|(at, span)| ((span.trace_id, span.span_id), at)).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut tops = Vec::new();
    for (at, span) in order.iter().enumerate() {
        match span.parent_id.map(|parent| known.get(&(span.trace_id, parent))) {
            Some(Some(parent)) => children.entry(*parent).or_default().push(at),
            Some(None) | None => tops.push(at),
        }
    }

    // A chain of calls can be thousands deep; its indentation must not be.
    const DEEPEST: usize = 50;
    let mut text = String::new();
    let mut shown = vec![false; order.len()];
    // What no top leads to goes round in a circle; it is shown from its first span on.
    for top in tops.into_iter().chain(0..order.len()) {
        // A stack of our own: a chain of spans may be deeper than the thread's.
        let mut stack = vec![(top, 0)];
        while let Some((at, depth)) = stack.pop() {
            if std::mem::replace(&mut shown[at], true) {
                continue;
            }
            let span = order[at];
            let is_orphan = depth == 0 && span.parent_id.is_some();
            let mark = if is_orphan { "(orphan) " } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "{:indent$}{mark}{} [{}]",
                "",
                span.name,
                span.kind().as_str(),
                indent = 2 * depth.min(DEEPEST)
            );
            if let Status::Error(error) = &span.status {
                let _ = write!(text, " error: {}", error.kind);
            }
            let _ = writeln!(text, "{}", suffix(span));
            let below = children.get(&at).into_iter().flatten().rev();
            stack.extend(below.map(|child| (*child, depth + 1)));
        }
    }
    text
}

//! The tree of one customer's trace, as it came out at the receiver.

use super::round::Round;
use crate::paint::{self, Ink, Paint};
use crate::receiver::Receiver;
use glassbox::trace::span::{Detail, Span};
use std::sync::Arc;

/// Prints the trace of a round's last customer.
pub(crate) fn print(paint: Paint, receiver: &Receiver, round: &Round) {
    let Some(trace_id) = round.trace_ids().last() else { return };
    let traces = receiver.traces();
    let Some(spans) = traces.get(&trace_id) else { return };
    println!("\n{}", paint.paint(Ink::Bold, &format!("One trace, as it arrived: {trace_id}")));
    let mut spans = spans.clone();
    spans.sort_by_key(|span| span.start);
    for root in spans.iter().filter(|span| span.parent_id.is_none()) {
        print_below(paint, &spans, root, 0);
    }
}

/// The depth of the demo's traces is the depth of its program, so the recursion is bounded.
fn print_below(paint: Paint, spans: &[Arc<Span>], span: &Arc<Span>, depth: usize) {
    let branch = if depth == 0 { String::new() } else { format!("{}`- ", "   ".repeat(depth - 1)) };
    let mut name = format!("{branch}{}", span.name);
    let (mut tokens, mut cost, ink) = (String::new(), String::new(), ink(span));
    if let Detail::Generation(generation) = &span.detail {
        if let Some(first_chunk) = generation.first_chunk {
            name.push_str(&format!("   ttft {}", paint::duration(first_chunk.since(span.start))));
        }
        let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), paint::count);
        tokens = format!(
            "{} -> {} tok",
            count(generation.usage.input_total()),
            count(generation.usage.output_total())
        );
        cost = paint::cost(generation.cost);
    }
    let took = span.duration().map(paint::duration).unwrap_or_default();
    println!("  {} {took:>8}  {tokens:>16}  {cost}", paint.paint(ink, &format!("{name:<52}")));
    for child in spans.iter().filter(|child| child.parent_id == Some(span.span_id)) {
        print_below(paint, spans, child, depth + 1);
    }
}

const fn ink(span: &Span) -> Ink {
    match span.detail {
        Detail::Generation(_) => Ink::Generation,
        Detail::Chain(_) => Ink::Chain,
        _ => Ink::Span,
    }
}

//! The trees of customers' traces, as they came out at the receiver.

use super::round::Round;
use super::{blame, words};
use crate::paint::{self, Ink, Paint};
use crate::receiver::Receiver;
use glassbox::trace::span::{Detail, Span};
use std::sync::Arc;

/// How wide the names are.
const NAMES: usize = 52;

/// Prints the traces of a round's last customers, `most` of them.
pub(crate) fn print(paint: Paint, receiver: &Receiver, round: &Round, most: usize) {
    let ids: Vec<_> = round.trace_ids().collect();
    let traces = receiver.traces();
    for id in ids.iter().skip(ids.len().saturating_sub(most)) {
        let Some(spans) = traces.get(id) else { continue };
        println!("\n{}", paint.paint(Ink::Bold, &format!("One trace, as it arrived: {id}")));
        let mut spans = spans.clone();
        spans.sort_by_key(|span| span.start);
        for root in spans.iter().filter(|span| span.parent_id.is_none()) {
            print_below(paint, &spans, root, 0);
        }
        // Of three spans, everybody sees it.
        if spans.len() > 3
            && let Some(longest) = blame::slowest(&spans)
        {
            println!("  slowest step: {longest}");
        }
    }
}

/// The depth of the demo's traces is the depth of its program, so the recursion is bounded.
fn print_below(paint: Paint, spans: &[Arc<Span>], span: &Arc<Span>, depth: usize) {
    let branch = if depth == 0 { String::new() } else { format!("{}`- ", "   ".repeat(depth - 1)) };
    let mut name = format!("{branch}{}", span.name);
    let (mut facts, ink) = (String::new(), ink(span));
    match &span.detail {
        Detail::Generation(generation) => {
            if let Some(first_chunk) = generation.first_chunk {
                name.push_str(&format!(
                    "   ttft {}",
                    paint::duration(first_chunk.since(span.start))
                ));
            }
            let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), paint::count);
            let tokens = format!(
                "{} -> {} tok",
                count(generation.usage.input_total()),
                count(generation.usage.output_total())
            );
            facts = format!("{tokens:>16}  {}", paint::cost(generation.cost));
            let waits = generation.limiter_wait + generation.backoff_wait;
            if waits.as_millis() > 0 {
                facts.push_str(&format!("   {} of it waiting", paint::duration(waits)));
            }
        }
        Detail::Tool(tool) if &*tool.name == "execute_code" => {
            facts = format!("-> {}", words::outcome(span));
        }
        Detail::Tool(_) => {
            facts = format!("{} -> {}", words::arguments(span), words::outcome(span));
        }
        _ => (),
    }
    let took = span.duration().map(paint::duration).unwrap_or_default();
    let line = format!("  {} {took:>8}  {facts}", paint.paint(ink, &format!("{name:<NAMES$}")));
    println!("{}", line.trim_end());
    for child in spans.iter().filter(|child| child.parent_id == Some(span.span_id)) {
        print_below(paint, spans, child, depth + 1);
    }
}

const fn ink(span: &Span) -> Ink {
    match span.detail {
        _ if span.status.is_error() => Ink::Error,
        Detail::Generation(_) => Ink::Generation,
        Detail::Chain(_) => Ink::Chain,
        _ => Ink::Span,
    }
}

//! The trees of customers' traces, as the server has kept them.

use super::account::{MOST_SPANS, summaries};
use super::blame::{self, micros};
use super::round::Round;
use super::words;
use crate::paint::{self, Ink, Paint};
use glassbox_server::detail::SpanDetail;
use glassbox_server::received::State;
use glassbox_server::store::Store;
use glassbox_server::view::SpanSummary;
use rust_decimal::Decimal;

/// How wide the names are.
const NAMES: usize = 52;

/// Prints the traces of a round's last customers, `most` of them.
pub(crate) fn print(
    paint: Paint,
    store: &dyn Store,
    round: &Round,
    most: usize,
) -> anyhow::Result<()> {
    let ids: Vec<_> = round.trace_ids().collect();
    for id in ids.iter().skip(ids.len().saturating_sub(most)) {
        let spans = store.raw_spans(*id, MOST_SPANS)?;
        if spans.is_empty() {
            continue;
        }
        println!("\n{}", paint.paint(Ink::Bold, &format!("One trace, as it arrived: {id}")));
        // Of three spans, everybody sees which one took the longest.
        let longest = (spans.len() > 3).then(|| blame::slowest(&summaries(&spans))).flatten();
        let spans: Vec<_> = spans.into_iter().map(SpanDetail::read).collect();
        for root in spans.iter().filter(|span| span.summary.parent_id.is_none()) {
            print_below(paint, &spans, root, 0);
        }
        if let Some(longest) = longest {
            println!("  slowest step: {longest}");
        }
    }
    Ok(())
}

/// The depth of the demo's traces is the depth of its program, so the recursion is bounded.
fn print_below(paint: Paint, spans: &[SpanDetail], span: &SpanDetail, depth: usize) {
    let summary = &span.summary;
    let branch = if depth == 0 { String::new() } else { format!("{}`- ", "   ".repeat(depth - 1)) };
    let mut name = format!("{branch}{}", summary.name);
    if let Some(first_chunk) = summary.phases.as_ref().and_then(|phases| phases.first_chunk_us) {
        name.push_str(&format!("   ttft {}", paint::duration(micros(first_chunk))));
    }
    let facts = match (summary.kind, summary.name.as_str()) {
        ("generation", _) => facts_of_call(summary),
        ("tool", "execute_code") => format!("-> {}", outcome(span)),
        ("tool", _) => {
            format!("{} -> {}", words::arguments(span.input.as_ref()), outcome(span))
        }
        _ => String::new(),
    };
    let took = summary.duration_us.map(|us| paint::duration(micros(us))).unwrap_or_default();
    let name = paint.paint(ink(summary), &format!("{name:<NAMES$}"));
    println!("{}", format!("  {name} {took:>8}  {facts}").trim_end());
    for child in
        spans.iter().filter(|child| child.summary.parent_id == Some(summary.span_id.clone()))
    {
        print_below(paint, spans, child, depth + 1);
    }
}

fn facts_of_call(call: &SpanSummary) -> String {
    let usage = call.tokens.map(|tokens| tokens.0).unwrap_or_default();
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), paint::count);
    let tokens = format!("{} -> {} tok", count(usage.input_total()), count(usage.output_total()));
    let cost = call.cost_usd.map_or_else(
        || "cost unknown".to_owned(),
        |dollars| paint::dollars(Decimal::new(dollars.0, 12)),
    );
    let waits = call.phases.as_ref().map_or(0, |phases| phases.limiter_wait_us + phases.backoff_us);
    let waits = match waits {
        us if us >= 1000 => format!("   {} of it waiting", paint::duration(micros(us))),
        _ => String::new(),
    };
    format!("{tokens:>16}  {cost}{waits}")
}

fn outcome(span: &SpanDetail) -> String {
    let error = span.summary.error.as_ref();
    let error = error.map(|error| (error.kind.as_str(), error.message.as_str()));
    words::outcome(error, span.output.as_ref())
}

fn ink(span: &SpanSummary) -> Ink {
    match span.kind {
        _ if span.state == State::Error => Ink::Error,
        "generation" => Ink::Generation,
        "chain" => Ink::Chain,
        _ => Ink::Span,
    }
}

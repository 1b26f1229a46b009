//! What the demo says before and after: which model, the replies, and the numbers that people quote.

use super::Args;
use super::model::Model;
use super::round::Round;
use super::server::{self, OwnServer};
use super::summary::{Destination, Summary};
use crate::paint::{self, Ink, Paint};
use glassbox::telemetry::observe::Observing;
use std::time::Duration;

/// With more customers than this, only the first replies are shown.
const REPLIES: usize = 4;

pub(crate) fn opening(
    args: &Args,
    model: &Model,
    observing: Option<&Observing>,
    server: Option<&OwnServer>,
) {
    println!("{}", args.scene.opening(args.customers()));
    println!("model     {}", model.why);
    match observing {
        None => println!("telemetry off, as you asked"),
        Some(observing) => {
            let names: Vec<_> = observing
                .destinations()
                .iter()
                .map(|destination| destination.name.to_string())
                .filter(|name| name != server::NAME)
                .collect();
            match names.as_slice() {
                [] => println!(
                    "telemetry to a server in this process; set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to see it in Langfuse"
                ),
                names => {
                    println!("telemetry to {}, and to a server in this process", names.join(", "))
                }
            }
        }
    }
    if let Some(server) = server {
        println!("page      open {} while it runs", server.url());
    }
    println!();
}

pub(crate) fn replies(paint: Paint, round: &Round) {
    println!("\n{}", paint.paint(Ink::Bold, "Replies"));
    for (number, reply) in round.replies().take(REPLIES) {
        println!("  customer {number}  {}", reply.did);
        println!("              {}", paint.paint(Ink::Faint, &paint::short(&reply.said, 110)));
    }
    if round.visits.len() > REPLIES {
        println!("  and {} more", round.visits.len() - REPLIES);
    }
}

pub(crate) fn closing(
    paint: Paint,
    summary: &Summary,
    observing: Option<&Observing>,
    link: Option<&str>,
) {
    let seconds = |ms: f64| paint::duration(Duration::from_secs_f64(ms / 1e3));
    let one_by_one = match summary.sequential_customers as u64 == summary.customers {
        true => format!("one after another {}", seconds(summary.sequential_ms)),
        false => format!(
            "the first {} one after another {}",
            summary.sequential_customers,
            seconds(summary.sequential_ms)
        ),
    };
    let first = format!(
        "{} customers   {one_by_one}   together {}   {:.1}x   mean concurrency {:.1} of {}",
        summary.customers,
        seconds(summary.concurrent_ms),
        summary.speedup,
        summary.mean_concurrency,
        summary.concurrency,
    );
    println!("\n{}", paint.paint(Ink::Bold, &first));
    let cost = summary.cost.map_or_else(|| "cost unknown".to_owned(), paint::dollars);
    let tokens =
        format!("{} tokens   {cost}", paint::count(summary.input_tokens + summary.output_tokens));
    let waiting =
        summary.destinations.iter().map(|destination| destination.waiting).max().unwrap_or(0);
    let waiting =
        if waiting > 0 { format!(", {} waiting", paint::count(waiting)) } else { String::new() };
    match observing {
        None => println!("no spans   {tokens}"),
        Some(_) => {
            println!(
                "{} spans sent, {} lost{waiting}   telemetry {} us on the hot path, {} ms in the background   {tokens}",
                paint::count(summary.spans_exported),
                paint::count(summary.spans_dropped),
                summary.telemetry_hot_path_us.round(),
                summary.telemetry_worker_ms,
            );
            let program = summary.telemetry_program_cpu_percent.map_or_else(String::new, |share| {
                format!(", {} without provider and server", paint::percent(share))
            });
            println!(
                "telemetry's share: {} of the customers' time, {} of the process's CPU{program}",
                paint::percent(summary.telemetry_wall_percent),
                paint::percent(summary.telemetry_cpu_percent),
            );
        }
    }
    let overload = summary.overload.iter().map(|report| report.line(&summary.calls));
    for line in summary.steps.line().into_iter().chain(overload).chain(summary.calls.lines()) {
        println!("{line}");
    }
    if let Some(compare) = &summary.compare {
        println!(
            "twice without telemetry: {} wall, {} CPU; twice with it: {}, {}: {:+} % wall, {:+} % CPU",
            seconds(compare.wall_off_ms),
            seconds(compare.cpu_off_ms),
            seconds(compare.wall_on_ms),
            seconds(compare.cpu_on_ms),
            compare.wall_percent,
            compare.cpu_percent,
        );
    }
    if summary.orphan_spans + summary.mixed_traces > 0 {
        println!(
            "{}",
            paint.paint(
                Ink::Error,
                &format!(
                    "{} orphaned spans, {} mixed traces",
                    summary.orphan_spans, summary.mixed_traces
                )
            )
        );
    }
    let mut last = Vec::new();
    last.extend(summary.critical_path.in_words().map(|words| format!("slowest part: {words}")));
    last.extend(
        summary
            .peak_memory_mb
            .filter(|_| summary.customers > 12)
            .map(|mb| format!("peak memory {mb:.0} MB")),
    );
    last.extend(link.map(|link| format!("open {link}")));
    println!("{}", last.join("   "));
    for destination in observing.iter().flat_map(|observing| observing.health().destinations) {
        println!("{}", paint.paint(Ink::Faint, &destination.to_string()));
    }
    for destination in &summary.destinations {
        let Destination { name, dropped, waiting, spooled, .. } = destination;
        if dropped + waiting + spooled == 0 {
            continue;
        }
        let why = destination.last_error.as_deref().unwrap_or("no reason told");
        let kept = match spooled {
            0 => String::new(),
            spooled => format!(", {spooled} of them on disk for the next program"),
        };
        let late = waiting + spooled;
        let text = format!("{name}: {dropped} spans lost, {late} not delivered yet{kept}: {why}");
        println!("{}", paint.paint(Ink::Error, &text));
    }
}

//! The summary of a demo: the numbers, for people and for machines.

use super::Args;
use super::account::Account;
use super::blame::Blame;
use super::calls::Calls;
use super::compare::Comparison;
use super::cost::{self, percent};
use super::model::Model;
use super::overload;
use super::round::Round;
use super::scene::Scene;
use super::server;
use super::steps::Steps;
use glassbox::telemetry::health::DropReason;
use glassbox::telemetry::observe::Observing;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// The numbers of a demo. Times of telemetry are measured, not estimated.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) scene: &'static str,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) customers: u64,
    pub(crate) concurrency: u64,
    /// Customers that got no answer, of both rounds.
    pub(crate) failed: usize,
    /// How many customers were served one after another, for comparison.
    pub(crate) sequential_customers: usize,
    pub(crate) sequential_ms: f64,
    pub(crate) concurrent_ms: f64,
    /// Time per customer one after another, divided by time per customer together.
    pub(crate) speedup: f64,
    pub(crate) mean_concurrency: f64,
    pub(crate) traces: usize,
    pub(crate) spans_started: u64,
    pub(crate) spans_exported: u64,
    pub(crate) spans_dropped: u64,
    /// Spans that the demo's server has kept: all, and those of the round of customers served together.
    pub(crate) spans_received: u64,
    pub(crate) spans_received_together: u64,
    pub(crate) orphan_spans: usize,
    pub(crate) mixed_traces: usize,
    /// The time that the program itself spent on telemetry, all spans together.
    pub(crate) telemetry_hot_path_us: f64,
    /// The time that telemetry spent encoding and compressing, on its own thread.
    pub(crate) telemetry_worker_ms: f64,
    /// The time on the hot path, as a share of the time that the customers were there.
    pub(crate) telemetry_wall_percent: f64,
    /// The processor time of telemetry, on the program's threads and on its own.
    pub(crate) telemetry_cpu_ms: f64,
    /// The same as a share of the whole process's.
    pub(crate) telemetry_cpu_percent: f64,
    /// The same as a share of what the process used without the simulated provider and the server, which in earnest are
    /// on other machines; `null` where the system does not tell what the server used.
    pub(crate) telemetry_program_cpu_percent: Option<f64>,
    pub(crate) process_cpu_ms: f64,
    pub(crate) program_cpu_ms: Option<f64>,
    pub(crate) telemetry_bytes_sent: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// US dollars; `null` if a price is unknown.
    pub(crate) cost_usd: Option<f64>,
    /// The share of the customers' time that models took to answer; the rest is in `critical_path`.
    pub(crate) generation_percent: Option<f64>,
    /// What the customers' time went to, by the critical paths of all traces.
    pub(super) critical_path: Blame,
    /// What the agents did, by the spans.
    pub(super) steps: Steps,
    /// What became of the model calls.
    pub(super) calls: Calls,
    /// The most memory that the process has held.
    pub(crate) peak_memory_mb: Option<f64>,
    /// Where the spans went.
    pub(crate) destinations: Vec<Destination>,
    /// What the same customers took without telemetry, if that was asked for.
    pub(crate) compare: Option<Comparison>,
    /// How well the provider's limits were used, in the scene that is about it.
    pub(super) overload: Option<overload::Report>,
    #[serde(skip)]
    pub(crate) cost: Option<Decimal>,
}

/// What a destination got.
#[derive(Debug, Serialize)]
pub(crate) struct Destination {
    pub(crate) name: String,
    pub(crate) exported: u64,
    pub(crate) dropped: u64,
    /// Spans that have not been delivered yet, and are in memory.
    pub(crate) waiting: u64,
    /// Spans that have not been delivered yet, and are on disk.
    pub(crate) spooled: u64,
    /// Spans that are lost, by reason.
    pub(crate) dropped_by_reason: BTreeMap<&'static str, u64>,
    pub(crate) bytes_sent: u64,
    pub(crate) retries: u64,
    pub(crate) last_error: Option<String>,
}

impl Summary {
    pub(crate) fn of(
        args: &Args,
        model: &Model,
        observing: Option<&Observing>,
        account: Account,
        measured: &cost::Cost,
        calls: Calls,
        (one_by_one, together): (&Round, &Round),
    ) -> Self {
        let (usage, cost) = (calls.usage, calls.cost);
        let per_customer =
            |round: &Round| round.wall.as_secs_f64() / round.visits.len().max(1) as f64;
        let health = observing.map(Observing::health);
        let destinations: Vec<_> = health
            .iter()
            .flat_map(|health| &health.destinations)
            .map(|destination| Destination {
                name: destination.name.to_string(),
                exported: destination.exported,
                dropped: destination.dropped.total(),
                waiting: destination.queued + destination.in_flight,
                spooled: destination.spooled,
                dropped_by_reason: DropReason::ALL
                    .into_iter()
                    .map(|reason| (reason.as_str(), destination.dropped.of(reason)))
                    .filter(|(_, count)| *count > 0)
                    .collect(),
                bytes_sent: destination.bytes_sent,
                retries: destination.retries,
                last_error: destination.last_error.as_deref().map(str::to_owned),
            })
            .collect();
        // What the server acknowledged and has not kept is as lost as what was never sent.
        let gone = destinations
            .iter()
            .filter(|destination| destination.name == server::NAME)
            .map(|destination| destination.exported.saturating_sub(account.spans));
        let dropped = destinations.iter().map(|destination| destination.dropped);
        let spans_dropped = gone.chain(dropped).max().unwrap_or(0);
        let busy = health
            .iter()
            .flat_map(|health| &health.destinations)
            .map(|destination| destination.worker_busy.as_secs_f64())
            .sum::<f64>();
        Self {
            scene: args.scene.service_name(),
            provider: model.provider(),
            model: model.lm.name().to_owned(),
            customers: args.customers(),
            concurrency: args.concurrency.unwrap_or(args.customers()),
            failed: one_by_one.failures().count() + together.failures().count(),
            sequential_customers: one_by_one.visits.len(),
            sequential_ms: millis(one_by_one.wall.as_secs_f64()),
            concurrent_ms: millis(together.wall.as_secs_f64()),
            speedup: round2(per_customer(one_by_one) / per_customer(together).max(1e-9)),
            mean_concurrency: round2(together.mean_concurrency()),
            traces: account.traces,
            spans_started: health.as_ref().map_or(0, |health| health.started),
            // With several destinations, what the one with the fewest got.
            spans_exported: destinations
                .iter()
                .map(|destination| destination.exported)
                .min()
                .unwrap_or(0),
            spans_dropped,
            spans_received: account.spans,
            spans_received_together: account.spans_together,
            orphan_spans: account.orphans,
            mixed_traces: account.mixed,
            telemetry_hot_path_us: (measured.hot_path.as_secs_f64() * 1e7).round() / 10.0,
            telemetry_worker_ms: millis(busy),
            telemetry_wall_percent: percent(measured.hot_path, one_by_one.work() + together.work()),
            telemetry_cpu_ms: millis(measured.telemetry().as_secs_f64()),
            telemetry_cpu_percent: percent(measured.telemetry(), measured.process),
            telemetry_program_cpu_percent: measured
                .program
                .map(|program| percent(measured.telemetry(), program)),
            process_cpu_ms: millis(measured.process.as_secs_f64()),
            program_cpu_ms: measured.program.map(|program| millis(program.as_secs_f64())),
            telemetry_bytes_sent: health
                .iter()
                .flat_map(|health| &health.destinations)
                .map(|destination| destination.bytes_sent)
                .sum(),
            input_tokens: usage.input_total().unwrap_or(0),
            output_tokens: usage.output_total().unwrap_or(0),
            cost_usd: cost.total().and_then(|total| total.try_into().ok()),
            generation_percent: account.blame.generation_percent(),
            critical_path: account.blame,
            steps: account.steps,
            calls,
            peak_memory_mb: peak_memory_mb(),
            destinations,
            compare: None,
            overload: (args.scene == Scene::Overload).then(|| overload::Report::of(args, together)),
            cost: cost.total(),
        }
    }
}

/// Reads the process's peak resident memory, where the system tells it.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kilobytes / 102.4).round() / 10.0)
}

fn millis(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 10.0
}

fn round2(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

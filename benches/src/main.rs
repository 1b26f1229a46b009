//! Measures what telemetry and the trace server cost, next to their peers: `cargo run --release -p glassbox-benches -- <name>`.
//!
//! Each benchmark prints one table, or one JSON object with `--json`. All systems of a table are measured in the same
//! run, in turns, so that what else the machine does hurts all of them alike.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the tables go to stdout and what goes wrong to stderr"
)]

mod data;
mod stats;
mod table;
mod child;
mod receiver;
mod provider;
mod systems;
mod hot_path;
mod begin;
mod burst;
mod export;
mod call;
mod requests;
mod server;
mod ingest;
mod queries;
mod soak;

use clap::{Parser, Subcommand};

/// Measures what telemetry costs, next to its peers.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
enum Bench {
    /// What a span costs the thread that begins and ends it, on a destination that discards.
    HotPath(hot_path::Args),
    /// What `observe()` costs a program at its start, by what its environment says.
    Begin(begin::Args),
    /// How many spans of a burst are lost, with default settings, before a receiver that takes 50 ms an answer.
    Burst(burst::Args),
    /// How many spans a second of CPU exports, and how many bytes they become.
    Export(export::Args),
    /// What a call of a model costs, next to other frameworks, on a provider without latency.
    Call(call::Args),
    /// How many spans a second trace servers acknowledge and store.
    Ingest(ingest::Args),
    /// How long Glassbox's server takes to answer, with a million spans in the store.
    Queries(queries::Args),
    /// Sends to Glassbox's server and kills it again and again: what was acknowledged must be there.
    Soak(soak::Args),
    /// A receiver of OTLP, in a process of its own so that its work is not counted.
    #[command(hide = true)]
    Receiver(receiver::Args),
    /// A simulated provider, in a process of its own for the same reason.
    #[command(hide = true)]
    Provider,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().bench {
        Bench::HotPath(args) => hot_path::run(&args),
        Bench::Begin(args) => begin::run(&args),
        Bench::Burst(args) => burst::run(&args),
        Bench::Export(args) => export::run(&args),
        Bench::Call(args) => call::run(&args),
        Bench::Ingest(args) => ingest::run(&args),
        Bench::Queries(args) => queries::run(&args),
        Bench::Soak(args) => soak::run(&args),
        Bench::Receiver(args) => receiver::run(&args),
        Bench::Provider => provider::run(),
    }
}

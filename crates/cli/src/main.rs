//! The `glassbox` command: see LLM programs run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the part that talks to people"
)]

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

mod config;
mod paint;
mod signals;
mod receiver;
mod demo;
mod doctor;
mod sim;
mod serve;

/// LLM programs you can see through
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the customers of a coffee shop, one after another and then together, and show all that happens
    Demo(demo::Args),
    /// Check every destination that the environment names, and say what to type where a span would not get through
    Doctor(doctor::Args),
    /// Receive, keep and show traces
    Serve(Box<serve::Args>),
    /// Run the simulated model provider alone, for your own programs
    Sim(sim::Args),
}

fn main() -> ExitCode {
    warnings_to_stderr();
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Serve(args) => serve::run(*args),
        Command::Sim(args) => sim::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Shows the libraries' own warnings, such as a destination that refuses its key.
fn warnings_to_stderr() {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time();
    let ours = Targets::new().with_targets(
        ["glassbox", "glassbox_events", "glassbox_server", "glassbox_telemetry"]
            .map(|name| (name, Level::WARN)),
    );
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

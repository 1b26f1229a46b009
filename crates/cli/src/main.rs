//! The `glassbox` command: see LLM programs run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the part that talks to people"
)]

use clap::{CommandFactory as _, Parser, Subcommand};
use std::process::ExitCode;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

mod config;
mod paint;
mod signals;
mod events;
mod client;
mod watch;
mod serve;
mod demo;
mod doctor;
mod sim;
mod tail;
mod top;
mod progress;
mod import;
mod export;
mod manual;

/// LLM programs you can see through
#[derive(Debug, Parser)]
#[command(
    name = "glassbox",
    version,
    arg_required_else_help = true,
    after_help = "Begin with: glassbox demo --serve"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(Box<serve::Args>),
    Tail(tail::Args),
    Top(top::Args),
    Export(export::Args),
    Import(import::Args),
    Doctor(doctor::Args),
    Sim(sim::Args),
    Completions(manual::Completions),
    Man(manual::Man),
}

fn main() -> ExitCode {
    // The command is the sandbox's worker as well: where it was started to be that, this does not return.
    glassbox::sandbox::init();
    warnings_to_stderr();
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Tail(args) => tail::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Completions(args) => Ok(manual::completions(&args, Cli::command())),
        Command::Man(args) => manual::man(&args, Cli::command()),
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

//! `glassbox sim`: the simulated provider alone.

use crate::signals::Signals;
use anyhow::Context;
use clap::Args as ClapArgs;
use glassbox_sim::{Fault, FaultPlan, Script, Sim};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Run the simulated model provider alone, for your own programs, until Ctrl-C or SIGTERM
///
/// It speaks OpenAI's, Anthropic's and Gemini's protocols, streams, keeps to limits and fails as it is told.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox sim
  glassbox sim --speed 0 --requests-per-minute 60 --fault rate-limited=0.1
  OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=any python program.py")]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// How many times faster than a real model it answers; 0 answers at once
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    speed: f64,
    /// Seed of latencies and generic answers
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The most calls in flight; more are answered with 429
    #[arg(long, value_name = "CALLS")]
    max_concurrent: Option<u64>,
    /// The most calls a minute; more are answered with 429
    #[arg(long, value_name = "CALLS")]
    requests_per_minute: Option<u32>,
    /// Answers to give instead of the coffee shop's: a JSON file of a script
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Let a share of the calls go wrong, such as rate-limited=0.1; may be given several times
    #[arg(long = "fault", value_name = "KIND=SHARE", value_parser = fault)]
    faults: Vec<(Fault, f64)>,
    /// Print one line of JSON with the addresses once it listens
    #[arg(long)]
    json: bool,
}

/// The faults by the names of the command line.
const FAULTS: [(&str, Fault); 14] = [
    ("rate-limited", Fault::RateLimited { retry_after: Duration::from_secs(1) }),
    ("server-error", Fault::ServerError(500)),
    ("overloaded", Fault::Overloaded),
    ("reset", Fault::Reset),
    ("stall", Fault::Stall),
    ("truncated", Fault::Truncated),
    ("malformed-json", Fault::MalformedJson),
    ("prose", Fault::Prose),
    ("truncated-json", Fault::TruncatedJson),
    ("wrong-types", Fault::WrongTypes),
    ("empty", Fault::Empty),
    ("content-filter", Fault::ContentFilter),
    ("length", Fault::Length),
    ("no-usage", Fault::NoUsage),
];

/// Reads `rate-limited=0.1`.
fn fault(text: &str) -> Result<(Fault, f64), String> {
    let (name, share) = text.split_once('=').unwrap_or((text, "1"));
    let Some((_, fault)) = FAULTS.into_iter().find(|(known, _)| *known == name) else {
        return Err(format!(
            "unknown fault {name:?}: type one of {}",
            FAULTS.each_ref().map(|(name, _)| *name).join(", ")
        ));
    };
    match share.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok((fault, share)),
        _ => Err(format!(
            "the share of calls {share:?} is none: type a number from 0 to 1, such as {name}=0.1"
        )),
    }
}

fn script(path: &Path) -> anyhow::Result<Script> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the script {}", path.display()))?;
    let example = r#"[{"when": ["part of the question"], "fields": {"answer": "42"}}]"#;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no script; write for instance {example}", path.display()))
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    let script = args.script.as_deref().map_or_else(|| Ok(Script::coffee_shop()), script)?;
    let faults = args
        .faults
        .iter()
        .fold(FaultPlan::none(), |plan, (fault, share)| plan.rate(*share, fault.clone()));
    let mut builder = Sim::builder()
        .address(args.listen)
        .speed(args.speed)
        .seed(args.seed)
        .script(script)
        .faults(faults);
    if let Some(calls) = args.max_concurrent {
        builder = builder.max_concurrent(calls);
    }
    if let Some(calls) = args.requests_per_minute {
        builder = builder.requests_per_minute(calls);
    }
    let sim = builder.start()?;
    let (openai, anthropic, gemini) = (sim.openai_url(), sim.anthropic_url(), sim.gemini_url());
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "url": sim.url(), "openai": openai, "anthropic": anthropic, "gemini": gemini })
        );
    } else {
        println!(
            "A simulated provider listens on {}; any key will do. Point your program at it:\n",
            sim.url()
        );
        println!("  export OPENAI_BASE_URL={openai} OPENAI_API_KEY=sim");
        println!("  export ANTHROPIC_BASE_URL={anthropic} ANTHROPIC_API_KEY=sim");
        println!("  export GEMINI_BASE_URL={gemini} GEMINI_API_KEY=sim\n");
        println!("Stop it with Ctrl-C.");
    }
    let signal = runtime.block_on(signals.next());
    let counters = sim.counters();
    eprintln!(
        "\nstopped by {signal}; {} calls: {} answered, {} refused, {} gone wrong on purpose, {} over the limits",
        counters.calls, counters.succeeded, counters.refused, counters.faults, counters.limited
    );
    Ok(signal.exit_code())
}

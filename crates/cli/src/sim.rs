//! `glassbox sim`: the simulated provider alone.

use anyhow::Context;
use clap::Args as ClapArgs;
use glassbox_sim::{Script, Sim};
use std::net::SocketAddr;

/// Runs the simulated model provider until Ctrl-C.
#[derive(Debug, ClapArgs)]
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
    /// Print one line of JSON with the addresses once it listens
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut builder = Sim::builder()
        .address(args.listen)
        .speed(args.speed)
        .seed(args.seed)
        .script(Script::coffee_shop());
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c()).context("cannot wait for Ctrl-C")?;
    let counters = sim.counters();
    eprintln!("\n{counters:?}");
    Ok(())
}

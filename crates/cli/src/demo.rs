//! `glassbox demo`: a coffee shop whose every step can be seen.

use crate::config;
use crate::paint::Paint;
use crate::receiver::Receiver;
use anyhow::Context as _;
use clap::Args as ClapArgs;
use glassbox::Bus;
use glassbox::telemetry::destination::{Destination, OtlpConfig};
use glassbox::telemetry::observe::{Observe, Observing};
use std::time::Duration;

mod shop;
mod model;
mod stream;
mod round;
mod tree;
mod summary;
mod headline;

/// Serves the customers of a coffee shop, one after another and then together.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The model to ask, such as openai/gpt-4o-mini; by default that of a key in the environment, else a simulated one
    #[arg(long)]
    model: Option<String>,
    /// How many customers come together
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    customers: u64,
    /// How many of them are served at the same time; by default all
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    concurrency: Option<u64>,
    /// How many times faster than a real model the simulated one answers; 0 answers at once
    #[arg(long, default_value_t = 4.0, value_parser = speed)]
    speed: f64,
    /// Print one summary in JSON on stdout, and nothing else
    #[arg(long)]
    json: bool,
    /// Do not observe anything, for comparison
    #[arg(long)]
    no_telemetry: bool,
    /// How many seconds the last spans may take to be exported before the numbers are printed
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    flush_timeout: u64,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed >= 0.0 => Ok(speed),
        _ => {
            Err("give a number: 1 for real time, 4 for four times as fast, 0 for no waits"
                .to_owned())
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let model = model::choose(args)?;
    let receiver = Receiver::start().context("cannot listen on loopback")?;
    let observing = if args.no_telemetry { None } else { Some(observe(args, &receiver)?) };
    let paint = Paint { colour: config::colour() };
    if !args.json {
        headline::opening(args, &model, observing.as_ref());
    }

    let concurrency =
        usize::try_from(args.concurrency.unwrap_or(args.customers)).unwrap_or(usize::MAX);
    let stream = (!args.json).then(|| stream::Stream::start(paint, args.customers)).transpose()?;
    let (one_by_one, together) = runtime.block_on(async {
        let agent = shop::CoffeeShopAgent::new(&model.lm);
        let one_by_one = round::serve(&agent, "one after another", args.customers.min(4), 1).await;
        let together = round::serve(&agent, "together", args.customers, concurrency).await;
        (one_by_one, together)
    });
    if let Some(stream) = stream {
        stream.finish();
    }

    // What could not be delivered in time is in the health, and so in the summary.
    let _ = observing
        .as_ref()
        .map(|observing| observing.flush_blocking(Duration::from_secs(args.flush_timeout)));
    let summary =
        summary::Summary::of(args, &model, observing.as_ref(), &receiver, &one_by_one, &together);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        headline::replies(paint, &together);
        if observing.is_some() {
            tree::print(paint, &receiver, &one_by_one);
        }
        headline::closing(paint, &summary, observing.as_ref(), &one_by_one);
    }

    let failed = one_by_one.failures().chain(together.failures()).next();
    match failed {
        Some(error) => {
            anyhow::bail!("{} customers were not served; the first: {error}", summary.failed)
        }
        None => Ok(()),
    }
}

/// Exports to wherever the environment says, and to the demo's own receiver.
fn observe(args: &Args, receiver: &Receiver) -> anyhow::Result<Observing> {
    let local = Destination::otlp(OtlpConfig::new(receiver.endpoint()))?.named("demo");
    let observe =
        Observe::from_env()?.bus(&Bus::global()).service_name("coffee-shop").destination(local);
    let deadline = Duration::from_secs(args.flush_timeout.min(5));
    Ok(observe.flush_deadline(deadline).measure_hot_path(true).start()?)
}

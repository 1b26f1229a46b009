//! `glassbox demo`: programs whose every step can be seen, a coffee shop first of all.

use crate::config;
use crate::paint::Paint;
use crate::receiver::Receiver;
use crate::signals::{Signal, Signals};
use anyhow::Context as _;
use calls::Watch;
use clap::Args as ClapArgs;
use cost::Meter;
use gallery::Gallery;
use glassbox::Bus;
use glassbox::telemetry;
use glassbox::telemetry::destination::{Destination, OtlpConfig};
use glassbox::telemetry::observe::{Observe, Observing};
use program::Program;
use round::Round;
use scene::Scene;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Runtime;

mod program;
mod model;
mod shop;
mod orders;
mod sales;
mod research;
mod round;
mod calls;
mod overload;
mod words;
mod steps;
mod stream;
mod scene;
mod blame;
mod tree;
mod cost;
mod compare;
mod summary;
mod headline;
mod leave;
mod gallery;

/// Serve the customers of a coffee shop and show all that happens, or play another scene
///
/// The customers come one after another and then together. Without a key of a provider in the environment a simulated model
/// answers, so nothing has to be set up.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox demo --serve                   and look at the traces in a browser
  glassbox demo --scene research
  glassbox demo --compare                 what telemetry costs")]
pub(crate) struct Args {
    /// What to play
    #[arg(long, value_enum, default_value_t = Scene::CoffeeShop)]
    scene: Scene,
    /// The model to ask, such as openai/gpt-4o-mini; by default that of a key in the environment, else a simulated one
    #[arg(long)]
    model: Option<String>,
    /// How many customers come together, each with a request of its own; by default 4, in the scenes of agents 2, and in
    /// overload 500
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    customers: Option<u64>,
    /// How many of them are served at the same time; by default all
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    concurrency: Option<u64>,
    /// How many times faster than a real model the simulated one answers, and its minutes pass; 0 answers at once. By
    /// default 4, and 1 in the scene overload
    #[arg(long, value_parser = speed)]
    speed: Option<f64>,
    /// Print one summary in JSON on stdout, and nothing else
    #[arg(long)]
    json: bool,
    /// Do not observe anything, for comparison
    #[arg(long)]
    no_telemetry: bool,
    /// Serve the customers four times more, twice without telemetry, and print what it costs
    #[arg(long, conflicts_with = "no_telemetry")]
    compare: bool,
    /// Start a server besides, and keep it open after the end until Ctrl-C, so that the traces can be looked at
    #[arg(long, conflicts_with_all = ["json", "no_telemetry", "compare"])]
    serve: bool,
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

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    let model = args.scene.model(args)?;
    let receiver = Receiver::start().context("cannot listen on loopback")?;
    let mut gallery = args.serve.then(|| runtime.block_on(Gallery::open())).transpose()?;
    let observing = match args.no_telemetry {
        true => None,
        false => Some(observe(args, &receiver, gallery.as_ref())?),
    };
    if let Some(gallery) = &mut gallery {
        gallery.post();
    }
    let paint = Paint { colour: config::colour() };
    if !args.json {
        headline::opening(args, &model, observing.as_ref());
    }

    let stream = (!args.json).then(|| stream::Stream::start(paint, args)).transpose()?;
    let meter = Meter::start(&model, &receiver);
    let watch = Watch::start()?;
    let program = args.scene.program(args, &model);
    let served = until_signal(&runtime, &mut signals, serve(args, &*program));
    if let Some(stream) = stream {
        stream.finish();
    }
    let (one_by_one, together) = match served {
        Ok(rounds) => rounds,
        Err(signal) => return Ok(leave::leave(signal, runtime, signals, observing)),
    };

    // What could not be delivered in time is in the health, and so in the summary.
    let flushing = async {
        if let Some(observing) = &observing {
            let limit = Duration::from_secs(args.flush_timeout);
            let _ = tokio::time::timeout(limit, observing.flush()).await;
        }
    };
    if let Err(signal) = until_signal(&runtime, &mut signals, flushing) {
        return Ok(leave::leave(signal, runtime, signals, observing));
    }
    let cost = meter.stop(observing.as_ref());
    let mut summary = summary::Summary::of(
        args,
        &model,
        observing.as_ref(),
        &receiver,
        &cost,
        watch.calls(model.sim.as_ref()),
        (&one_by_one, &together),
    );
    drop(watch);
    if args.compare {
        let comparing = compare::compare(args, &*program, &model, &receiver);
        summary.compare = match until_signal(&runtime, &mut signals, comparing) {
            Ok(comparison) => Some(comparison?),
            Err(signal) => return Ok(leave::leave(signal, runtime, signals, observing)),
        };
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        headline::replies(paint, &together);
        if observing.is_some() {
            tree::print(paint, &receiver, &one_by_one, args.scene.trees());
        }
        headline::closing(paint, &summary, observing.as_ref(), &one_by_one);
        look(gallery.as_ref());
    }
    if let Some(gallery) = gallery {
        drop(observing);
        return Ok(runtime.block_on(gallery.stay(&mut signals)));
    }

    let failed = one_by_one.failures().chain(together.failures()).next();
    match failed {
        Some(error) => {
            anyhow::bail!("{} customers were not served; the first: {error}", summary.failed)
        }
        None if !summary.calls.adds_up => {
            anyhow::bail!("what was told of the calls is not what the provider counted")
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Serves the first customers one after another, and then all of them together.
async fn serve(args: &Args, program: &dyn Program) -> (Round, Round) {
    let (bus, scene, customers) = (Bus::global(), args.scene.service_name(), args.customers());
    let first = customers.min(4);
    let one_by_one = round::serve(program, &bus, (scene, "one after another"), first, 1).await;
    let at_once = args.at_the_same_time();
    let together = round::serve(program, &bus, (scene, "together"), customers, at_once).await;
    (one_by_one, together)
}

/// Tells where the traces can be looked at, if a server runs.
fn look(gallery: Option<&Gallery>) {
    let running = || telemetry::config::server().ok().flatten();
    match gallery.map(|gallery| gallery.url().to_owned()).or_else(|| Some(running()?.page())) {
        Some(url) => println!("\nLook at the traces: open {url}"),
        None => println!("\nLook at the traces: glassbox demo --serve"),
    }
}

/// Runs a future until it is done, or until somebody wants the command to end.
fn until_signal<T>(
    runtime: &Runtime,
    signals: &mut Signals,
    future: impl Future<Output = T>,
) -> Result<T, Signal> {
    runtime.block_on(async {
        tokio::select! {
            done = future => Ok(done),
            signal = signals.next() => Err(signal),
        }
    })
}

impl Args {
    /// How many customers come together.
    fn customers(&self) -> u64 {
        self.customers.unwrap_or_else(|| self.scene.customers())
    }

    /// How many times faster than a real model the simulated one is.
    fn speed(&self) -> f64 {
        self.speed.unwrap_or_else(|| self.scene.speed())
    }

    /// How many customers are served at the same time.
    fn at_the_same_time(&self) -> usize {
        usize::try_from(self.concurrency.unwrap_or_else(|| self.customers())).unwrap_or(usize::MAX)
    }
}

/// Exports to wherever the environment says, and to the demo's own receiver.
fn observe(
    args: &Args,
    receiver: &Receiver,
    gallery: Option<&Gallery>,
) -> anyhow::Result<Observing> {
    let mut observe = Observe::from_env()?
        .bus(&Bus::global())
        .service_name(args.scene.service_name())
        .destination(local(receiver)?);
    if let Some(gallery) = gallery {
        observe = observe.destination(gallery.destination()?);
    }
    let deadline = Duration::from_secs(args.flush_timeout.min(5));
    Ok(observe.flush_deadline(deadline).measure_hot_path(true).start()?)
}

/// The demo's own receiver as a destination.
fn local(receiver: &Receiver) -> anyhow::Result<Destination> {
    Ok(Destination::otlp(OtlpConfig::new(receiver.endpoint()))?.named("demo"))
}

//! `glassbox demo`: programs whose every step can be seen, a coffee shop first of all.

use crate::config;
use crate::paint::Paint;
use crate::signals::{Signal, Signals};
use account::Account;
use calls::Watch;
use clap::Args as ClapArgs;
use cost::Meter;
use glassbox::Bus;
use glassbox::telemetry;
use glassbox::telemetry::observe::{Observe, Observing};
use program::Program;
use round::Round;
use scene::Scene;
use server::OwnServer;
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
mod threads;
mod server;
mod blame;
mod account;
mod tree;
mod cost;
mod compare;
mod summary;
mod headline;
mod leave;
mod guests;

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
    /// Keep the demo's server open after the end until Ctrl-C, so that the traces can be looked at. Customers go on coming
    /// for a quarter of an hour, so that there is something to see
    #[arg(long, conflicts_with_all = ["json", "no_telemetry", "compare"])]
    serve: bool,
    /// How many seconds pass with --serve until further customers come; 0 for nobody. By default 4 with the simulated
    /// model, and nobody with a real one
    #[arg(long, value_name = "SECONDS", requires = "serve", value_parser = clap::value_parser!(u64).range(..=3600))]
    every: Option<u64>,
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
    let mut server = (!args.no_telemetry).then(|| OwnServer::start(args.serve)).transpose()?;
    let observing = server.as_ref().map(|server| observe(args, server)).transpose()?;
    if let Some(server) = server.as_mut().filter(|_| args.serve) {
        server.post();
    }
    let paint = Paint { colour: config::colour() };
    if !args.json {
        headline::opening(args, &model, observing.as_ref(), server.as_ref());
    }

    let stream = (!args.json).then(|| stream::Stream::start(paint, args)).transpose()?;
    let meter = Meter::start(&model);
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
    let store = server.as_ref().and_then(OwnServer::store);
    let account = match store {
        Some(store) => Account::read(store, &together.trace_ids().collect())?,
        None => Account::default(),
    };
    let mut summary = summary::Summary::of(
        args,
        &model,
        observing.as_ref(),
        account,
        &cost,
        watch.calls(model.sim.as_ref()),
        (&one_by_one, &together),
    );
    drop(watch);
    if let Some(server) = server.as_ref().filter(|_| args.compare) {
        let comparing = compare::compare(args, &*program, &model, server);
        summary.compare = match until_signal(&runtime, &mut signals, comparing) {
            Ok(comparison) => Some(comparison?),
            Err(signal) => return Ok(leave::leave(signal, runtime, signals, observing)),
        };
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        headline::replies(paint, &together);
        if let Some(store) = store {
            tree::print(paint, store, &one_by_one, args.scene.trees())?;
        }
        let link = link(args, observing.as_ref(), server.as_ref(), &one_by_one);
        headline::closing(paint, &summary, observing.as_ref(), link.as_deref());
        let is_own =
            server.as_ref().zip(link).is_some_and(|(own, link)| link.starts_with(own.otlp()));
        if is_own && !args.serve {
            println!("\nThat server ends with the demo. To keep it open: glassbox demo --serve");
        }
    }
    if let Some(server) = server.as_ref().filter(|_| args.serve) {
        let every = args.every.unwrap_or(if model.sim.is_some() { 4 } else { 0 });
        return Ok(runtime.block_on(stay(args, server, &mut signals, &*program, every)));
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

/// Returns where the first trace can be looked at: in Langfuse, at the demo's own server if it stays, at one that runs, or
/// at the demo's own until it ends.
fn link(
    args: &Args,
    observing: Option<&Observing>,
    own: Option<&OwnServer>,
    round: &Round,
) -> Option<String> {
    let trace_id = round.trace_ids().next()?;
    let running = telemetry::config::server().ok().flatten();
    let others = observing?.destinations().iter().filter(|destination| {
        let url = destination.base_url.as_deref();
        &*destination.name != server::NAME && url != running.as_ref().map(|server| &*server.url)
    });
    let langfuse = others.filter_map(|destination| destination.base_url.clone()).next();
    let own = own.map(|own| own.trace_url(trace_id));
    let running = running.map(|running| server::trace_url(&running, trace_id));
    let ours = if args.serve { own.or(running) } else { running.or(own) };
    langfuse.map(|base_url| format!("{base_url}/trace/{trace_id}")).or(ours)
}

/// Keeps the server open until somebody has seen enough.
async fn stay(
    args: &Args,
    server: &OwnServer,
    signals: &mut Signals,
    program: &dyn Program,
    every: u64,
) -> ExitCode {
    println!("\nThe page: open {}", server.url());
    if every > 0 {
        let minutes = guests::FOR.as_secs() / 60;
        println!("Customers go on coming every {every} s, for {minutes} minutes.");
    }
    println!("Stop with Ctrl-C; the traces go away then.");
    let guests = async {
        if every > 0 {
            let (scene, next) = (args.scene.service_name(), args.customers() + 1);
            guests::come(program, scene, next, Duration::from_secs(every)).await;
            println!("Nobody comes any more; the server stays open.");
        }
    };
    server.stay(signals, guests).await
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

/// Exports to wherever the environment says, and to the demo's own server.
fn observe(args: &Args, server: &OwnServer) -> anyhow::Result<Observing> {
    let observe = Observe::from_env()?
        .bus(&Bus::global())
        .service_name(args.scene.service_name())
        .destination(server.destination()?);
    let deadline = Duration::from_secs(args.flush_timeout.min(5));
    Ok(observe.flush_deadline(deadline).measure_hot_path(true).start()?)
}

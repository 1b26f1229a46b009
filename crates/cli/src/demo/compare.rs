//! The same customers with telemetry and without, in the same process.

use super::Args;
use super::cost::{Cost, Meter};
use super::model::Model;
use super::program::Program;
use super::round;
use super::server::OwnServer;
use glassbox::Bus;
use glassbox::telemetry::observe::Observe;
use serde::Serialize;
use std::time::Duration;

/// Off, on, on, off: what drifts, such as a processor that gets warm, drifts for both.
const ORDER: [bool; 4] = [false, true, true, false];

/// What the same customers took with telemetry and without. The demo's own server is the only destination.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    /// Each time that the customers were served.
    rounds: Vec<Served>,
    pub(super) wall_off_ms: f64,
    pub(super) wall_on_ms: f64,
    /// How much longer it took with telemetry; below zero where chance was larger than the difference.
    pub(super) wall_percent: f64,
    /// Processor time without the simulated provider and, where the system tells what it used, the server.
    pub(super) cpu_off_ms: f64,
    pub(super) cpu_on_ms: f64,
    /// How much more processor time it took with telemetry.
    pub(super) cpu_percent: f64,
    /// What telemetry itself measured of that, on the program's threads and on its own.
    hot_path_ms: f64,
    workers_cpu_ms: f64,
    spans: u64,
    lost: u64,
    /// Customers that got no answer.
    failed: usize,
}

/// One time that the customers were served.
#[derive(Debug, Serialize)]
struct Served {
    telemetry: bool,
    wall_ms: f64,
    cpu_ms: f64,
}

/// Sums for one way of serving.
#[derive(Default)]
struct Sum {
    wall: Duration,
    cpu: Duration,
    cost: Cost,
}

/// Serves the customers together, with telemetry and without.
pub(super) async fn compare(
    args: &Args,
    program: &dyn Program,
    model: &Model,
    server: &OwnServer,
) -> anyhow::Result<Comparison> {
    let (mut off, mut on) = (Sum::default(), Sum::default());
    let (mut rounds, mut spans, mut lost, mut failed) = (Vec::new(), 0, 0, 0);
    for telemetry in ORDER {
        let bus = Bus::new();
        let observing = match telemetry {
            false => None,
            true => {
                let observe = Observe::new().bus(&bus).service_name(args.scene.service_name());
                let observe = observe.destination(server.destination()?);
                Some(observe.measure_hot_path(true).start()?)
            }
        };
        let meter = Meter::start(model);
        let served = round::serve(
            program,
            &bus,
            (args.scene.service_name(), "comparison"),
            args.customers(),
            args.at_the_same_time(),
        )
        .await;
        if let Some(observing) = &observing {
            // What could not be delivered is counted below.
            let limit = Duration::from_secs(args.flush_timeout);
            let _ = tokio::time::timeout(limit, observing.flush()).await;
            for destination in observing.health().destinations {
                spans += destination.ended;
                lost += destination.ended - destination.exported;
            }
        }
        let cost = meter.stop(observing.as_ref());
        failed += served.failures().count();
        rounds.push(Served {
            telemetry,
            wall_ms: millis(served.wall),
            cpu_ms: millis(cost.program.unwrap_or(cost.process)),
        });
        let sum = if telemetry { &mut on } else { &mut off };
        sum.wall += served.wall;
        sum.cpu += cost.program.unwrap_or(cost.process);
        sum.cost.workers += cost.workers;
        sum.cost.hot_path += cost.hot_path;
    }
    Ok(Comparison {
        rounds,
        wall_off_ms: millis(off.wall),
        wall_on_ms: millis(on.wall),
        wall_percent: more(on.wall, off.wall),
        cpu_off_ms: millis(off.cpu),
        cpu_on_ms: millis(on.cpu),
        cpu_percent: more(on.cpu, off.cpu),
        hot_path_ms: millis(on.cost.hot_path),
        workers_cpu_ms: millis(on.cost.workers),
        spans,
        lost,
        failed,
    })
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 1e2
}

/// Returns how much more `on` is than `off`, in percent.
fn more(on: Duration, off: Duration) -> f64 {
    let off = off.as_secs_f64().max(1e-9);
    ((on.as_secs_f64() - off) / off * 1e4).round() / 1e2
}

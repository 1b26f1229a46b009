//! What telemetry costs, in time that is measured: the program's waiting and the processor's work.

use super::model::Model;
use super::server::OwnServer;
use cpu_time::ProcessTime;
use glassbox::telemetry::observe::Observing;
use glassbox_sim::Sim;
use std::time::Duration;

/// Takes the processor time from when it is made on. All parts of the demo are in one process; the simulated provider
/// and the server count their own time, since they would be on other machines.
pub(super) struct Meter<'a> {
    model: &'a Model,
    process: Duration,
    others: Option<Duration>,
}

/// The time that something took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Of the whole process.
    pub(super) process: Duration,
    /// Of the process without the simulated provider and the server, where the system tells what the server used.
    pub(super) program: Option<Duration>,
    /// Of telemetry's own threads.
    pub(super) workers: Duration,
    /// Of telemetry on the program's threads.
    pub(super) hot_path: Duration,
}

impl<'a> Meter<'a> {
    pub(super) fn start(model: &'a Model) -> Self {
        let others = others(model);
        Self { model, process: ProcessTime::now().as_duration(), others }
    }

    /// Returns what was used since the start. `observing` began after it, or had nothing to do before.
    pub(super) fn stop(&self, observing: Option<&Observing>) -> Cost {
        let process = ProcessTime::now().as_duration().saturating_sub(self.process);
        let others = others(self.model).zip(self.others);
        let health = observing.map(Observing::health);
        let workers = health.iter().flat_map(|health| &health.destinations);
        Cost {
            process,
            program: others.map(|(now, then)| process.saturating_sub(now.saturating_sub(then))),
            workers: workers.map(|destination| destination.worker_cpu).sum(),
            hot_path: health.as_ref().and_then(|health| health.hot_path.time).unwrap_or_default(),
        }
    }
}

fn others(model: &Model) -> Option<Duration> {
    let provider = model.sim.as_ref().map(Sim::cpu_time).unwrap_or_default();
    OwnServer::cpu_time().map(|server| server + provider)
}

impl Cost {
    /// The processor time that telemetry used, on its own threads and on the program's.
    pub(super) fn telemetry(&self) -> Duration {
        self.workers + self.hot_path
    }
}

/// Returns what share `part` is of `whole`, in percent with five digits behind the point.
pub(super) fn percent(part: Duration, whole: Duration) -> f64 {
    let share = part.as_secs_f64() / whole.as_secs_f64().max(1e-9);
    (share * 1e7).round() / 1e5
}

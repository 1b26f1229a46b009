//! What the doctor found, for people and for machines.

use super::check::Check;
use super::server::Server;
use super::spool::Spool;
use glassbox::telemetry::config::{Settings, Variable};
use glassbox::telemetry::probe::Report;
use glassbox::trace::otlp::Content;
use serde::{Serialize, Serializer};

/// What the doctor found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Diagnosis {
    /// Whether nothing would keep spans back.
    ok: bool,
    pub(super) environment: Vec<Found>,
    /// The variable that switches telemetry off.
    pub(super) disabled_by: Option<&'static str>,
    /// Why the environment makes no sense.
    pub(super) error: Option<String>,
    pub(super) warnings: Vec<String>,
    /// How much of inputs and outputs is exported: `full`, `lengths` or `none`.
    pub(super) content: &'static str,
    /// The folder in which spans wait for a destination that is down.
    pub(super) spool: Option<Spool>,
    /// The glassbox server that programs find.
    pub(super) server: Option<Server>,
    /// What is well with it, or would be in its way.
    pub(super) checks: Vec<Check>,
    pub(super) destinations: Vec<Destination>,
}

/// A variable that is set.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) name: String,
    /// The value as far as it may be shown; `null` if nobody heeds it.
    pub(super) value: Option<String>,
    pub(super) meaning: Option<&'static str>,
}

/// A destination, and how each step of the way went.
#[derive(Debug, Serialize)]
pub(super) struct Destination {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) ok: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    verdict: &'static str,
    seen: String,
    advice: Option<String>,
    #[serde(serialize_with = "rounded")]
    took_ms: f64,
}

fn rounded<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((number * 10.0).round() / 10.0)
}

impl Diagnosis {
    pub(super) fn of_environment(
        found: Vec<(String, Option<(&'static Variable, String)>)>,
    ) -> Self {
        let environment = found.into_iter().map(|(name, heeded)| Found {
            name,
            value: heeded.as_ref().map(|(variable, value)| variable.show(value)),
            meaning: heeded.map(|(variable, _)| variable.meaning),
        });
        let mut diagnosis =
            Self { environment: environment.collect(), content: "full", ..Self::default() };
        diagnosis.conclude();
        diagnosis
    }

    /// Takes note of what the environment comes to.
    pub(super) fn configured(&mut self, settings: &Settings) {
        self.disabled_by = settings.disabled_by;
        self.warnings.clone_from(&settings.warnings);
        self.content = match settings.content {
            Content::Full => "full",
            Content::Lengths => "lengths",
            Content::None => "none",
        };
        self.spool = settings.spool.as_ref().map(|spool| Spool::look(spool.folder()));
    }

    pub(super) fn add(&mut self, report: &Report) {
        self.destinations.push(Destination {
            name: report.destination.name.to_string(),
            address: report.address.clone(),
            ok: report.problem().is_none(),
            steps: report
                .findings
                .iter()
                .map(|finding| Step {
                    step: finding.step.as_str(),
                    verdict: finding.verdict.as_str(),
                    seen: finding.seen.clone(),
                    advice: finding.advice.clone(),
                    took_ms: finding.took.as_secs_f64() * 1e3,
                })
                .collect(),
        });
        self.conclude();
    }

    /// Takes note that the environment makes no sense.
    pub(super) fn fail(&mut self, error: String) {
        self.error = Some(error);
        self.conclude();
    }

    pub(super) const fn is_ok(&self) -> bool {
        self.ok
    }

    fn conclude(&mut self) {
        self.ok = self.error.is_none() && self.destinations.iter().all(|one| one.ok);
    }
}

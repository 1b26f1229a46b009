//! Which model the demo asks: one that was named, one whose key is there, or else the simulated one.

use super::Args;
use crate::config;
use glassbox::{Lm, LmBuilder};
use glassbox_sim::{Builder, Sim};

/// The model that the simulated provider plays.
const SIMULATED: &str = "openai/gpt-4o-mini";

/// The demo's model, and the provider behind it if it is ours.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) lm: Lm,
    /// What it is and why, for people.
    pub(crate) why: String,
    /// Keeps the simulated provider running.
    pub(crate) sim: Option<Sim>,
}

impl Model {
    /// Names the provider for the summary.
    pub(crate) fn provider(&self) -> String {
        match self.sim {
            Some(_) => "simulated".to_owned(),
            None => self.lm.name().to_owned(),
        }
    }
}

/// Chooses the model that was named, or one whose key is there, or else the simulated one.
pub(super) fn choose(
    args: &Args,
    simulated: impl FnOnce(&Args) -> anyhow::Result<Model>,
) -> anyhow::Result<Model> {
    let (name, why) = match (&args.model, config::keyed_model()) {
        (Some(name), _) => (name.clone(), "as you asked".to_owned()),
        (None, Some((variable, name))) => (name.to_owned(), format!("since {variable} is set")),
        (None, None) => return simulated(args),
    };
    let lm = Lm::builder(&name).stream(true).build()?;
    Ok(Model { lm, why: format!("{name}, {why}: this costs real money"), sim: None })
}

/// Starts a simulated provider, and makes a model of it that is set up further by `more`.
pub(super) fn simulated(
    args: &Args,
    sim: Builder,
    more: impl FnOnce(LmBuilder) -> LmBuilder,
) -> anyhow::Result<Model> {
    let sim = sim.speed(args.speed()).keep_requests(0).start()?;
    let lm = Lm::builder(SIMULATED).base_url(sim.openai_url()).api_key("sim").stream(true);
    let lm = more(lm).build()?;
    let why = format!(
        "simulated on {} (it plays {SIMULATED}, {}); set OPENAI_API_KEY or give --model to ask a real one",
        sim.url(),
        match args.speed() {
            0.0 => "without its latency".to_owned(),
            1.0 => "in real time".to_owned(),
            speed => format!("{speed} times as fast"),
        },
    );
    Ok(Model { lm, why, sim: Some(sim) })
}

/// Returns how many calls a minute a simulated provider takes whose minutes pass `speed` times as fast; no limit where
/// nothing takes any time.
pub(super) fn hurried(a_minute: u32, speed: f64) -> Option<u32> {
    // The cast saturates.
    (speed > 0.0).then(|| (f64::from(a_minute) * speed).max(1.0) as u32)
}

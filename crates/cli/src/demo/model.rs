//! Which model the demo asks: one that was named, one whose key is there, or else the simulated one.

use super::Args;
use crate::config;
use glassbox::Lm;
use glassbox_sim::{Script, Sim};

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

pub(crate) fn choose(args: &Args) -> anyhow::Result<Model> {
    if let Some(name) = &args.model {
        let lm = Lm::builder(name).stream(true).build()?;
        return Ok(Model {
            lm,
            why: format!("{name}, as you asked: this costs real money"),
            sim: None,
        });
    }
    if let Some((variable, name)) = config::keyed_model() {
        let lm = Lm::builder(name).stream(true).build()?;
        return Ok(Model {
            lm,
            why: format!("{name}, since {variable} is set: this costs real money"),
            sim: None,
        });
    }
    let sim =
        Sim::builder().speed(args.speed).script(Script::coffee_shop()).keep_requests(0).start()?;
    let lm =
        Lm::builder(SIMULATED).base_url(sim.openai_url()).api_key("sim").stream(true).build()?;
    let why = format!(
        "simulated on {} (it plays {SIMULATED}, {}); set OPENAI_API_KEY or give --model to ask a real one",
        sim.url(),
        if args.speed == 0.0 {
            "without its latency".to_owned()
        } else {
            format!("{} times as fast", args.speed)
        },
    );
    Ok(Model { lm, why, sim: Some(sim) })
}

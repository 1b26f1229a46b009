//! The model that the examples ask: the one named on the command line, or else a simulated one.

use glassbox::{Error, Lm};
use glassbox_sim::{Script, Sim};

/// A model, and the simulated provider behind it, which runs as long as this is kept.
#[derive(Debug)]
pub struct Model {
    /// The model to ask.
    pub lm: Lm,
    sim: Option<Sim>,
}

/// Returns the model named by the first argument, such as `openai/gpt-4o-mini`, or a simulated one that needs no key.
///
/// # Errors
///
/// The named model has no key, or the simulated provider cannot listen.
pub fn model() -> Result<Model, Error> {
    scripted_model(Script::coffee_shop())
}

/// Returns the same, with a script of one's own for the simulated model.
///
/// # Errors
///
/// As [`model`].
pub fn scripted_model(script: Script) -> Result<Model, Error> {
    if let Some(name) = std::env::args().nth(1) {
        return Ok(Model { lm: Lm::from_env(&name)?, sim: None });
    }
    let sim = Sim::builder().speed(20.0).script(script).start().map_err(Error::other)?;
    let lm = Lm::builder("openai/gpt-4o-mini").base_url(sim.openai_url()).api_key("sim").build()?;
    Ok(Model { lm, sim: Some(sim) })
}

impl Model {
    /// Says who answers.
    #[must_use]
    pub fn who(&self) -> String {
        match &self.sim {
            Some(_) => format!("{} (simulated)", self.lm.name()),
            None => self.lm.name().to_owned(),
        }
    }
}

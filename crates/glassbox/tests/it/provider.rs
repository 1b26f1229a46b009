//! The simulated providers and how the tests reach them: each wire format, whole and streamed.

use axum::Router;
use glassbox::{Lm, LmBuilder, RetryPolicy};
use glassbox_sim::{FaultPlan, Latency, Script, Sim};
use std::time::Duration;
use tokio::net::TcpListener;

/// A provider of the coffee shop's answers that answers at once.
pub(crate) fn sim() -> Sim {
    failing(FaultPlan::none())
}

/// The same, with faults.
pub(crate) fn failing(faults: FaultPlan) -> Sim {
    Sim::builder()
        .latency(Latency::none())
        .script(Script::coffee_shop())
        .faults(faults)
        .start()
        .unwrap()
}

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Wire {
    pub(crate) const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    /// A model that speaks it, is known by the simulation and has a price.
    pub(crate) const fn model(self) -> &'static str {
        match self {
            Self::OpenAi => "openai/gpt-4o-mini",
            Self::Anthropic => "anthropic/claude-haiku-4-5",
            Self::Gemini => "gemini/gemini-2.5-flash",
        }
    }

    pub(crate) fn url(self, sim: &Sim) -> String {
        match self {
            Self::OpenAi => sim.openai_url(),
            Self::Anthropic => sim.anthropic_url(),
            Self::Gemini => sim.gemini_url(),
        }
    }

    /// The model, to be set up further. It is impatient.
    pub(crate) fn lm(self, sim: &Sim) -> LmBuilder {
        Lm::builder(self.model()).base_url(self.url(sim)).api_key("test").retry(fast_retries())
    }
}

/// The usual number of attempts with hardly a pause.
pub(crate) fn fast_retries() -> RetryPolicy {
    RetryPolicy {
        initial: Duration::from_millis(2),
        max: Duration::from_millis(4),
        ..RetryPolicy::default()
    }
}

/// Serves something of a test's own until its runtime ends, and returns the address.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

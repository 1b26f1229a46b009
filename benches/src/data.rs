//! The data of a measured span: a call of a model, with what comes to 20 attributes, 2 KB in and 2 KB out.
//!
//! Input and output are values of the program's own types, as they are in a program: who can share such a value shares
//! it, and who takes texts alone gets it rendered as JSON. The short texts are shared where a system can do that
//! (`Arc<str>`), and copied where it cannot.

use glassbox_trace::cost::{Cost, CostDetails};
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{Generation, OutputType, Parameters};
use glassbox_trace::usage::Usage;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// The name of the span.
pub(crate) const NAME: &str = "chat gpt-5.6-luna";
/// The provider.
pub(crate) const PROVIDER: &str = "openai";
/// The model that is asked for.
pub(crate) const MODEL: &str = "gpt-5.6-luna";
/// The model that answers.
pub(crate) const ANSWERED: &str = "gpt-5.6-luna-2026-07-01";
/// The provider's id of the answer.
pub(crate) const RESPONSE_ID: &str = "chatcmpl-C0ffeeC0ffeeC0ffeeC0ffee";
/// Why the model stopped.
pub(crate) const FINISH_REASON: &str = "stop";
/// The host that is called.
pub(crate) const HOST: &str = "api.openai.com";
/// Its port.
pub(crate) const PORT: u16 = 443;
/// Sampling temperature.
pub(crate) const TEMPERATURE: f64 = 0.2;
/// Nucleus sampling.
pub(crate) const TOP_P: f64 = 0.95;
/// Upper bound of output tokens.
pub(crate) const MAX_TOKENS: u32 = 1024;
/// Seed for sampling.
pub(crate) const SEED: u32 = 7;
/// Tokens: input that was not cached, input from the cache, output, reasoning.
pub(crate) const TOKENS: [u32; 4] = [128, 384, 412, 64];
/// Dollars.
pub(crate) const DOLLARS: f64 = 0.001_234;

/// Texts and facts that the measured program has anyway.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) name: Arc<str>,
    pub(crate) provider: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) answered: Arc<str>,
    pub(crate) response_id: Arc<str>,
    pub(crate) finish_reason: Arc<str>,
    pub(crate) host: Arc<str>,
    pub(crate) input: Arc<Visit>,
    pub(crate) output: Arc<Visit>,
    /// Input and output as JSON, for who is given them for nothing.
    pub(crate) input_text: Arc<str>,
    pub(crate) output_text: Arc<str>,
    pub(crate) cost: Cost,
}

/// What goes in and comes out, as a type of the program.
#[derive(Debug, Serialize)]
pub(crate) struct Visit {
    customer: String,
    visits: u32,
    is_member: bool,
    order: Vec<Item>,
    message: String,
}

#[derive(Debug, Serialize)]
struct Item {
    name: String,
    count: u32,
    price: f64,
}

impl Visit {
    /// Makes one that is as large as this, as JSON.
    fn new(bytes: usize, seed: u64) -> Self {
        let item = |name: &str| Item { name: name.to_owned(), count: 2, price: 4.5 };
        let order = ["flat white", "espresso", "oat latte", "croissant"].map(item).into();
        let customer = "customer-42".to_owned();
        let mut visit = Self { customer, visits: 17, is_member: true, order, message: text(1, 0) };
        visit.message = text((bytes + 1).saturating_sub(visit.to_json().len()), seed);
        visit
    }

    pub(crate) fn to_json(&self) -> String {
        // Serializing into memory fails only for maps with keys that are not strings.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Render for Visit {
    fn render(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Facts {
    /// Makes facts with texts of their own, so that threads do not share them.
    pub(crate) fn new(input_bytes: usize, output_bytes: usize) -> Self {
        Self::seeded(input_bytes, output_bytes, 0)
    }

    /// Makes facts with other texts for other even numbers.
    pub(crate) fn seeded(input_bytes: usize, output_bytes: usize, seed: u64) -> Self {
        let cost = CostDetails { input: Decimal::new(1_234, 6), ..CostDetails::default() };
        let (input, output) = (Visit::new(input_bytes, seed), Visit::new(output_bytes, seed + 1));
        Self {
            name: NAME.into(),
            provider: PROVIDER.into(),
            model: MODEL.into(),
            answered: ANSWERED.into(),
            response_id: RESPONSE_ID.into(),
            finish_reason: FINISH_REASON.into(),
            host: HOST.into(),
            input_text: input.to_json().into(),
            output_text: output.to_json().into(),
            input: Arc::new(input),
            output: Arc::new(output),
            cost: Cost::known(cost),
        }
    }

    pub(crate) fn input(&self) -> Payload {
        let shared = Arc::clone(&self.input);
        Payload::shared(shared)
    }

    pub(crate) fn output(&self) -> Payload {
        let shared = Arc::clone(&self.output);
        Payload::shared(shared)
    }

    /// What is known when the call begins.
    pub(crate) fn generation(&self) -> Generation {
        Generation {
            provider: Arc::clone(&self.provider),
            request_model: Arc::clone(&self.model),
            parameters: Parameters {
                temperature: Some(TEMPERATURE),
                top_p: Some(TOP_P),
                max_tokens: Some(MAX_TOKENS.into()),
                seed: Some(SEED.into()),
                ..Parameters::default()
            },
            output_type: Some(OutputType::Json),
            server_address: Some(Arc::clone(&self.host)),
            server_port: Some(PORT),
            ..Generation::default()
        }
    }

    /// Adds what is known when the call ends.
    pub(crate) fn answer(&self, generation: &mut Generation) {
        let [input, cached, output, reasoning] = TOKENS.map(u64::from);
        generation.response_model = Some(Arc::clone(&self.answered));
        generation.response_id = Some(Arc::clone(&self.response_id));
        generation.finish_reasons = vec![Arc::clone(&self.finish_reason)];
        generation.usage = Usage {
            input: Some(input),
            cache_read: Some(cached),
            cache_write: None,
            output: Some(output),
            reasoning: Some(reasoning),
        };
        generation.cost = self.cost;
        generation.attempts = 1;
    }
}

/// Words such as a prompt has them, different for each seed: they shrink to about a third.
pub(crate) fn text(bytes: usize, seed: u64) -> String {
    const WORDS: [&str; 32] = [
        "customer", "coffee", "order", "the", "a", "of", "please", "refund", "latte", "today",
        "and", "is", "not", "cold", "answer", "politely", "with", "to", "menu", "price", "in",
        "loyal", "since", "espresso", "milk", "oat", "warm", "sorry", "tomorrow", "visit", "we",
        "offer",
    ];
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        text.push_str(dice.choice(WORDS).unwrap_or_default());
        // A number now and then, or the text would shrink to less than real ones do.
        if dice.u8(..8) == 0 {
            text.push_str(&dice.u16(..).to_string());
        }
        text.push(' ');
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_as_large_as_asked() {
        let facts = Facts::new(2048, 500);
        assert_eq!((facts.input_text.len(), facts.output_text.len()), (2048, 500));
    }
}

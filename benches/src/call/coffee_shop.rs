//! Glassbox: `Predict` of the coffee shop's signature, which makes the request that all others send.

use super::asked::Asked;
use super::load::Caller;
use anyhow::{Context, Result};
use glassbox::telemetry::destination::{Destination, OtlpConfig};
use glassbox::{Field, Lm, Module, Observe, Observing, Predict, Signature};
use glassbox_sim::Sim;
use serde_json::Value;
use std::hint::black_box;
use std::time::Duration;

const MODEL: &str = "openai/gpt-4o-mini";

/// Analyze customer request and take appropriate action.
#[derive(Signature)]
struct CoffeeShop {
    #[input]
    customer_request: String,
    #[input]
    customer_mood: Mood,
    #[input]
    time_of_day: TimeOfDay,
    #[output]
    action: Action,
    #[output]
    friendly_response: String,
}

#[derive(Field, Clone, Copy, Debug)]
enum Mood {
    Happy,
    Neutral,
    Upset,
}

#[derive(Field, Clone, Copy, Debug)]
enum TimeOfDay {
    Morning,
    Afternoon,
    Evening,
    RushHour,
}

#[derive(Field, Clone, Debug)]
enum Action {
    MakeDrink { drink_type: String, size: Size, customizations: Vec<String> },
    RefundOrder { order_id: String, reason: String, refund_amount: f64 },
    CallManager { issue: String, urgency: Urgency },
    Joke { setup: String, punchline: String },
}

#[derive(Field, Clone, Copy, Debug)]
enum Size {
    Small,
    Medium,
    Large,
}

#[derive(Field, Clone, Copy, Debug)]
enum Urgency {
    Low,
    Medium,
    High,
}

/// The module, and its telemetry if it has any.
pub(super) struct Shop {
    predict: Predict<CoffeeShop>,
    observing: Option<Observing>,
}

impl Shop {
    /// Opens it, with traces going to an address.
    pub(super) fn open(asked: &Asked, traces: Option<&str>) -> Result<Self> {
        let observing = traces.map(|traces| {
            Observe::new().destination(Destination::otlp(OtlpConfig::new(traces))?).start()
        });
        Ok(Self { predict: predict(&asked.url)?, observing: observing.transpose()? })
    }
}

impl Caller for Shop {
    async fn call(&self) -> Result<u64> {
        let reply = self.predict.call(input()).await?;
        black_box((&reply.action, &reply.friendly_response));
        Ok(reply.usage().total())
    }

    fn settle(&self) -> Result<()> {
        if let Some(observing) = &self.observing {
            observing.flush_blocking(Duration::from_secs(60)).context("spans were lost")?;
        }
        Ok(())
    }
}

/// Returns the request that a call sends.
pub(super) fn request(sim: &Sim) -> Result<Value> {
    let predict = predict(&sim.openai_url())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(predict.call(input()))?;
    let request = sim.requests().pop();
    Ok(request.context("the provider has received nothing")?.json())
}

fn predict(url: &str) -> Result<Predict<CoffeeShop>> {
    Ok(Predict::new(&Lm::builder(MODEL).base_url(url).api_key("bench").build()?))
}

fn input() -> CoffeeShopInput {
    CoffeeShopInput {
        customer_request: "Can I get a large iced latte with oat milk and an extra shot?".into(),
        customer_mood: Mood::Happy,
        time_of_day: TimeOfDay::Morning,
    }
}

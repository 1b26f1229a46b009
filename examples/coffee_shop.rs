//! The coffee shop: a chain of thought that chooses one of several typed actions.
//!
//! `cargo run -p glassbox-examples --example coffee_shop`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::{ChainOfThought, Error, Field, Lm, Module, Prediction, Signature, scope};
use std::sync::Arc;

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

/// An enum with data is a union: the model chooses one and fills it in.
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

/// A module of our own: its call is a span without a line about tracing.
struct CoffeeShopAgent {
    barista: ChainOfThought<CoffeeShop>,
}

impl CoffeeShopAgent {
    fn new(lm: &Lm) -> Self {
        Self { barista: ChainOfThought::new(lm) }
    }
}

impl Module for CoffeeShopAgent {
    type Input = CoffeeShopInput;
    type Output = Prediction<CoffeeShopOutput>;

    async fn forward(&self, input: Arc<CoffeeShopInput>) -> Result<Self::Output, Error> {
        self.barista.call(input).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _observing = glassbox::observe()?;
    let model = glassbox_examples::model()?;
    let agent = CoffeeShopAgent::new(&model.lm);

    let customers = [
        (
            "Can I get a large iced latte with oat milk and an extra shot?",
            Mood::Happy,
            TimeOfDay::Morning,
        ),
        ("This coffee tastes terrible and I waited 20 minutes!", Mood::Upset, TimeOfDay::RushHour),
        ("Do you sell hamburgers?", Mood::Neutral, TimeOfDay::Afternoon),
        ("It's been a long day... got any coffee jokes?", Mood::Happy, TimeOfDay::Evening),
    ];
    for (request, customer_mood, time_of_day) in customers {
        let input =
            CoffeeShopInput { customer_request: request.into(), customer_mood, time_of_day };
        let reply = scope().session("coffee-shop").user(request).run(agent.call(input)).await?;
        println!("\n{request}\n  thought   {}", reply.reasoning().unwrap_or("-"));
        println!("  did       {:?}", reply.action);
        println!(
            "  said      {} ({} tokens, ${})",
            reply.friendly_response,
            reply.usage().total(),
            reply.cost()
        );
    }
    Ok(())
}

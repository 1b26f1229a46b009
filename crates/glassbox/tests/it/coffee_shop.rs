//! The program that the tests run: the coffee shop and its agent.

use glassbox::{ChainOfThought, Error, Field, Lm, Module, Prediction, Signature};
use std::sync::Arc;

/// Analyze customer request and take appropriate action.
#[derive(Signature)]
pub(crate) struct CoffeeShop {
    /// What the customer says.
    #[input]
    customer_request: String,
    #[input]
    customer_mood: Mood,
    #[input]
    time_of_day: TimeOfDay,
    /// What the shop does.
    #[output]
    action: Action,
    /// What the shop says.
    #[output]
    friendly_response: String,
}

#[derive(Clone, Debug, PartialEq, Field)]
pub(crate) enum Mood {
    Happy,
    Neutral,
    Upset,
}

#[derive(Clone, Debug, PartialEq, Field)]
pub(crate) enum TimeOfDay {
    Morning,
    Afternoon,
    Evening,
    RushHour,
}

#[derive(Clone, Debug, PartialEq, Field)]
pub(crate) enum Action {
    MakeDrink { drink_type: String, size: Size, customizations: Vec<String> },
    RefundOrder { order_id: String, reason: String, refund_amount: f64 },
    CallManager { issue: String, urgency: Urgency },
    Joke { setup: String, punchline: String },
}

#[derive(Clone, Debug, PartialEq, Field)]
pub(crate) enum Size {
    Small,
    Medium,
    Large,
}

#[derive(Clone, Debug, PartialEq, Field)]
pub(crate) enum Urgency {
    Low,
    Medium,
    High,
}

/// Serves one customer: a module as a user writes it, without a line about tracing.
#[derive(Debug)]
pub(crate) struct CoffeeShopAgent {
    pub(crate) barista: ChainOfThought<CoffeeShop>,
}

impl CoffeeShopAgent {
    pub(crate) fn new(lm: &Lm) -> Self {
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

/// The four customers that the simulated provider knows.
pub(crate) fn customers() -> [CoffeeShopInput; 4] {
    let customer = |request: &str, customer_mood, time_of_day| CoffeeShopInput {
        customer_request: request.to_owned(),
        customer_mood,
        time_of_day,
    };
    [
        customer(
            "Can I get a large iced latte with oat milk and an extra shot?",
            Mood::Happy,
            TimeOfDay::Morning,
        ),
        customer(
            "This coffee tastes terrible and I waited 20 minutes!",
            Mood::Upset,
            TimeOfDay::RushHour,
        ),
        customer("Do you sell hamburgers?", Mood::Neutral, TimeOfDay::Afternoon),
        customer("It's been a long day... got any coffee jokes?", Mood::Happy, TimeOfDay::Evening),
    ]
}

/// The first of them.
pub(crate) fn latte() -> CoffeeShopInput {
    let [latte, ..] = customers();
    latte
}

/// What the first customer gets.
pub(crate) fn iced_latte() -> Action {
    Action::MakeDrink {
        drink_type: "iced latte".to_owned(),
        size: Size::Large,
        customizations: vec!["oat milk".to_owned(), "extra shot".to_owned()],
    }
}

//! The coffee shop: its signature, its agent and its customers.

use super::program::{Program, Served};
use glassbox::{BoxFuture, ChainOfThought, Error, Field, Lm, Module, Prediction, Signature};
use std::sync::Arc;

/// Analyze customer request and take appropriate action.
#[derive(Signature)]
pub(crate) struct CoffeeShop {
    /// What the customer says.
    #[input]
    customer_request: String,
    /// How the customer feels.
    #[input]
    customer_mood: Mood,
    /// When the customer comes.
    #[input]
    time_of_day: TimeOfDay,
    /// What the shop does.
    #[output]
    action: Action,
    /// What the shop says.
    #[output]
    friendly_response: String,
}

#[derive(Field, Clone, Copy, Debug)]
pub(crate) enum Mood {
    Happy,
    Neutral,
    Upset,
}

#[derive(Field, Clone, Copy, Debug)]
pub(crate) enum TimeOfDay {
    Morning,
    Afternoon,
    Evening,
    RushHour,
}

#[derive(Field, Clone, Debug)]
pub(crate) enum Action {
    /// Make a drink.
    MakeDrink { drink_type: String, size: Size, customizations: Vec<String> },
    /// Give the money back.
    RefundOrder { order_id: String, reason: String, refund_amount: f64 },
    /// Call the manager.
    CallManager { issue: String, urgency: Urgency },
    /// Tell a joke.
    Joke { setup: String, punchline: String },
}

#[derive(Field, Clone, Copy, Debug)]
pub(crate) enum Size {
    Small,
    Medium,
    Large,
}

#[derive(Field, Clone, Copy, Debug)]
pub(crate) enum Urgency {
    Low,
    Medium,
    High,
}

impl Action {
    /// Says in a few words what the shop does.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::MakeDrink { drink_type, size, customizations } => {
                let with = if customizations.is_empty() {
                    String::new()
                } else {
                    format!(" with {}", customizations.join(", "))
                };
                format!("makes a {} {drink_type}{with}", format!("{size:?}").to_lowercase())
            }
            Self::RefundOrder { order_id, refund_amount, .. } => {
                format!("refunds ${refund_amount:.2} of {order_id}")
            }
            Self::CallManager { urgency, .. } => {
                format!("calls the manager, urgency {}", format!("{urgency:?}").to_lowercase())
            }
            Self::Joke { punchline, .. } => format!("tells a joke that ends in: {punchline}"),
        }
    }
}

/// Serves one customer.
#[derive(Debug)]
pub(crate) struct CoffeeShopAgent {
    barista: ChainOfThought<CoffeeShop>,
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

impl Program for CoffeeShopAgent {
    fn serve(&self, number: u64) -> BoxFuture<'_, Result<Served, Error>> {
        Box::pin(async move {
            let reply = self.call(customer(number)).await?;
            Ok(Served::new(&reply, reply.action.in_words(), reply.friendly_response.clone()))
        })
    }
}

const CUSTOMERS: [(&str, Mood, TimeOfDay); 4] = [
    (
        "Can I get a large iced latte with oat milk and an extra shot?",
        Mood::Happy,
        TimeOfDay::Morning,
    ),
    ("This coffee tastes terrible and I waited 20 minutes!", Mood::Upset, TimeOfDay::RushHour),
    ("Do you sell hamburgers?", Mood::Neutral, TimeOfDay::Afternoon),
    ("It's been a long day... got any coffee jokes?", Mood::Happy, TimeOfDay::Evening),
];

/// Returns what the n-th customer says, from 1. The first four are the known ones; after them they come again,
/// with a number, so that no two requests are the same.
fn customer(number: u64) -> CoffeeShopInput {
    let index = usize::try_from((number - 1) % 4).unwrap_or_default();
    let (request, customer_mood, time_of_day) = CUSTOMERS[index];
    let customer_request =
        if number <= 4 { request.to_owned() } else { format!("{request} (I am number {number}.)") };
    CoffeeShopInput { customer_request, customer_mood, time_of_day }
}

//! The scene `react`: a roastery's agent works out orders with tools, two at a time. Each customer misspells a bean, so
//! that the first look at the price list fails, and the agent goes on.

use super::program::{Program, Served};
use glassbox::{BoxFuture, Error, Lm, Module, ReAct, Signature, Toolbox, tool};
use glassbox_sim::{Entry, Script};
use serde_json::json;

pub(super) fn opening(customers: u64) -> String {
    format!(
        "ReAct: a roastery's agent works out {customers} orders with its tools, two at a time. Each customer misspells a \
         bean,\nso a tool fails, and the agent learns from it."
    )
}

/// Work out what the order costs, with the tools and never in your head. The customer may misspell the bean.
#[derive(Signature)]
pub(super) struct Order {
    /// What the customer writes.
    #[input]
    request: String,
    /// The bean, as the price list has it.
    #[output]
    bean: String,
    /// In dollars, with the shipping.
    #[output]
    total: f64,
    /// One sentence to the customer.
    #[output]
    answer: String,
}

/// The price list: beans with dollars a kilo and kilos in stock.
const BEANS: [(&str, f64, u32); 4] =
    [("Yirgacheffe", 24.5, 140), ("Sidamo", 22.0, 60), ("Huila", 19.0, 220), ("Antigua", 21.5, 85)];

fn bean(name: &str) -> Result<(&'static str, f64, u32), String> {
    BEANS.into_iter().find(|(known, ..)| *known == name).ok_or_else(|| {
        let names = BEANS.map(|(known, ..)| known).join(", ");
        format!("no bean {name:?} on the list: there are {names}")
    })
}

/// Tells what a kilo of a bean costs, in dollars.
#[tool]
fn price_of(bean: String) -> Result<f64, String> {
    Ok(self::bean(&bean)?.1)
}

/// Tells how many kilos of a bean are in stock.
#[tool]
fn stock_of(bean: String) -> Result<u32, String> {
    Ok(self::bean(&bean)?.2)
}

/// Tells what shipping costs, in dollars.
#[tool]
fn shipping_to(
    /// The country's English name.
    country: String,
    kilos: f64,
) -> f64 {
    let (fixed, a_kilo) = if country == "Norway" { (12.0, 1.5) } else { (9.0, 1.0) };
    fixed + a_kilo * kilos
}

/// Adds it up: kilos at the price of one, and the shipping.
#[tool]
fn add_up(kilos: f64, price: f64, shipping: f64) -> f64 {
    kilos * price + shipping
}

/// An order: what the customer writes, and what is in it.
struct Ordered {
    request: &'static str,
    misspelt: &'static str,
    bean: usize,
    kilos: f64,
    country: &'static str,
}

const ORDERS: [Ordered; 4] = [
    Ordered {
        request: "What are 12 kilos of Yirgachefe, sent to Norway?",
        misspelt: "Yirgachefe",
        bean: 0,
        kilos: 12.0,
        country: "Norway",
    },
    Ordered {
        request: "Please send 30 kg of Siddamo to Portugal. How much is it?",
        misspelt: "Siddamo",
        bean: 1,
        kilos: 30.0,
        country: "Portugal",
    },
    Ordered {
        request: "We need 80 kilos of Hulia in Norway. The price?",
        misspelt: "Hulia",
        bean: 2,
        kilos: 80.0,
        country: "Norway",
    },
    Ordered {
        request: "How much for 5 kilos of Antiqua, to Austria?",
        misspelt: "Antiqua",
        bean: 3,
        kilos: 5.0,
        country: "Austria",
    },
];

/// What the simulated model does.
pub(super) fn script() -> Script {
    ORDERS.iter().fold(Script::new(), |script, order| script.with(entry(order)))
}

fn entry(order: &Ordered) -> Entry {
    let Ordered { request, misspelt, kilos, country, .. } = order;
    let (bean, price, _) = BEANS[order.bean];
    let shipping = shipping_to::run((*country).to_owned(), *kilos);
    let sum = add_up::run(*kilos, price, shipping);
    let answer = format!(
        "{kilos} kilos of {bean}, sent to {country}, are ${sum:.2}, and we have them here."
    );
    Entry::when(*request)
        .call("price_of", json!({ "bean": misspelt }))
        .thought("Price and shipping do not need each other.")
        .and_call("shipping_to", json!({ "country": country, "kilos": kilos }))
        .call("price_of", json!({ "bean": bean }))
        .thought(format!("They mean {bean}."))
        .and_call("stock_of", json!({ "bean": bean }))
        .call("add_up", json!({ "kilos": kilos, "price": price, "shipping": shipping }))
        .thought("There is enough of it. Now the sum.")
        .call("finish", json!({ "bean": bean, "total": sum, "answer": answer }))
        .thought("That is all.")
}

/// Works out one order.
pub(super) struct Desk {
    agent: ReAct<Order>,
}

impl Desk {
    pub(super) fn new(lm: &Lm) -> Self {
        let tools = Toolbox::new().with(price_of).with(stock_of).with(shipping_to).with(add_up);
        Self { agent: ReAct::new(lm, tools).max_iterations(8) }
    }
}

impl Program for Desk {
    fn serve(&self, number: u64) -> BoxFuture<'_, Result<Served, Error>> {
        Box::pin(async move {
            let reply = self.agent.call(OrderInput { request: request(number) }).await?;
            let did = format!("gets {} for ${:.2}", reply.bean, reply.total);
            Ok(Served::new(&reply, did, reply.answer.clone()))
        })
    }
}

/// Returns what the n-th customer writes, from 1. After the first four they come again, with a number, so that no two
/// requests are the same.
fn request(number: u64) -> String {
    let index = usize::try_from((number - 1) % 4).unwrap_or_default();
    let request = ORDERS[index].request;
    if number <= 4 { request.to_owned() } else { format!("{request} (I am number {number}.)") }
}

//! Two ways to stop a program before it costs more: a subscriber that counts, and a budget that reserves.
//!
//! `cargo run -p glassbox-examples --example token_budget`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::watch::Budget;
use glassbox::{Bus, Error, Event, Module, Predict, Signature, Stop, Subscriber, join_all, scope};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tell a fact about the number.
#[derive(Signature)]
struct NumberFact {
    #[input]
    number: u64,
    #[output]
    fact: String,
}

/// Counts the tokens of all model calls, and stops the run in which the limit is passed.
struct TokenBudgetTracker {
    total_tokens: AtomicU64,
    budget_limit: u64,
}

impl Subscriber for TokenBudgetTracker {
    fn on_event(&self, event: &Event) -> Result<(), Stop> {
        let tokens = event
            .attribute("gen_ai.usage.total_tokens")
            .and_then(|tokens| tokens.as_u64())
            .unwrap_or(0);
        let total = self.total_tokens.fetch_add(tokens, Ordering::Relaxed) + tokens;
        if total > self.budget_limit {
            return Err(Stop::new(format!(
                "{total} tokens are more than the limit of {}",
                self.budget_limit
            )));
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _observing = glassbox::observe()?;
    let model = glassbox_examples::model()?;
    let facts = Predict::<NumberFact>::new(&model.lm);

    println!("A subscriber that counts stops the run once the limit is passed:");
    let tracker =
        Arc::new(TokenBudgetTracker { total_tokens: AtomicU64::new(0), budget_limit: 500 });
    let subscription =
        Bus::global().subscribe("llm.*", Arc::clone(&tracker) as Arc<dyn Subscriber>)?;
    let counted = scope().run(tell_facts(&facts)).await;
    drop(subscription);
    let stopped = counted.expect_err("twenty facts are more than 500 tokens");
    assert!(stopped.is_stopped());
    println!("  {stopped}\n  spent: {} tokens\n", tracker.total_tokens.load(Ordering::Relaxed));

    println!("A budget reserves before it spends, so that calls in flight cannot overshoot it:");
    let budget = Budget::tokens(10_000).named("ten thousand tokens");
    let calls = (1..=20).map(|number| facts.call(NumberFactInput { number }));
    let results = scope().gate(budget.clone()).run(join_all(calls)).await;
    let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let exceeded = refused
        .first()
        .and_then(|error| error.budget_exceeded())
        .expect("twenty calls need more than the budget");
    println!("  {} of 20 calls at once were refused; the first: {exceeded}", refused.len());
    println!(
        "  limit {}, spent {}, reserved {}, needed {}",
        exceeded.limit, exceeded.spent, exceeded.reserved, exceeded.needed
    );
    println!("  spent in the end: {} tokens", budget.spent().tokens);
    assert!(budget.spent().tokens <= 10_000);
    Ok(())
}

/// Tells twenty facts, one after another, until something stops it.
async fn tell_facts(facts: &Predict<NumberFact>) -> Result<(), Error> {
    for number in 1..=20 {
        let reply = facts.call(NumberFactInput { number }).await?;
        println!("  {number}: {} ({} tokens)", reply.fact, reply.usage().total());
    }
    Ok(())
}

//! A budget for each user, one for the whole team around it, and a deadline for each request.
//!
//! `cargo run -p glassbox-examples --example budget_per_user`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::watch::{Budget, Budgets, Key};
use glassbox::{Error, EventData, Module, Predict, Signature, scope};
use std::time::Duration;

/// Tell a fact about the number.
#[derive(Signature)]
struct NumberFact {
    #[input]
    number: u64,
    #[output]
    fact: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _observing = glassbox::observe()?;
    let model = glassbox_examples::model()?;
    let facts = Predict::<NumberFact>::new(&model.lm);

    // With `.kept_in(Arc::new(SqliteBudgetStore::open("budgets.db")?))` a restart would not reset the day.
    let per_user = Budgets::per([Key::User, Key::Day], Budget::calls(3).named("fair use"));
    let team = Budget::calls(7).named("team");
    let advice = Budget::tokens(600).named("advice").soft();
    let _told = glassbox::subscribe("budget.*", |event| match &event.data {
        EventData::BudgetThreshold(passed) => println!(
            "    {}: {} percent of {}",
            passed.budget,
            passed.percent,
            passed.unit.amount(passed.limit)
        ),
        EventData::BudgetExceeded(exceeded) => println!("    {exceeded}"),
        _ => {}
    })?;

    for user in ["ada", "eve", "kim"] {
        println!("{user}:");
        for number in 1..=4 {
            let request = scope()
                .user(user)
                .gate(per_user.clone())
                .gate(team.clone())
                .gate(advice.clone())
                .gate(Budget::wall_time(Duration::from_secs(30)).named("patience"));
            match request.run(facts.call(NumberFactInput { number })).await {
                Ok(reply) => println!("  {number}: {} tokens", reply.usage().total()),
                Err(error) if error.is_budget() => println!("  {number}: refused"),
                Err(error) => return Err(error),
            }
        }
    }
    println!("the team made {} calls and spent {} tokens", team.spent().calls, team.spent().tokens);
    assert_eq!(team.spent().calls, 7);
    Ok(())
}

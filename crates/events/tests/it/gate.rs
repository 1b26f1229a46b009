//! Gates let begin or refuse; a budget's sums always add up.

use glassbox_events::bus::Bus;
use glassbox_events::context::Context;
use glassbox_events::event::{Event, EventData};
use glassbox_events::gate::{Action, Gate, Permit, Request, Reservation, Spent};
use glassbox_events::refusal::{Refusal, Unit};
use glassbox_events::scope::Scope;
use glassbox_events::watch::Budget;
use glassbox_trace::cost::{Cost, CostDetails};
use glassbox_trace::usage::Usage;
use proptest::prelude::*;
use rust_decimal::Decimal;
use rust_decimal_macros::dec;
use std::sync::{Arc, Mutex};

fn attempt(input_tokens: u64, output_tokens: u64, cost: Option<Decimal>) -> Action {
    Action::LlmAttempt { model: "openai/m".into(), input_tokens, output_tokens, cost }
}

fn known(tokens: u64, usd: Decimal) -> Spent {
    let usage = Usage { input: Some(tokens), output: Some(0), ..Usage::default() };
    Spent::Known { usage, cost: Cost::known(CostDetails { input: usd, ..CostDetails::default() }) }
}

/// A context with gates, inside a span: that is where gates are asked.
fn within(scope: &Scope) -> Context {
    scope.context().child(&"chat m".into())
}

#[test]
fn a_budget_reserves_before_and_settles_after() {
    let budget = Budget::tokens(100);
    let context = within(&Scope::new().gate(budget.clone()));
    let permit = context.ask(&attempt(30, 40, None), &[]).unwrap();
    assert_eq!((budget.spent().tokens, budget.reserved().tokens), (0, 70));

    let Err(Refusal::Budget(exceeded)) = context.ask(&attempt(30, 40, None), &[]) else {
        panic!("it does not fit")
    };
    let amounts =
        (exceeded.unit, exceeded.limit, exceeded.spent, exceeded.reserved, exceeded.needed);
    assert_eq!(amounts, (Unit::Tokens, dec!(100), dec!(0), dec!(70), dec!(70)));

    permit.settle(known(25, dec!(0)));
    assert_eq!((budget.spent().tokens, budget.reserved().tokens), (25, 0));
    assert!(context.ask(&attempt(30, 40, None), &[]).is_ok());
}

#[test]
fn what_is_cut_off_counts_as_spent_in_full() {
    let budget = Budget::tokens(100).and_calls(5);
    let context = within(&Scope::new().gate(budget.clone()));
    drop(context.ask(&attempt(10, 20, None), &[]).unwrap());
    assert_eq!((budget.spent().tokens, budget.spent().calls), (30, 1));
}

#[test]
fn a_refusal_gives_back_what_other_gates_had_reserved() {
    let (roomy, tight) = (Budget::tokens(100), Budget::calls(0).named("none"));
    let context = within(&Scope::new().gate(roomy.clone()).gate(tight));
    assert!(context.ask(&attempt(10, 20, None), &[]).is_err());
    assert_eq!((roomy.spent().tokens, roomy.reserved().tokens), (0, 0));
}

#[test]
fn a_money_budget_refuses_what_has_no_price() {
    let context = within(&Scope::new().gate(Budget::usd(dec!(1))));
    let refusal = context.ask(&attempt(1, 1, None), &[]).unwrap_err();
    assert!(matches!(refusal, Refusal::UnknownPrice { .. }));
    assert!(refusal.to_string().contains("GLASSBOX_PRICES"));
    assert!(context.ask(&attempt(1, 1, Some(dec!(0.5))), &[]).is_ok());
}

#[test]
fn thresholds_are_told_once_each() {
    let bus = Bus::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let _subscription = bus
        .on("budget.threshold", move |event: &Event| {
            if let EventData::BudgetThreshold(threshold) = &event.data {
                hears.lock().unwrap().push(threshold.percent);
            }
        })
        .unwrap();
    let context = within(&Scope::new().bus(&bus).gate(Budget::tokens(100)));
    for tokens in [49, 1, 35, 15] {
        context.ask(&attempt(tokens, 0, None), &[]).unwrap().settle(known(tokens, dec!(0)));
    }
    assert_eq!(*told.lock().unwrap(), [50, 80, 100]);
}

/// A gate of a user's own.
#[derive(Debug)]
struct ClosedOnSundays;

impl Gate for ClosedOnSundays {
    fn ask(&self, _: &Request<'_>) -> Result<Option<Box<dyn Reservation>>, Refusal> {
        Err(Refusal::Other("closed on Sundays".into()))
    }
}

#[test]
fn a_user_can_write_a_gate() {
    let context = within(&Scope::new());
    let refusal = context.ask(&attempt(1, 1, None), &[Arc::new(ClosedOnSundays)]).unwrap_err();
    assert_eq!(refusal.to_string(), "closed on Sundays");
}

proptest! {
    /// Whatever is asked, settled or dropped in whatever order: spent and reserved never pass the limit.
    #[test]
    fn spent_and_reserved_never_pass_the_limit(
        limit in 0_u64..2_000,
        steps in prop::collection::vec((1_u64..200, 0_u64..200, 0_u8..4), 1..100),
    ) {
        let budget = Budget::tokens(limit);
        let context = within(&Scope::new().gate(budget.clone()));
        let mut open: Vec<(Permit, u64)> = Vec::new();
        for (bound, actual, what) in steps {
            match what {
                0 | 1 => open.extend(context.ask(&attempt(bound, 0, None), &[]).ok().map(|permit| (permit, bound))),
                2 => if let Some((permit, bound)) = open.pop() { permit.settle(known(actual.min(bound), dec!(0))) },
                _ => drop(open.pop()),
            }
            prop_assert!(budget.spent().tokens + budget.reserved().tokens <= limit);
        }
        drop(open);
        prop_assert_eq!(budget.reserved().tokens, 0);
        prop_assert!(budget.spent().tokens <= limit);
    }
}

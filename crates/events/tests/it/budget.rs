//! Budgets of every kind: what they count, whom they hold for, and what they tell.

use glassbox_events::bus::{Bus, Subscription};
use glassbox_events::context::Context;
use glassbox_events::event::{Event, EventData};
use glassbox_events::gate::{Action, Permit, Spent};
use glassbox_events::refusal::{BudgetExceeded, Refusal, Unit};
use glassbox_events::scope::Scope;
use glassbox_events::watch::budget::{
    Balance, BudgetStore, Limits, Reserve, Settled, Spending, StoreError, Ticket,
};
use glassbox_events::watch::{Budget, Budgets, Key};
use glassbox_trace::cost::{Cost, CostDetails};
use glassbox_trace::usage::Usage;
use proptest::prelude::*;
use rust_decimal::Decimal;
use rust_decimal_macros::dec;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn attempt(tokens: u64) -> Action {
    let cost = Some(Decimal::new(i64::try_from(tokens).unwrap(), 6));
    Action::LlmAttempt { model: "openai/m".into(), input_tokens: tokens, output_tokens: 0, cost }
}

fn used(tokens: u64) -> Spent {
    let usage = Usage { input: Some(tokens), output: Some(0), ..Usage::default() };
    let input = Decimal::new(i64::try_from(tokens).unwrap(), 6);
    Spent::Known { usage, cost: Cost::known(CostDetails { input, ..CostDetails::default() }) }
}

fn tool() -> Action {
    Action::ToolCall { tool: "search".into() }
}

/// A context inside a span: that is where gates are asked.
fn within(scope: &Scope) -> Context {
    scope.context().child(&"Program.forward".into()).child(&"chat m".into())
}

fn ask(scope: &Scope, action: &Action) -> Result<Permit, Refusal> {
    within(scope).ask(action, &[])
}

/// All events of a bus that match a pattern, as they come.
fn heard(bus: &Bus, pattern: &str) -> (Subscription, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    (bus.on(pattern, move |event| log.lock().unwrap().push(event.clone())).unwrap(), events)
}

fn exceeded(event: &Event) -> &BudgetExceeded {
    match &event.data {
        EventData::BudgetExceeded(exceeded) => exceeded,
        data => panic!("{data:?}"),
    }
}

#[test]
fn tool_calls_and_code_runs_are_limited() {
    let budget = Budget::tool_calls(2).and_code_runs(1).named("tools");
    let scope = Scope::new().gate(budget.clone());
    // A call that is cut off has been made; one that never began has not.
    drop(ask(&scope, &tool()).unwrap());
    ask(&scope, &tool()).unwrap().settle(Spent::Nothing);
    ask(&scope, &tool()).unwrap().settle(Spent::Known { usage: Usage::ZERO, cost: Cost::ZERO });
    drop(ask(&scope, &Action::CodeRun).unwrap());
    assert_eq!(budget.spent(), Spending { tool_calls: 2, code_runs: 1, ..Spending::default() });

    let refused = ask(&scope, &tool()).unwrap_err().to_string();
    let expected = "budget \"tools\" of 2 tool calls is exceeded: 2 tool calls spent, 0 tool calls reserved by calls in flight, \
                    and this call may need 1 tool calls: raise the limit";
    assert_eq!(refused, expected);
    assert!(ask(&scope, &Action::CodeRun).is_err());
    // A model may still be asked.
    assert!(ask(&scope, &attempt(10)).is_ok());
}

#[test]
fn a_call_must_fit_into_every_budget_around_it() {
    let (month, run) = (Budget::tokens(100).named("month"), Budget::tokens(60).named("run"));
    let outer = Scope::new().gate(month.clone()).context().clone();
    let first = outer.enter(|| Scope::new().gate(run.clone()));
    ask(&first, &attempt(50)).unwrap().settle(used(50));
    assert!(
        matches!(ask(&first, &attempt(20)), Err(Refusal::Budget(why)) if &*why.budget == "run")
    );
    // What the inner one refused is not reserved in the outer one.
    assert_eq!(month.balance(), Balance { spent: run.spent(), reserved: Spending::default() });
    let second = outer.enter(|| Scope::new().gate(Budget::tokens(60).named("run")));
    assert!(
        matches!(ask(&second, &attempt(55)), Err(Refusal::Budget(why)) if &*why.budget == "month")
    );
    assert!(ask(&second, &attempt(50)).is_ok());
}

#[test]
fn a_soft_budget_tells_and_refuses_nothing() {
    let bus = Bus::new();
    let (_subscription, events) = heard(&bus, "budget.*");
    let scope = Scope::new().bus(&bus).gate(Budget::tokens(100).soft().named("advice"));
    for _ in 0..4 {
        // Far more than it allows is asked for: only what is spent counts.
        ask(&scope, &attempt(5_000)).unwrap().settle(used(40));
    }
    let events = events.lock().unwrap();
    let names: Vec<_> = events.iter().map(|event| event.name().as_str()).collect();
    // 40, 80, 120, 160 of 100.
    let thresholds = ["budget.threshold"; 3];
    assert_eq!(names, [&thresholds[..], &["budget.exceeded"]].concat());
    let told = exceeded(&events[3]);
    assert_eq!((told.refused, told.unit, told.spent), (false, Unit::Tokens, dec!(120)));
    assert_eq!(told.to_string(), "budget \"advice\" of 100 tokens is exceeded: 120 tokens spent");
}

#[test]
fn a_soft_money_budget_lets_a_model_without_a_price_pass() {
    let action = Action::LlmAttempt {
        model: "acme/m".into(),
        input_tokens: 1,
        output_tokens: 1,
        cost: None,
    };
    assert!(ask(&Scope::new().gate(Budget::usd(dec!(1)).soft()), &action).is_ok());
}

#[test]
fn users_days_and_tenants_have_budgets_of_their_own() {
    let per_user = Budgets::per(Key::User, Budget::tokens(100).named("fair use"));
    let per_tenant = Budgets::per(Key::metadata("tenant"), Budget::tokens(150).named("contract"));
    let scope = |user: &str| {
        Scope::new()
            .user(user.to_owned())
            .metadata("tenant", "acme")
            .gate(per_user.clone())
            .gate(per_tenant.clone())
    };
    ask(&scope("ada"), &attempt(90)).unwrap().settle(used(90));
    let refused = ask(&scope("ada"), &attempt(20)).unwrap_err();
    assert!(matches!(&refused, Refusal::Budget(why) if &*why.budget == "fair use user=ada"));
    // Another user of the same tenant has room of her own, but not in the tenant's budget.
    ask(&scope("eve"), &attempt(50)).unwrap().settle(used(50));
    let refused = ask(&scope("eve"), &attempt(20)).unwrap_err();
    assert!(matches!(&refused, Refusal::Budget(why) if &*why.budget == "contract tenant=acme"));
    assert_eq!(per_user.of("user=ada").spent.tokens, 90);
    assert_eq!(per_user.len(), 2);
    // Nobody is somebody too.
    let nobody = Scope::new().gate(per_user.clone());
    ask(&nobody, &attempt(100)).unwrap().settle(used(100));
    assert!(ask(&nobody, &attempt(1)).is_err());
    assert!(ask(&Scope::new().user("none").gate(per_user.clone()), &attempt(1)).is_ok());
}

#[test]
fn each_run_and_each_day_has_its_own() {
    let per_run = Budgets::per(Key::Run, Budget::calls(1));
    for _ in 0..3 {
        let scope = Scope::new().gate(per_run.clone());
        assert!(ask(&scope, &attempt(1)).is_ok());
        assert!(ask(&scope, &attempt(1)).is_err());
    }
    let per_day = Budgets::per([Key::User, Key::Day], Budget::calls(1).named("daily"));
    drop(ask(&Scope::new().user("ada").gate(per_day.clone()), &attempt(1)).unwrap());
    let today = glassbox_events::clock::now().to_string();
    let key = format!("user=ada day={}", &today[..10]);
    assert_eq!(per_day.of(&key).spent.calls, 1);
}

#[test]
fn a_family_is_bounded_and_forgets_only_what_is_over() {
    // Runs that have ended make room.
    let per_run = Budgets::per(Key::Run, Budget::calls(1)).at_most(2);
    for known in [1, 2, 1] {
        assert!(ask(&Scope::new().gate(per_run.clone()), &attempt(1)).is_ok());
        assert_eq!(per_run.len(), known);
    }

    // Users of today do not, however little they have spent.
    let per_user = Budgets::per(Key::User, Budget::calls(1)).at_most(2);
    let asks =
        |user: &str| ask(&Scope::new().user(user.to_owned()).gate(per_user.clone()), &tool());
    assert!(asks("a").is_ok() && asks("b").is_ok() && asks("a").is_ok());
    let refused = asks("c").unwrap_err().to_string();
    assert_eq!(
        refused,
        "the budgets \"budget\" hold 2 keys already and have no room for \"user=c\": raise `at_most`, or keep them in a store"
    );
}

#[tokio::test]
async fn wall_time_stops_the_run_while_it_only_waits() {
    let bus = Bus::new();
    let (_subscription, events) = heard(&bus, "*");
    let limit = Duration::from_millis(50);
    let scope = Scope::new().bus(&bus).gate(Budget::wall_time(limit).named("patience"));
    let context = within(&scope);
    let permit = context.ask(&attempt(70), &[]).unwrap();
    let run = context.run().unwrap();
    // Nobody asks for anything any more: the clock stops it.
    let stop = run.until_stopped().await;
    assert_eq!(stop.reason(), "budget \"patience\" of 0.05 s is exceeded: 0.05 s spent");
    assert!(run.elapsed() >= limit);
    assert!(matches!(context.ask(&attempt(1), &[]), Err(Refusal::Stopped(_))));

    // The stop tells what is under way; when that is cut off, it counts.
    while events.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    drop(permit);
    let events = events.lock().unwrap();
    assert_eq!(exceeded(&events[0]).unit, Unit::WallTime);
    let EventData::RunStopped(stopped) = &events[1].data else { panic!("{:?}", events[1]) };
    assert_eq!((stopped.spent.tokens, stopped.in_flight.tokens), (0, 70));
    assert_eq!(events[1].span.path(), "Program.forward");
    assert_eq!(
        run.spent(),
        Spending { tokens: 70, usd: dec!(0.00007), calls: 1, ..Spending::default() }
    );
    assert_eq!(run.in_flight(), Spending::default());
}

#[tokio::test]
async fn a_run_that_asks_too_late_is_refused_and_a_soft_one_is_told_of() {
    let bus = Bus::new();
    let (_subscription, events) = heard(&bus, "budget.exceeded");
    let hard = Scope::new().bus(&bus).gate(Budget::wall_time(Duration::ZERO));
    assert!(matches!(ask(&hard, &tool()), Err(Refusal::Stopped(_))));
    let soft = Scope::new().bus(&bus).gate(Budget::wall_time(Duration::from_millis(5)).soft());
    assert!(ask(&soft, &tool()).is_ok());
    while events.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(ask(&soft, &tool()).is_ok());
    assert!(!exceeded(&events.lock().unwrap()[1]).refused);
}

/// A store that fails.
#[derive(Debug)]
struct Broken;

impl BudgetStore for Broken {
    fn reserve(&self, _: &str, _: &Limits, _: Spending) -> Result<Reserve, StoreError> {
        Err(StoreError("disk is full".to_owned()))
    }

    fn settle(&self, _: &str, _: Ticket, _: Spending) -> Result<Settled, StoreError> {
        Err(StoreError("disk is full".to_owned()))
    }

    fn balance(&self, _: &str) -> Result<Balance, StoreError> {
        Err(StoreError("disk is full".to_owned()))
    }
}

#[test]
fn a_hard_budget_whose_store_fails_refuses() {
    let budget = Budget::calls(1).named("team").kept_in(Arc::new(Broken));
    let refused = ask(&Scope::new().gate(budget.clone()), &attempt(1)).unwrap_err().to_string();
    assert_eq!(refused, "the store of budget \"team\" cannot be used: disk is full");
    assert!(ask(&Scope::new().gate(budget.clone().soft()), &attempt(1)).is_ok());
    assert_eq!(budget.balance(), Balance::default());
}

proptest! {
    /// Whatever is asked of whom, settled or dropped in whatever order: no budget of a family is passed, nor the one
    /// around it, and all units add up.
    #[test]
    fn nested_families_never_pass_their_limits(
        (whole, each, tools) in (0_u64..3_000, 0_u64..1_000, 0_u64..20),
        steps in prop::collection::vec((0_usize..4, 1_u64..200, 0_u64..200, 0_u8..5), 1..150),
    ) {
        let team = Budget::tokens(whole).and_usd(Decimal::new(i64::try_from(whole).unwrap(), 6)).named("team");
        let per_user = Budgets::per(Key::User, Budget::tokens(each).and_tool_calls(tools));
        let users = ["a", "b", "c", "d"];
        let scopes = users.map(|user| Scope::new().user(user).gate(team.clone()).gate(per_user.clone()));
        let mut open: Vec<(Permit, u64)> = Vec::new();
        for (user, bound, actual, what) in steps {
            match what {
                0 | 1 => open.extend(ask(&scopes[user], &attempt(bound)).ok().map(|permit| (permit, bound))),
                2 => open.extend(ask(&scopes[user], &tool()).ok().map(|permit| (permit, 0))),
                3 => if let Some((permit, bound)) = open.pop() { permit.settle(used(actual.min(bound))) },
                _ => drop(open.pop()),
            }
            let balances = users.map(|user| per_user.of(&format!("user={user}")));
            for balance in balances {
                prop_assert!(balance.spent.tokens + balance.reserved.tokens <= each);
                prop_assert!(balance.spent.tool_calls + balance.reserved.tool_calls <= tools);
            }
            let held = team.balance();
            prop_assert!(held.spent.tokens + held.reserved.tokens <= whole);
            // The parts are the whole.
            let parts = balances.into_iter().fold(Balance::default(), |sum, balance| Balance {
                spent: sum.spent.plus(balance.spent),
                reserved: sum.reserved.plus(balance.reserved),
            });
            prop_assert_eq!(parts, held);
        }
        drop(open);
        prop_assert_eq!(team.reserved(), Spending::default());
        let spent = scopes.iter().map(|scope| scope.context().run().unwrap().spent());
        prop_assert_eq!(spent.fold(Spending::default(), Spending::plus), team.spent());
    }
}

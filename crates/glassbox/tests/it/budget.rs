//! Budgets hold whatever runs at the same time and whatever goes wrong; a stop stops.

use crate::coffee_shop::{CoffeeShopAgent, customers, latte};
use crate::provider::{Wire, failing, fast_retries, sim};
use crate::stage::{Stage, generation};
use glassbox::trace::span::Status;
use glassbox::watch::Budget;
use glassbox::watch::budget::Spending;
use glassbox::{
    Cost, Error, ErrorKind, Event, EventData, EventName, Lm, Message, Module, Refusal, Request,
    RetryPolicy, Stop, Subscription, Unit, Usage,
};
use glassbox_sim::{Fault, FaultPlan, Latency, Sim};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use rust_decimal_macros::dec;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Calls that share a budget, and a provider that may fail them.
#[derive(Clone, Debug)]
struct Load {
    wire: Wire,
    stream: bool,
    calls: usize,
    at_once: usize,
    max_tokens: u64,
    /// Limits of tokens, of thousandths of a cent, and of calls.
    limits: (Option<u64>, Option<i64>, Option<u64>),
    /// The share of attempts with each of these faults.
    faults: [f64; 4],
    seed: u64,
}

fn loads() -> impl Strategy<Value = Load> {
    let limits = (
        prop::option::of(500_u64..20_000),
        prop::option::of(5_i64..500),
        prop::option::of(1_u64..80),
    );
    let faults = prop_oneof![2 => Just([0.0; 4]), 3 => prop::array::uniform4(0.0..0.15)];
    let way = (prop::sample::select(Wire::ALL.to_vec()), any::<bool>());
    let numbers =
        (1_usize..=64, prop_oneof![Just(64_usize), 1_usize..16], 20_u64..400, any::<u64>());
    (way, numbers, limits, faults).prop_map(
        |((wire, stream), (calls, at_once, max_tokens, seed), limits, faults)| Load {
            wire,
            stream,
            calls,
            at_once,
            max_tokens,
            limits,
            faults,
            seed,
        },
    )
}

impl Load {
    fn sim(&self) -> Sim {
        let latency = Latency {
            first_token: Duration::from_millis(2),
            first_token_sigma: 0.8,
            ..Latency::none()
        };
        let [broken, reset, truncated, silent] = self.faults;
        let faults = FaultPlan::none()
            .rate(broken, Fault::ServerError(500))
            .rate(reset, Fault::Reset)
            .rate(truncated, Fault::Truncated)
            .rate(silent, Fault::NoUsage);
        Sim::builder().seed(self.seed).latency(latency).faults(faults).start().unwrap()
    }

    fn budget(&self) -> Budget {
        let (tokens, usd, calls) = self.limits;
        // A limit that nothing reaches, so that there is one to begin with.
        let mut budget = Budget::calls(calls.unwrap_or(1_000_000));
        budget = tokens.into_iter().fold(budget, Budget::and_tokens);
        usd.into_iter().fold(budget, |budget, usd| budget.and_usd(Decimal::new(usd, 5)))
    }

    fn limit(&self, unit: Unit) -> Option<Decimal> {
        let (tokens, usd, calls) = self.limits;
        match unit {
            Unit::Tokens => tokens.map(Decimal::from),
            Unit::Usd => usd.map(|usd| Decimal::new(usd, 5)),
            Unit::Calls => Some(calls.unwrap_or(1_000_000).into()),
            _ => None,
        }
    }

    /// Tells what is wrong with a budget's amounts, if anything is. What is spent is read first: between the two
    /// readings a reservation may become something spent, but never the other way round.
    fn excess(&self, budget: &Budget) -> Option<String> {
        let spent = budget.spent();
        let reserved = budget.reserved();
        let sums = [
            (Unit::Tokens, Decimal::from(spent.tokens), Decimal::from(reserved.tokens)),
            (Unit::Usd, spent.usd, reserved.usd),
            (Unit::Calls, spent.calls.into(), reserved.calls.into()),
        ];
        let exceeds = |unit, sum: Decimal| self.limit(unit).is_some_and(|limit| sum > limit);
        let excess =
            sums.into_iter().find(|(unit, spent, reserved)| exceeds(*unit, *spent + *reserved));
        excess.map(|(unit, spent, reserved)| {
            format!("{spent} spent and {reserved} reserved of {:?} {unit:?}", self.limit(unit))
        })
    }
}

fn check(runtime: &Runtime, load: &Load) {
    let (sim, stage, budget) = (load.sim(), Stage::new(), load.budget());
    let lm = load
        .wire
        .lm(&sim)
        .stream(load.stream)
        .max_tokens(load.max_tokens)
        .timeout(Duration::from_secs(10));
    let lm = lm.retry(RetryPolicy { attempts: 3, ..fast_retries() }).build().unwrap();

    // Whatever happens, somebody looks at the budget while it happens.
    let (watched, found) = ((load.clone(), budget.clone()), Arc::new(Mutex::new(None)));
    let excess = Arc::clone(&found);
    let _watching = stage.bus.on("*", move |_| {
        let (load, budget) = &watched;
        if let Some(seen) = load.excess(budget) {
            excess.lock().unwrap().get_or_insert(seen);
        }
    });
    let call = |number| {
        let (lm, question) = (
            lm.clone(),
            format!("Question {number}: what should I drink at this time of the day?"),
        );
        async move {
            glassbox::spawn(
                async move { lm.generate(Request::new([Message::user(question)])).await },
            )
            .await
            .unwrap()
        }
    };
    let calls = glassbox::parallel(load.at_once, (0..load.calls).map(call));
    let results = runtime.block_on(stage.scope().gate(budget.clone()).run(calls));
    assert_eq!(*found.lock().unwrap(), None);

    // In the end nothing is reserved, and what was spent is what the provider was asked.
    let spent = budget.spent();
    assert_eq!(budget.reserved(), Spending::default());
    assert_eq!(load.excess(&budget), None);
    assert_eq!(spent.calls, sim.counters().calls);
    let generations = stage.generations();
    let known: Usage = generations.iter().map(|span| generation(span).usage).sum();
    let cost: Cost = generations.iter().map(|span| generation(span).cost).sum();
    assert!(known.total() <= spent.tokens, "{} <= {}", known.total(), spent.tokens);
    // Nor did the provider count more than the budget did, whatever it told of it.
    let answered: u64 = sim
        .requests()
        .iter()
        .filter_map(|request| request.tokens)
        .map(|(input, output)| input + output)
        .sum();
    assert!(answered <= spent.tokens, "{answered} <= {}", spent.tokens);
    if load.faults == [0.0; 4] {
        assert_eq!((known.total(), cost.total().unwrap_or_default()), (spent.tokens, spent.usd));
    }

    for error in
        results.iter().filter_map(|result| result.as_ref().err()).filter(|error| error.is_budget())
    {
        check_refusal(load, error);
    }
    check_refused_spans(&stage);
    check_thresholds(load, &stage, &budget);
}

/// A refusal says why in numbers that are true.
fn check_refusal(load: &Load, error: &Error) {
    assert_eq!(
        (error.kind(), error.error_type().as_str()),
        (ErrorKind::Refused, "budget_exceeded")
    );
    assert!(!error.is_retryable());
    let exceeded = error.budget_exceeded().unwrap();
    assert_eq!(Some(exceeded.limit), load.limit(exceeded.unit));
    assert!(exceeded.spent + exceeded.reserved <= exceeded.limit);
    assert!(exceeded.spent + exceeded.reserved + exceeded.needed > exceeded.limit);
    assert!(
        error.to_string().contains("raise the limit, lower `max_tokens`, or shorten the prompt"),
        "{error}"
    );
}

/// A call that was refused at once stands in the trace, and cost nothing.
fn check_refused_spans(stage: &Stage) {
    for span in stage.generations() {
        let call = generation(&span);
        if call.attempts == 0 {
            let Status::Error(error) = &span.status else {
                panic!("{} did nothing and is fine", span.name)
            };
            assert_eq!(
                (&*error.kind, call.usage, call.cost),
                ("budget_exceeded", Usage::ZERO, Cost::ZERO)
            );
        }
    }
}

/// Each threshold that was passed is told once, and no other.
fn check_thresholds(load: &Load, stage: &Stage, budget: &Budget) {
    let spent = budget.spent();
    let spent = [
        (Unit::Tokens, Decimal::from(spent.tokens)),
        (Unit::Usd, spent.usd),
        (Unit::Calls, spent.calls.into()),
    ];
    let mut expected = Vec::new();
    for (unit, spent) in spent {
        let Some(limit) = load.limit(unit) else { continue };
        let passed = [50_u8, 80, 100]
            .into_iter()
            .filter(|percent| spent >= limit * Decimal::from(*percent) / dec!(100));
        expected.extend(passed.map(|percent| (unit as u8, percent)));
    }
    let mut told: Vec<_> = thresholds(&stage.events())
        .into_iter()
        .map(|(unit, percent)| (unit as u8, percent))
        .collect();
    told.sort_unstable();
    assert_eq!(told, expected);
}

fn thresholds(events: &[Event]) -> Vec<(Unit, u8)> {
    let told = events.iter().filter_map(|event| match &event.data {
        EventData::BudgetThreshold(threshold) => Some((threshold.unit, threshold.percent)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_budget_is_never_exceeded() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig {
        cases: 48,
        max_shrink_iters: 16,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&loads(), |load| {
            check(&runtime, &load);
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn thresholds_are_told_once_and_a_refusal_too() {
    let (sim, stage) = (sim(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let budget = Budget::calls(4).named("support desk");
    let agent = CoffeeShopAgent::new(&lm);
    let calls = async {
        for customer in customers() {
            agent.call(customer).await.unwrap();
        }
        agent.call(latte()).await.unwrap_err()
    };
    let error = stage.scope().gate(budget.clone()).run(calls).await;
    assert_eq!(
        error.to_string(),
        "openai/gpt-4o-mini: budget \"support desk\" of 4 calls is exceeded: 4 calls spent, 0 calls reserved by calls in flight, \
         and this call may need 1 calls: raise the limit, lower `max_tokens`, or shorten the prompt"
    );
    let events = stage.events();
    assert_eq!(thresholds(&events), [(Unit::Calls, 50), (Unit::Calls, 80), (Unit::Calls, 100)]);
    assert_eq!(stage.count(EventName::BudgetExceeded), 1);
    let exceeded = events.iter().find(|event| event.name() == EventName::BudgetExceeded).unwrap();
    assert_eq!(
        exceeded.span.path(),
        "CoffeeShopAgent.forward > ChainOfThought(CoffeeShop) > chat gpt-4o-mini"
    );
    assert_eq!(sim.counters().calls, 4);
}

#[tokio::test]
async fn retries_and_second_questions_are_paid_from_the_budget() {
    let sim = failing(
        FaultPlan::none().on_request(1, Fault::ServerError(500)).on_request(2, Fault::Prose),
    );
    let (stage, budget) = (Stage::new(), Budget::calls(2));
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let error = stage
        .scope()
        .gate(budget.clone())
        .run(CoffeeShopAgent::new(&lm).call(latte()))
        .await
        .unwrap_err();
    assert!(error.is_budget(), "{error}");
    assert_eq!((budget.spent().calls, sim.counters().calls), (2, 2));
    // The answer that could not be read was paid for all the same.
    assert!(error.usage().total() > 0 && error.cost().total().unwrap() > dec!(0));
    assert_eq!(error.usage().total(), budget.spent().tokens);
}

#[tokio::test]
async fn a_gate_of_the_model_holds_for_every_program() {
    let sim = sim();
    let lm = Wire::OpenAi.lm(&sim).gate(Budget::calls(1)).build().unwrap();
    let agent = CoffeeShopAgent::new(&lm);
    assert!(Stage::new().scope().run(agent.call(latte())).await.is_ok());
    assert!(Stage::new().scope().run(agent.call(latte())).await.unwrap_err().is_budget());
}

#[tokio::test]
async fn money_cannot_bound_what_has_no_price() {
    let (sim, stage) = (sim(), Stage::new());
    let lm = Lm::builder("openai/a-model-without-a-price")
        .api_key("k")
        .base_url(sim.openai_url())
        .build()
        .unwrap();
    let call = CoffeeShopAgent::new(&lm);
    let error = stage
        .scope()
        .gate(Budget::usd(dec!(5)).named("month"))
        .run(call.call(latte()))
        .await
        .unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::UnknownPrice { .. })), "{error:?}");
    assert_eq!(error.error_type(), "refused");
    let expected = "no price is known for model \"openai/a-model-without-a-price\", so the money budget \"month\" cannot bound the \
                    call: add the model to a file and set GLASSBOX_PRICES to its path, or use a budget of tokens or calls";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert_eq!(sim.counters().calls, 0);
}

/// Counts the tokens of all model calls and stops the run that goes over the limit: the first thing that people write.
struct TokenBudgetTracker {
    total_tokens: AtomicU64,
    limit: u64,
}

impl TokenBudgetTracker {
    fn subscribe(stage: &Stage, limit: u64) -> (Arc<Self>, Subscription) {
        let tracker = Arc::new(Self { total_tokens: AtomicU64::new(0), limit });
        let subscription = stage.bus.subscribe("llm.*", Arc::clone(&tracker) as _).unwrap();
        (tracker, subscription)
    }
}

impl glassbox::Subscriber for TokenBudgetTracker {
    fn on_event(&self, event: &Event) -> Result<(), Stop> {
        let tokens = event
            .attribute("gen_ai.usage.total_tokens")
            .and_then(|tokens| tokens.as_u64())
            .unwrap_or(0);
        let total = self.total_tokens.fetch_add(tokens, Ordering::Relaxed) + tokens;
        if total > self.limit {
            Err(Stop::new(format!("{total} of {} tokens are used", self.limit)))
        } else {
            Ok(())
        }
    }
}

#[tokio::test]
async fn a_subscriber_that_says_stop_stops_its_run_and_no_other() {
    let (sim, stage) = (sim(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let agent = CoffeeShopAgent::new(&lm);
    let (tracker, subscription) = TokenBudgetTracker::subscribe(&stage, 1000);
    let run = async {
        let mut results = Vec::new();
        for customer in customers() {
            results.push(agent.call(customer).await);
        }
        results
    };
    let results = stage.scope().run(run).await;

    // About 650 tokens a customer: the second call goes over the limit, and is paid for; the third never begins.
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, false]);
    let used: u64 = results.iter().flatten().map(|reply| reply.usage().total()).sum();
    assert_eq!((tracker.total_tokens.load(Ordering::Relaxed), sim.counters().calls), (used, 2));
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(error.is_stopped() && !error.is_budget() && !error.is_retryable());
        assert_eq!((error.kind(), error.error_type().as_str()), (ErrorKind::Refused, "stopped"));
        let expected =
            format!("openai/gpt-4o-mini: the run was stopped: {used} of 1000 tokens are used");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(stage.count(EventName::RunStopped), 1);

    // Another run is another matter.
    drop(subscription);
    assert!(stage.scope().run(agent.call(latte())).await.is_ok());
}

#[tokio::test]
async fn a_stop_reaches_calls_that_wait_for_their_next_attempt() {
    let sim = failing(FaultPlan::none().always(Fault::ServerError(500)));
    let stage = Stage::new();
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let _subscription = stage.bus.on("llm.attempt", |_| Err(Stop::new("enough"))).unwrap();
    let error = stage.scope().run(CoffeeShopAgent::new(&lm).call(latte())).await.unwrap_err();
    assert!(error.is_stopped());
    assert_eq!((error.attempts(), sim.counters().calls), (1, 1));
}

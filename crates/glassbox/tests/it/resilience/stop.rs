//! A run that is stopped, or whose time is up, cancels what is in flight, and tells what it spent.

use crate::coffee_shop::{CoffeeShop, latte};
use crate::provider::{Wire, failing, fast_retries};
use crate::stage::{Stage, generation};
use glassbox::trace::span::Status;
use glassbox::watch::Budget;
use glassbox::{ChainOfThought, ErrorKind, EventName, Jitter, Module, RetryPolicy, Stop};
use glassbox_sim::{Fault, FaultPlan, Latency, Script, Sim};
use std::time::Duration;

/// An answer that takes the whole day.
fn endless() -> Sim {
    let pace = Latency { per_token: Duration::from_secs(60), ..Latency::none() };
    Sim::builder().latency(pace).script(Script::coffee_shop()).start().unwrap()
}

#[tokio::test]
async fn a_stop_cancels_attempts_in_flight_and_tells_what_they_spent() {
    let (sim, stage, budget) = (endless(), Stage::new(), Budget::calls(5));
    let lm = Wire::Anthropic.lm(&sim).stream(true).build().unwrap();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    // The answer has begun when the run is stopped.
    let _stops = stage.bus.on("llm.first_chunk", |_| Err(Stop::new("enough"))).unwrap();
    let call = stage.scope().gate(budget.clone()).run(barista.call(latte()));
    let error = call.await.unwrap_err();

    assert!(error.is_stopped() && !error.is_retryable(), "{error:?}");
    assert_eq!(error.to_string(), "anthropic/claude-haiku-4-5: the run was stopped: enough");
    // The provider has told the prompt's tokens by then; how many came nobody knows.
    assert_eq!((error.attempts(), error.usage().output), (1, None));
    assert!(error.usage().input > Some(0) && error.cost().is_unknown());
    assert!(error.partial_output().is_some_and(|text| text.starts_with('{')), "{error:?}");
    // Whether it is charged nobody knows, so the budget counts what was reserved; and nothing stays reserved.
    assert_eq!((budget.spent().calls, budget.reserved().calls), (1, 0));
    assert!(budget.spent().tokens > 0);

    let call = stage.generations().remove(0);
    assert_eq!(call.status, Status::error("stopped", error.to_string()));
    assert!(generation(&call).output.is_some() && generation(&call).cost.is_unknown());
    insta::assert_snapshot!(stage.tree(), @r"
    ChainOfThought(CoffeeShop) [chain] error: stopped
      chat claude-haiku-4-5 [generation] error: stopped
        attempt 1 (stopped) [span] error: stopped
    ");
    assert_eq!((stage.count(EventName::LlmAttempt), stage.count(EventName::LlmError)), (1, 1));
}

#[tokio::test]
async fn a_deadline_ends_what_is_in_its_scope_and_nothing_else() {
    let (sim, stage) = (endless(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let scope = stage.scope().deadline(Duration::from_millis(80));
    // A longer one within a shorter one changes nothing.
    let inner = scope.enter(|| glassbox::scope().deadline(Duration::from_secs(3600)));
    let (first, second) =
        inner.run(async { (barista.call(latte()).await, barista.call(latte()).await) }).await;

    let (first, second) = (first.unwrap_err(), second.unwrap_err());
    assert!(first.is_stopped() && second.is_stopped());
    assert!(first.to_string().ends_with("the run was stopped: its time of 80ms is up"), "{first}");
    assert_eq!((first.attempts(), second.attempts()), (1, 0));
    assert!(sim.counters().calls <= 1, "the first may have been cancelled on its way");
    // The run itself was not stopped: what is outside of the scope goes on.
    assert_eq!(stage.count(EventName::RunStopped), 0);
}

#[tokio::test]
async fn a_stop_ends_a_pause_at_once() {
    let hour = Duration::from_secs(3600);
    let sim = failing(FaultPlan::none().always(Fault::ServerError(500)));
    let stage = Stage::new();
    let patient = RetryPolicy { initial: hour, max: hour, ..RetryPolicy::default() };
    let lm = Wire::OpenAi.lm(&sim).retry(patient).build().unwrap();
    let _stops = stage.bus.on("llm.wait", |_| Err(Stop::new("enough"))).unwrap();
    let error = stage.scope().run(ChainOfThought::<CoffeeShop>::new(&lm).call(latte())).await;
    assert!(error.unwrap_err().is_stopped());
    assert_eq!(sim.counters().calls, 1);
}

#[tokio::test]
async fn all_attempts_together_have_an_end() {
    let total = Duration::from_millis(100);
    let retry = RetryPolicy { total: Some(total), attempts: 1000, ..fast_retries() };
    // An attempt that is under way is cut off.
    let sim = endless();
    let stage = Stage::new();
    let lm = Wire::OpenAi.lm(&sim).retry(retry).build().unwrap();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let error = stage.scope().run(barista.call(latte())).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
    let expected =
        "no answer within 100ms, all attempts together; raise it with `total` of the `RetryPolicy`";
    assert!(error.to_string().contains(expected), "{error}");

    // A pause that would end too late is not begun, and the error is the one that there was.
    let sim = failing(FaultPlan::none().always(Fault::ServerError(500)));
    let hour = Duration::from_secs(3600);
    let retry = RetryPolicy { initial: hour, max: hour, jitter: Jitter::None, ..retry };
    let lm = Wire::OpenAi.lm(&sim).retry(retry).build().unwrap();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let error = stage.scope().run(barista.call(latte())).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 1));
}

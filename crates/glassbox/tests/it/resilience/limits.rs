//! Limits of our own: calls queue, the provider's wishes hold for everybody, and waits are told.

use crate::coffee_shop::{CoffeeShop, latte};
use crate::provider::{Wire, failing, fast_retries};
use crate::stage::{Stage, generation};
use glassbox::event::WaitReason;
use glassbox::watch::Budget;
use glassbox::{
    ChainOfThought, Error, EventData, EventName, Limiter, Limits, Lm, LmBuilder, Message, Module,
    Request, Response, RetryPolicy, Stop,
};
use glassbox_sim::{Fault, FaultPlan, Latency, Sim};
use std::time::{Duration, Instant};

fn slow(latency: Duration) -> Sim {
    let latency = Latency { first_token: latency, ..Latency::none() };
    Sim::builder().latency(latency).start().unwrap()
}

async fn ask(lm: &Lm, number: usize) -> Result<Response, Error> {
    lm.generate(Request::new([Message::user(format!("Question {number}?"))])).await
}

/// Asks so many questions at once.
async fn ask_all(stage: &Stage, lm: &Lm, count: usize) -> Vec<Result<Response, Error>> {
    let calls = (0..count).map(|number| ask(lm, number));
    stage.scope().run(glassbox::join_all(calls)).await
}

fn limited(sim: &Sim, limits: Limits) -> LmBuilder {
    Wire::OpenAi.lm(sim).limits(limits)
}

#[tokio::test]
async fn a_call_that_met_429_twice() {
    let wish = Duration::from_millis(5);
    let sim = failing(FaultPlan::none().first_of_each(2, Fault::RateLimited { retry_after: wish }));
    let stage = Stage::new();
    let barista = ChainOfThought::<CoffeeShop>::new(&Wire::OpenAi.lm(&sim).build().unwrap());
    stage.scope().run(barista.call(latte())).await.unwrap();
    insta::assert_snapshot!(stage.tree(), @r"
    ChainOfThought(CoffeeShop) [chain]
      chat gpt-4o-mini [generation]
        attempt 1 (429) [span] error: 429
        attempt 2 (429) [span] error: 429
    ");
}

#[tokio::test]
async fn no_more_are_in_flight_than_allowed_and_waits_are_told() {
    let (sim, stage) = (slow(Duration::from_millis(20)), Stage::new());
    let lm = limited(&sim, Limits { concurrency: Some(3), ..Limits::default() }).build().unwrap();
    // Another model of the same provider and key has no limits of its own, and keeps to those all the same.
    let other = Wire::OpenAi.lm(&sim).build().unwrap();
    let (one, two) = tokio::join!(ask_all(&stage, &lm, 10), ask_all(&stage, &other, 10));
    assert!(one.iter().chain(&two).all(Result::is_ok));
    assert_eq!((sim.counters().most_in_flight, sim.counters().calls), (3, 20));
    assert_eq!((lm.limiter().in_flight(), lm.limiter().waiting()), (0, 0));

    // What the events tell is what the spans have.
    let told: Duration = stage.events().iter().filter_map(limiter_wait).sum();
    let spans = stage.generations();
    let recorded: Duration = spans.iter().map(|span| generation(span).limiter_wait).sum();
    assert_eq!(told, recorded);
    assert!(told > Duration::ZERO);
    assert_eq!(stage.count(EventName::LlmWait), 17, "three had not to wait");
    for span in spans {
        assert!(generation(&span).limiter_wait <= span.duration().unwrap());
    }
}

fn limiter_wait(event: &glassbox::Event) -> Option<Duration> {
    match &event.data {
        EventData::LlmWait(wait) if wait.reason == WaitReason::Limiter => Some(wait.duration),
        _ => None,
    }
}

#[tokio::test]
async fn requests_keep_to_the_minute() {
    let (sim, stage) = (slow(Duration::ZERO), Stage::new());
    let limits = Limits { requests_per_minute: Some(1200), ..Limits::default() };
    let lm = limited(&sim, limits).build().unwrap();
    let began = Instant::now();
    assert!(ask_all(&stage, &lm, 30).await.iter().all(Result::is_ok));
    // Twenty may begin in a second at once, and ten more take another half.
    assert!(began.elapsed() >= Duration::from_millis(490), "{:?}", began.elapsed());
}

#[tokio::test]
async fn tokens_keep_to_the_minute_by_what_was_really_used() {
    let (sim, stage) = (slow(Duration::ZERO), Stage::new());
    let limits = Limits { tokens_per_minute: Some(60_000), ..Limits::default() };
    let lm = limited(&sim, limits).build().unwrap();
    let began = Instant::now();
    let answers = ask_all(&stage, &lm, 20).await;
    let used: u64 = answers.iter().map(|answer| answer.as_ref().unwrap().usage.total()).sum();
    let _ = stage.scope().run(ask(&lm, 99)).await.unwrap();
    // A second's share may be used at once; what was guessed wrong is settled with those that follow. The last answer's
    // tokens are not known before it begins.
    let least = (used as f64 - 1000.0 - 512.0) / 1000.0;
    assert!(began.elapsed().as_secs_f64() >= least, "{used} tokens in {:?}", began.elapsed());
    assert!(used < 5_000, "the guess of 256 output tokens was too high: {used}");
}

#[tokio::test]
async fn a_wish_to_wait_holds_for_everybody() {
    let wish = Duration::from_millis(300);
    let plan = FaultPlan::none().on_request(1, Fault::RateLimited { retry_after: wish });
    let (sim, stage) = (failing(plan), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let began = Instant::now();
    let calls = async {
        let first = tokio::spawn({
            let lm = lm.clone();
            let scope = stage.scope();
            scope.run(async move { ask(&lm, 1).await })
        });
        while sim.counters().refused == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // A moment for the refusal to arrive.
        tokio::time::sleep(Duration::from_millis(30)).await;
        stage.scope().run(ask(&lm, 2)).await.unwrap();
        assert!(began.elapsed() >= wish, "{:?}", began.elapsed());
        first.await.unwrap().unwrap();
    };
    calls.await;
    let waits = stage.generations();
    let waits: Vec<_> = waits
        .iter()
        .map(|span| generation(span))
        .map(|call| (call.attempts, !call.limiter_wait.is_zero(), !call.retry_after_wait.is_zero()))
        .collect();
    // One waited as it was asked to, the other in our limiter.
    assert!(waits.contains(&(2, false, true)) || waits.contains(&(2, true, true)), "{waits:?}");
    assert!(waits.contains(&(1, true, false)), "{waits:?}");
}

#[tokio::test]
async fn a_provider_that_is_too_busy_is_asked_less_at_once() {
    // Nobody told us that it takes four calls at a time.
    let latency = Latency { first_token: Duration::from_millis(10), ..Latency::none() };
    let sim = Sim::builder().latency(latency).max_concurrent(4).start().unwrap();
    let stage = Stage::new();
    let retry = RetryPolicy { attempts: 1000, ..fast_retries() };
    let lm = Wire::Anthropic.lm(&sim).retry(retry);
    // It says to come back in a second, which makes the test slow: we do not obey.
    let retry = RetryPolicy { max_retry_after: Duration::ZERO, ..retry };
    let lm = lm.retry(retry).build().unwrap();
    let answers = ask_all(&stage, &lm, 40).await;
    assert!(answers.iter().any(Result::is_err), "a wish that is too long ends a call");
    assert!(lm.limiter().concurrency().is_some_and(|now| now < 40), "{:?}", lm.limiter());
}

#[tokio::test]
async fn who_waits_can_be_stopped_and_dropped() {
    let (sim, stage) = (slow(Duration::from_secs(60)), Stage::new());
    let limiter = Limiter::new(Limits { concurrency: Some(1), ..Limits::default() }).unwrap();
    let lm = Wire::OpenAi.lm(&sim).limiter(&limiter).build().unwrap();
    let budget = Budget::calls(10);
    let scope = stage.scope().gate(budget.clone());
    let run = scope.context().run().unwrap().clone();
    let all = scope.run(glassbox::join_all((0..5).map(|number| ask(&lm, number))));
    let stop = async {
        while limiter.waiting() < 4 || sim.counters().calls < 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Nothing is reserved for those in the queue.
        assert_eq!(budget.reserved().calls, 1);
        run.stop(Stop::new("enough"));
    };
    let (answers, ()) = tokio::join!(all, stop);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap_err().is_stopped()));
    assert_eq!((limiter.in_flight(), limiter.waiting(), sim.counters().calls), (0, 0, 1));
    assert_eq!((budget.spent().calls, budget.reserved().calls), (1, 0));
    let waited = stage.generations();
    let waited = waited.iter().filter(|span| !generation(span).limiter_wait.is_zero());
    assert_eq!(waited.count(), 4);
}

#[tokio::test]
async fn who_has_no_budget_left_does_not_wait_to_hear_it() {
    let (sim, stage) = (slow(Duration::from_secs(60)), Stage::new());
    let lm = limited(&sim, Limits { concurrency: Some(1), ..Limits::default() }).build().unwrap();
    let answers = stage.scope().gate(Budget::calls(1)).run(async {
        tokio::select! {
            biased;
            _ = ask(&lm, 1) => panic!("it takes a minute"),
            second = ask(&lm, 2) => second,
        }
    });
    assert!(answers.await.unwrap_err().is_budget());
}

#[test]
fn a_limit_of_zero_is_refused() {
    let limits = Limits { requests_per_minute: Some(0), ..Limits::default() };
    let error = Lm::builder("openai/gpt-4o-mini").api_key("k").limits(limits).build().unwrap_err();
    assert!(error.to_string().contains("requests_per_minute is 0"), "{error}");
}

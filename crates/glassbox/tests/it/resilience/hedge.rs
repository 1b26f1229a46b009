//! A second attempt beside one that takes long.

use crate::provider::{Wire, fast_retries, sim};
use crate::stage::{Stage, generation};
use glassbox::watch::Budget;
use glassbox::{
    Error, EventName, Hedge, Limits, LmBuilder, Message, Request, Response, RetryPolicy,
};
use glassbox_sim::{Fault, FaultPlan, Latency, Sim};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(30);

fn stalling(plan: FaultPlan) -> Sim {
    Sim::builder().latency(Latency::none()).faults(plan).start().unwrap()
}

async fn ask(stage: &Stage, budget: &Budget, lm: LmBuilder) -> Result<Response, Error> {
    let lm = lm.build().unwrap();
    let call = lm.generate(Request::new([Message::user("Tea?")]));
    stage.scope().gate(budget.clone()).run(call).await
}

#[tokio::test]
async fn the_second_attempt_wins_where_the_first_hangs() {
    let sim = stalling(FaultPlan::none().on_request(1, Fault::Stall));
    let (stage, budget) = (Stage::new(), Budget::calls(9));
    for stream in [false, true] {
        sim.clear();
        let lm = Wire::Anthropic.lm(&sim).stream(stream).hedge(Hedge::after(SOON));
        let response = ask(&stage, &budget, lm).await.unwrap();
        let call = stage.generations().pop().unwrap();
        let known = generation(&call);
        assert_eq!((known.attempts, known.usage, known.cost), (2, response.usage, response.cost));
        assert!(!response.usage.is_unknown());
        assert_eq!(known.first_chunk.is_some(), stream);
    }
    insta::assert_snapshot!(stage.tree(), @r"
    chat claude-haiku-4-5 [generation]
      attempt 1 (cancelled) [span] error: cancelled
    chat claude-haiku-4-5 [generation]
      attempt 1 (cancelled) [span] error: cancelled
    ");
    // The budget counts the loser with all that was reserved for it: it may be charged for.
    let known: u64 = stage.generations().iter().map(|span| generation(span).usage.total()).sum();
    assert_eq!((budget.spent().calls, budget.reserved().calls), (4, 0));
    assert!(budget.spent().tokens > known + 2 * 4096);
    assert_eq!(stage.count(EventName::LlmAttempt), 4);
}

#[tokio::test]
async fn a_quick_answer_needs_no_second() {
    let (sim, stage, budget) = (sim(), Stage::new(), Budget::calls(9));
    let lm = Wire::OpenAi.lm(&sim).hedge(Hedge::at_p95(Duration::from_secs(60)));
    ask(&stage, &budget, lm).await.unwrap();
    assert_eq!((sim.counters().calls, budget.spent().calls), (1, 1));
}

#[tokio::test]
async fn the_second_is_made_only_if_gates_and_limits_let_it_begin_at_once() {
    let sim = stalling(FaultPlan::none().always(Fault::Stall));
    let stage = Stage::new();
    let hurried = || {
        let once = RetryPolicy { attempts: 1, ..fast_retries() };
        Wire::OpenAi.lm(&sim).retry(once).timeout(5 * SOON).hedge(Hedge::after(SOON))
    };
    let error = ask(&stage, &Budget::calls(1), hurried()).await.unwrap_err();
    assert_eq!((error.attempts(), sim.counters().calls), (1, 1));
    let one = Limits { concurrency: Some(1), ..Limits::default() };
    let error = ask(&stage, &Budget::calls(9), hurried().limits(one)).await.unwrap_err();
    assert_eq!((error.attempts(), sim.counters().calls), (1, 2));
}

#[tokio::test]
async fn one_that_fails_leaves_it_to_the_other() {
    // The first breaks late, after the second has begun; the second hangs for good, until the first one's repetition.
    let latency = Latency { first_token: 4 * SOON, ..Latency::none() };
    let plan = FaultPlan::none().on_request(1, Fault::ServerError(500));
    let sim = Sim::builder().latency(latency).faults(plan).start().unwrap();
    let (stage, budget) = (Stage::new(), Budget::calls(9));
    let lm = Wire::OpenAi.lm(&sim).hedge(Hedge::after(SOON));
    ask(&stage, &budget, lm).await.unwrap();
    insta::assert_snapshot!(stage.tree(), @r"
    chat gpt-4o-mini [generation]
      attempt 1 (500) [span] error: 500
    ");
    assert_eq!((sim.counters().calls, budget.spent().calls), (2, 2));
}

#[tokio::test]
async fn a_call_that_is_dropped_drops_both() {
    let sim = stalling(FaultPlan::none().always(Fault::Stall));
    let (stage, budget) = (Stage::new(), Budget::calls(9));
    let both = async {
        while sim.counters().calls < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = ask(&stage, &budget, Wire::OpenAi.lm(&sim).hedge(Hedge::after(SOON))) => panic!("it hangs"),
        () = both => (),
    }
    assert_eq!((budget.spent().calls, budget.reserved().calls), (2, 0));
    let call = stage.generations().remove(0);
    assert!(call.status.is_error() && generation(&call).cost.is_unknown());
}

//! A module over many inputs: order, limit, failures, and the span over all.

use crate::coffee_shop::{Action, CoffeeShopAgent, customers};
use crate::provider::{Wire, failing, sim};
use crate::stage::Stage;
use glassbox::trace::span::{Span, Status};
use glassbox::watch::Budget;
use glassbox::{ErrorKind, Parallel, RetryPolicy};
use glassbox_sim::{Fault, FaultPlan, Latency, Script, Sim};
use std::time::Duration;

const NAME: &str = "Parallel(CoffeeShopAgent.forward)";

/// The counts on the span: inputs, succeeded, failed.
fn counts(span: &Span) -> [u64; 3] {
    ["inputs", "succeeded", "failed"].map(|count| {
        let key = format!("glassbox.parallel.{count}");
        let (_, value) = span.attributes.iter().find(|(found, _)| **found == *key).unwrap();
        value.as_u64().unwrap()
    })
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::MakeDrink { .. } => "drink",
        Action::RefundOrder { .. } => "refund",
        Action::CallManager { .. } => "manager",
        Action::Joke { .. } => "joke",
    }
}

#[tokio::test]
async fn outputs_come_in_the_order_of_the_inputs_and_no_more_than_the_limit_run_at_once() {
    let latency = Latency { first_token: Duration::from_millis(30), ..Latency::none() };
    let sim = Sim::builder().latency(latency).script(Script::coffee_shop()).start().unwrap();
    let agent = CoffeeShopAgent::new(&Wire::OpenAi.lm(&sim).build().unwrap());
    let one_by_one = Parallel::new(CoffeeShopAgent::new(&agent_lm(&sim))).limit(1);
    let expected: Vec<_> = one_by_one
        .try_call(customers())
        .await
        .unwrap()
        .iter()
        .map(|reply| kind(&reply.action))
        .collect();

    sim.clear();
    let stage = Stage::new();
    let shop = Parallel::new(agent).limit(3);
    let many: Vec<_> = (0..5).flat_map(|_| customers()).collect();
    let replies = stage.scope().run(shop.call(many)).await;
    let kinds: Vec<_> = replies.iter().map(|reply| kind(&reply.as_ref().unwrap().action)).collect();
    assert_eq!(kinds, expected.repeat(5));
    assert_eq!(sim.counters().most_in_flight, 3);

    let span = stage.span(NAME);
    assert_eq!((counts(&span), &span.status), ([20, 20, 0], &Status::Ok));
    assert_eq!(span.input.as_ref().unwrap().render().as_array().unwrap().len(), 20);
    let below = stage.spans().iter().filter(|child| child.parent_id == Some(span.span_id)).count();
    assert_eq!(below, 20);
}

fn agent_lm(sim: &Sim) -> glassbox::Lm {
    Wire::OpenAi.lm(sim).retry(RetryPolicy::never()).build().unwrap()
}

#[tokio::test]
async fn a_call_that_fails_does_not_disturb_the_others() {
    let sim = failing(FaultPlan::none().on_request(2, Fault::ServerError(500)));
    let stage = Stage::new();
    let shop = Parallel::new(CoffeeShopAgent::new(&agent_lm(&sim))).limit(1);
    let replies = stage.scope().run(shop.call(customers())).await;
    let failed: Vec<_> = replies.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, false, false]);
    let span = stage.span(NAME);
    assert_eq!((counts(&span), &span.status), ([4, 3, 1], &Status::Ok));
    let output = span.output.as_ref().unwrap().render();
    assert!(output[0]["friendly_response"].is_string() && output[1]["error"].is_string());
    insta::assert_snapshot!(stage.tree());
}

#[tokio::test]
async fn the_first_error_ends_what_wants_all() {
    let sim = failing(FaultPlan::none().on_request(2, Fault::ServerError(500)));
    let stage = Stage::new();
    let shop = Parallel::new(CoffeeShopAgent::new(&agent_lm(&sim))).limit(1);
    let error = stage.scope().run(shop.try_call(customers())).await.unwrap_err();
    assert_eq!((error.kind(), sim.requests().len()), (ErrorKind::Server, 2));
    let span = stage.span(NAME);
    assert_eq!(counts(&span), [4, 1, 1]);
    assert_eq!(span.status, Status::error("500", error.to_string()));

    // Calls that are under way then are cancelled, and their spans say so.
    let latency = Latency { first_token: Duration::from_secs(60), ..Latency::none() };
    let faults =
        FaultPlan::none().on_request(4, Fault::RateLimited { retry_after: Duration::ZERO });
    let sim = Sim::builder().latency(latency).faults(faults).start().unwrap();
    let stage = Stage::new();
    let shop = Parallel::new(CoffeeShopAgent::new(&agent_lm(&sim)));
    stage.scope().run(shop.try_call(customers())).await.unwrap_err();
    let cancelled = |span: &Span| {
        span.status == Status::error("cancelled", "the call was cancelled before it ended")
    };
    assert_eq!(stage.generations().iter().filter(|span| cancelled(span)).count(), 3);
    assert_eq!(counts(&stage.span(NAME)), [4, 0, 1]);
}

#[tokio::test]
async fn a_batch_that_is_dropped_tells_how_far_it_came() {
    let faults = FaultPlan::none().on_request(3, Fault::Stall);
    let sim = failing(faults);
    let stage = Stage::new();
    let shop = Parallel::new(CoffeeShopAgent::new(&agent_lm(&sim))).limit(1);
    let call = stage.scope().run(shop.call(customers()));
    let third = async {
        while sim.requests().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = call => panic!("the third call never ends"),
        () = third => (),
    }
    let span = stage.span(NAME);
    assert_eq!((counts(&span), span.status.is_error()), ([4, 2, 0], true));
    assert!(span.output.is_some());
}

#[tokio::test]
async fn a_budget_is_shared_by_all_calls() {
    let sim = sim();
    let shop = Parallel::new(CoffeeShopAgent::new(&agent_lm(&sim)));
    let stage = Stage::new();
    let replies = stage.scope().gate(Budget::calls(3)).run(shop.call(customers())).await;
    assert_eq!(replies.iter().filter(|reply| reply.is_ok()).count(), 3);
    assert!(replies.iter().flat_map(|reply| reply.as_ref().err()).all(|error| error.is_budget()));
    assert_eq!(sim.requests().len(), 3);
    let none: [crate::coffee_shop::CoffeeShopInput; 0] = [];
    assert!(stage.scope().run(shop.call(none)).await.is_empty());
}

//! Other models where one does not answer, and providers that are left alone for a while.

use crate::coffee_shop::{CoffeeShop, latte};
use crate::provider::{Wire, failing, fast_retries, sim};
use crate::stage::{Stage, generation};
use glassbox::watch::Budget;
use glassbox::{
    ChainOfThought, CircuitBreaker, Delta, ErrorKind, EventData, EventName, Lm, Message, Module,
    Request, RetryPolicy, Usage,
};
use glassbox_sim::{Fault, FaultPlan, Sim};
use std::time::Duration;

fn twice() -> RetryPolicy {
    RetryPolicy { attempts: 2, ..fast_retries() }
}

fn pair(first: &Sim, second: &Sim) -> Lm {
    let first = Wire::OpenAi.lm(first).retry(twice()).build().unwrap();
    Lm::any([first, Wire::Anthropic.lm(second).build().unwrap()]).unwrap()
}

#[tokio::test]
async fn a_second_provider_answers_where_the_first_does_not() {
    let (down, up) = (failing(FaultPlan::none().always(Fault::Overloaded)), sim());
    let stage = Stage::new();
    let barista = ChainOfThought::<CoffeeShop>::new(&pair(&down, &up));
    let reply = stage.scope().run(barista.call(latte())).await.unwrap();
    insta::assert_snapshot!(stage.tree(), @r"
    ChainOfThought(CoffeeShop) [chain]
      chat gpt-4o-mini [generation] error: 503
        attempt 1 (503) [span] error: 503
        attempt 2 (503) [span] error: 503
      chat claude-haiku-4-5 [generation]
    ");

    let module = stage.span("ChainOfThought(CoffeeShop)");
    let note = &module.notes[0];
    assert_eq!(&*note.name, "llm.fallback");
    let expected = "anthropic/claude-haiku-4-5 is asked instead: openai/gpt-4o-mini: the provider failed (503)";
    assert!(note.message.starts_with(expected), "{note:?}");
    let events = stage.events();
    let told = events.iter().find_map(|event| match &event.data {
        EventData::LlmFallback(fallback) => Some(fallback.clone()),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!((&*told.from, &*told.to), ("openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"));

    let calls = stage.generations();
    let [first, second] = [generation(&calls[0]), generation(&calls[1])];
    assert_eq!((first.attempts, second.attempts), (2, 1));
    assert_eq!(
        (reply.usage(), reply.cost()),
        (first.usage + second.usage, first.cost + second.cost)
    );
}

#[tokio::test]
async fn errors_that_the_other_would_have_as_well_are_not_passed_on() {
    let check = async |fault: Fault, asks_second: bool| {
        let (first, second) = (failing(FaultPlan::none().always(fault.clone())), sim());
        let stage = Stage::new();
        let result = stage
            .scope()
            .run(pair(&first, &second).generate(Request::new([Message::user("Tea?")])))
            .await;
        assert_eq!(second.counters().calls > 0, asks_second, "{fault:?}");
        assert_eq!(stage.count(EventName::LlmFallback), usize::from(asks_second), "{fault:?}");
        assert_eq!(result.is_ok() && asks_second, asks_second, "{fault:?}: {result:?}");
    };
    for status in [401, 404, 500, 529] {
        check(Fault::ServerError(status), true).await;
    }
    check(Fault::RateLimited { retry_after: Duration::from_secs(600) }, true).await;
    check(Fault::Reset, true).await;
    check(Fault::MalformedJson, true).await;
    check(Fault::ServerError(400), false).await;
    // An answer is an answer, whatever one thinks of it.
    check(Fault::ContentFilter, false).await;
    check(Fault::Length, false).await;
}

#[tokio::test]
async fn a_budget_is_not_got_round_by_asking_somebody_else() {
    let (one, two, stage) = (sim(), sim(), Stage::new());
    let call = stage
        .scope()
        .gate(Budget::calls(0))
        .run(async { pair(&one, &two).generate(Request::new([Message::user("Tea?")])).await });
    assert!(call.await.unwrap_err().is_budget());
    assert_eq!((one.counters().calls, two.counters().calls), (0, 0));
}

#[tokio::test]
async fn where_nobody_answers_the_error_tells_of_all() {
    let down = failing(FaultPlan::none().always(Fault::ServerError(500)));
    let stage = Stage::new();
    let model = |wire: Wire| wire.lm(&down).retry(twice()).build().unwrap();
    let lm = Lm::any([
        model(Wire::OpenAi),
        Lm::any([model(Wire::Anthropic), model(Wire::Gemini)]).unwrap(),
    ]);
    let lm = lm.unwrap();
    // Outside of every span, so that the three need a root of their own.
    let error = stage.scope().run(lm.generate(Request::new([Message::user("Tea?")]))).await;
    let error = error.unwrap_err();
    assert_eq!((error.model(), error.attempts()), (Some("gemini/gemini-2.5-flash"), 6));
    assert_eq!(error.usage(), Usage::ZERO);
    insta::assert_snapshot!(stage.tree(), @r"
    Lm::any [span] error: 500
      chat gpt-4o-mini [generation] error: 500
        attempt 1 (500) [span] error: 500
        attempt 2 (500) [span] error: 500
      chat claude-haiku-4-5 [generation] error: 500
        attempt 1 (500) [span] error: 500
        attempt 2 (500) [span] error: 500
      chat gemini-2.5-flash [generation] error: 500
        attempt 1 (500) [span] error: 500
        attempt 2 (500) [span] error: 500
    ");
    assert_eq!(Lm::any([]).unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_stream_goes_on_with_the_second_model() {
    let (down, up) = (failing(FaultPlan::none().always(Fault::Truncated)), sim());
    let (stage, lm) = (Stage::new(), pair(&down, &up));
    let (mut text, mut restarts) = (String::new(), 0);
    let reading = async {
        let mut stream =
            lm.stream(Request::new([Message::user("Tell me of the tea that you have.")]));
        while let Some(delta) = stream.next().await {
            match delta.unwrap() {
                Delta::Text(more) => text.push_str(&more),
                Delta::Restarted => {
                    text.clear();
                    restarts += 1;
                }
                Delta::Done(response) => assert_eq!(response.text(), text),
                _ => {}
            }
        }
    };
    stage.scope().run(reading).await;
    assert!(!text.is_empty());
    assert_eq!(restarts, 2, "each attempt of the first had begun");
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_and_tried_again() {
    let (broken, stage) =
        (failing(FaultPlan::none().always(Fault::ServerError(500))), Stage::new());
    let breaker = CircuitBreaker {
        failures: 3,
        open_for: Duration::from_millis(300),
        ..CircuitBreaker::default()
    };
    let lm = Wire::OpenAi.lm(&broken).circuit_breaker(breaker).build().unwrap();
    let ask = || lm.generate(Request::new([Message::user("Tea?")]));
    let asking = async {
        // The third failure opens the circuit, and the fourth attempt is not made.
        let error = ask().await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 3));
        let error = ask().await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::CircuitOpen, 0));
        assert!(error.is_retryable() && error.retry_after().is_some());
        assert_eq!((error.error_type().as_str(), error.usage()), ("circuit_open", Usage::ZERO));
        assert!(
            error.to_string().contains("failed too often, so it is not asked for another"),
            "{error}"
        );
        assert_eq!(broken.counters().calls, 3);

        // Another provider is asked instead, without a wait.
        let up = sim();
        let both = Lm::any([lm.clone(), Wire::Gemini.lm(&up).build().unwrap()]).unwrap();
        assert!(both.generate(Request::new([Message::user("Tea?")])).await.is_ok());
        assert_eq!(broken.counters().calls, 3);

        // Later one attempt finds out that it is still down, and then that it is up.
        tokio::time::sleep(breaker.open_for).await;
        assert_eq!(ask().await.unwrap_err().attempts(), 1);
        broken.set_faults(FaultPlan::none());
        tokio::time::sleep(breaker.open_for).await;
        assert!(ask().await.is_ok() && ask().await.is_ok());
    };
    stage.scope().run(asking).await;
}

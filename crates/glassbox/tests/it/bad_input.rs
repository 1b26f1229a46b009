//! What people get wrong: each mistake is told with what to type, panics nowhere, and stands on the span.

use crate::coffee_shop::{CoffeeShop, CoffeeShopAgent, latte};
use crate::provider::{Wire, fast_retries, serve, sim};
use crate::stage::{Stage, generation};
use axum::Router;
use axum::response::Html;
use glassbox::trace::span::Status;
use glassbox::{ChainOfThought, ErrorKind, Lm, LmBuilder, Module};
use glassbox_sim::Sim;
use std::net::TcpListener;

/// A mistake that is found when the model is made.
#[track_caller]
fn check_build(lm: LmBuilder, expected: &str) {
    let error = lm.build().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false));
    assert_eq!(error.to_string(), expected);
}

#[test]
fn mistakes_in_names_and_settings_are_found_when_the_model_is_made() {
    // A provider whose key nobody has in their environment.
    check_build(
        Lm::builder("nebius/some-model"),
        "NEBIUS_API_KEY is not set: type `export NEBIUS_API_KEY=..` with your key, or hand it over with `.api_key(..)`",
    );
    assert!(Lm::from_env("nebius/some-model").is_err());
    check_build(
        Lm::builder("opnai/gpt-4o-mini").api_key("k"),
        "model \"opnai/gpt-4o-mini\" names an unknown provider \"opnai\": type one of openai, anthropic, gemini, ollama, \
         openrouter, deepseek, groq, mistral, xai, together, fireworks, cohere, moonshot, nebius, or \"openai/gpt-4o-mini\" \
         with a base URL for any server that speaks OpenAI's protocol",
    );
    check_build(
        Lm::builder("claude-haiku-4-5").api_key("k"),
        "model \"claude-haiku-4-5\" does not name its provider: type \"anthropic/claude-haiku-4-5\"",
    );
    check_build(
        Lm::builder("openai/").api_key("k"),
        "model \"openai/\" has no name after its provider: type for instance \"openai/gpt-4o-mini\"",
    );
    check_build(
        Lm::builder("").api_key("k"),
        "no model is named: type for instance \"openai/gpt-4o-mini\"",
    );
    check_build(
        Lm::builder("openai/x").api_key("k").base_url("https:/example"),
        "base URL \"https:/example\" is not an http(s) address: type for instance \"https://api.openai.com/v1/\"",
    );
    check_build(
        Lm::builder("openai/x").api_key(" \n"),
        "the key handed over with `.api_key(..)` is blank: hand over your key, or leave the call out to take \
         it from the environment",
    );
    check_build(
        Lm::builder("openai/x").api_key("k").max_tokens(0),
        "max_tokens is 0, so the model could say nothing: type at least 1",
    );
    check_build(
        Lm::builder("openai/x").api_key("k").reasoning_effort("enormous"),
        "reasoning effort \"enormous\" is unknown: type low, medium, high or a number of tokens",
    );
    check_build(
        Lm::builder("openai/x").api_key("k").service_tier("cheap"),
        "service tier \"cheap\" is unknown: type flex, auto or default",
    );
}

#[test]
fn a_pattern_for_nothing_is_told() {
    let error = glassbox::Error::from(glassbox::subscribe("lm.*", |_| ()).unwrap_err());
    assert!(
        error
            .to_string()
            .starts_with("pattern \"lm.*\" matches no event; the events are module.start, "),
        "{error}"
    );
}

/// A mistake that only a call shows. The whole tree of spans is there, each with the error.
async fn check_call(lm: LmBuilder, kind: ErrorKind, error_type: &str, expected: &str) {
    for stream in [false, true] {
        let lm = lm.clone().stream(stream).retry(fast_retries()).build().unwrap();
        let stage = Stage::new();
        let error = stage.scope().run(CoffeeShopAgent::new(&lm).call(latte())).await.unwrap_err();
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{message}");
        for part in expected.split(" .. ") {
            assert!(message.contains(part), "{part:?} is not in {message:?}, streamed: {stream}");
        }

        let spans = stage.spans();
        let model_call = spans.iter().find(|span| span.name.starts_with("chat ")).unwrap();
        assert!(generation(model_call).attempts > 0);
        let logical: Vec<_> =
            spans.iter().filter(|span| !span.name.starts_with("attempt ")).collect();
        assert_eq!(logical.len(), 3, "{}", stage.tree());
        for span in logical {
            assert_eq!(span.status, Status::error(error_type, message.as_str()), "{}", span.name);
        }
    }
}

fn nobody_listens() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

#[tokio::test]
async fn nothing_listens_there() {
    let lm = Lm::builder("openai/gpt-4o-mini").api_key("k").base_url(nobody_listens());
    check_call(
        lm,
        ErrorKind::Network,
        "network",
        "cannot be reached: .. check the base URL and the network",
    )
    .await;
}

#[tokio::test]
async fn a_web_page_is_there() {
    let site =
        serve(Router::new().fallback(|| async { Html("<!doctype html><title>A site</title>") }))
            .await;
    let lm = Lm::builder("openai/gpt-4o-mini").api_key("k").base_url(&site);
    let hint = "check the base URL, OpenAI's protocol usually ends in /v1";
    check_call(lm, ErrorKind::Malformed, "malformed_response", hint).await;
}

#[tokio::test]
async fn the_path_is_wrong() {
    let sim = sim();
    let lm = Lm::builder("openai/gpt-4o-mini").api_key("k").base_url(sim.url());
    check_call(lm, ErrorKind::NotFound, "404", "check the model's name and the base URL").await;
}

#[tokio::test]
async fn the_host_does_not_exist() {
    let lm =
        Lm::builder("openai/gpt-4o-mini").api_key("k").base_url("http://no-such-host.invalid/v1");
    check_call(
        lm,
        ErrorKind::Network,
        "network",
        "http://no-such-host.invalid/v1/ cannot be reached",
    )
    .await;
}

async fn check_wires(
    set: impl Fn(Wire, &Sim) -> LmBuilder,
    kind: ErrorKind,
    error_type: &str,
    expected: &str,
) {
    let sim = sim();
    for wire in Wire::ALL {
        check_call(set(wire, &sim), kind, error_type, expected).await;
    }
}

#[tokio::test]
async fn the_key_is_refused() {
    let lm = |wire: Wire, sim: &Sim| wire.lm(sim).api_key("invalid");
    check_wires(lm, ErrorKind::Auth, "401", "refused the key .. check the key that you use").await;
}

#[tokio::test]
async fn the_model_is_unknown() {
    let lm = |wire: Wire, sim: &Sim| {
        let (provider, _) = wire.model().split_once('/').unwrap();
        Lm::builder(format!("{provider}/no-such-model")).api_key("k").base_url(wire.url(sim))
    };
    check_wires(
        lm,
        ErrorKind::NotFound,
        "404",
        "does not know the model .. check the model's name",
    )
    .await;
}

#[tokio::test]
async fn the_key_cannot_be_sent() {
    let sim = sim();
    let lm = Wire::OpenAi.lm(&sim).api_key("sk-1\nsk-2");
    check_call(
        lm,
        ErrorKind::Config,
        "config",
        "the request cannot be built: .. check the key and the base URL",
    )
    .await;
}

#[test]
fn no_runtime_is_an_error_and_no_panic() {
    let (sim, stage) = (sim(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let agent = CoffeeShopAgent::new(&lm);
    let call = stage.scope().run(agent.call(latte()));
    let error = futures::executor::block_on(call).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("call models within one, as #[tokio::main] gives"),
        "{error}"
    );
    insta::assert_snapshot!(stage.tree(), @r"
    CoffeeShopAgent.forward [span] error: config
      ChainOfThought(CoffeeShop) [chain] error: config
        chat gpt-4o-mini [generation] error: config
          attempt 1 (config) [span] error: config
    ");
}

#[test]
fn a_scripted_model_needs_no_runtime_even_to_try_again() {
    let stage = Stage::new();
    let fields = serde_json::json!({"reasoning": "r", "action": {"Joke": {"setup": "s", "punchline": "p"}}, "friendly_response": "f"});
    let lm = Lm::scripted([glassbox::Reply::Error(500, "broken".to_owned()), fields.into()]);
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let call = stage.scope().run(barista.call(latte()));
    let reply = futures::executor::block_on(call).unwrap();
    assert_eq!(reply.friendly_response, "f");
    insta::assert_snapshot!(stage.tree(), @r"
    ChainOfThought(CoffeeShop) [chain]
      chat scripted [generation]
        attempt 1 (500) [span] error: 500
    ");
}

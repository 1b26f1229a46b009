//! Programs made of modules: the user's own, lists of them, other models, examples, scripts, and formats that fall back.

use crate::coffee_shop::{
    Action, CoffeeShop, CoffeeShopAgent, CoffeeShopInput, CoffeeShopOutput, customers, iced_latte,
    latte,
};
use crate::provider::{Wire, serve, sim};
use crate::stage::{Stage, generation};
use axum::routing::post;
use axum::{Json, Router};
use glassbox::trace::span::{Agent, Detail, Kind, Status};
use glassbox::{
    ChainOfThought, DynModule, Error, ErrorKind, EventData, EventName, Example, Field, Lm, Module,
    Predict, Prediction, Reply, Signature, Usage, with_lm,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Write a haiku about the topic.
#[derive(Signature)]
struct Haiku {
    #[input]
    topic: String,
    #[output]
    haiku: String,
}

fn topic(topic: &str) -> HaikuInput {
    HaikuInput { topic: topic.to_owned() }
}

/// A module with a configuration, a type of its own for the input, and two steps.
struct Poet<M> {
    write: M,
    lines: usize,
}

#[derive(Clone, Debug, Field)]
struct Commission {
    topic: String,
    urgent: bool,
}

impl<M: Module<Input = HaikuInput, Output = Prediction<HaikuOutput>>> Module for Poet<M> {
    type Input = Commission;
    type Output = Vec<String>;

    async fn forward(&self, commission: Arc<Commission>) -> Result<Vec<String>, Error> {
        if commission.topic.is_empty() {
            return Err(Error::other("a poem needs a topic"));
        }
        let poem = self.write.call(topic(&commission.topic)).await?;
        Ok(poem.haiku.lines().take(self.lines).map(str::to_owned).collect())
    }

    fn detail(&self) -> Detail {
        Detail::Agent(Agent { name: "poet".into(), signature: None })
    }
}

#[tokio::test]
async fn a_users_module_is_traced_without_a_line_about_tracing() {
    let stage = Stage::new();
    let lm = Lm::scripted([json!({ "haiku": "one\ntwo\nthree" })]);
    let poet = Poet { write: Predict::<Haiku>::new(&lm), lines: 2 };
    let poem = stage
        .scope()
        .run(poet.call(Commission { topic: "rain".to_owned(), urgent: true }))
        .await
        .unwrap();
    assert_eq!(poem, ["one", "two"]);
    insta::assert_snapshot!(stage.tree(), @r"
    Poet<Predict<Haiku>>.forward [agent]
      Predict(Haiku) [span]
        chat scripted [generation]
    ");
    let span = stage.span("Poet<Predict<Haiku>>.forward");
    assert_eq!(span.input.as_ref().unwrap().render(), json!({ "topic": "rain", "urgent": true }));
    assert_eq!(span.output.as_ref().unwrap().render(), json!(["one", "two"]));
}

#[tokio::test]
async fn a_users_own_error_stands_on_the_span() {
    let stage = Stage::new();
    let poet = Poet { write: Predict::<Haiku>::new(&Lm::scripted([json!({})])), lines: 3 };
    let error = stage
        .scope()
        .run(poet.call(Commission { topic: String::new(), urgent: false }))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Other, "a poem needs a topic")
    );
    let span = stage.span("Poet<Predict<Haiku>>.forward");
    assert_eq!(
        (span.kind(), &span.status),
        (Kind::Agent, &Status::error("_OTHER", "a poem needs a topic"))
    );
}

#[tokio::test]
async fn modules_of_different_types_go_into_one_list() {
    let (sim, stage) = (sim(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    type Barista =
        Box<dyn DynModule<Input = CoffeeShopInput, Output = Prediction<CoffeeShopOutput>>>;
    let baristas: [Barista; 3] = [
        Box::new(Predict::<CoffeeShop>::new(&lm)),
        Box::new(ChainOfThought::<CoffeeShop>::new(&lm)),
        Box::new(CoffeeShopAgent::new(&lm)),
    ];
    let input = Arc::new(latte());
    let calls = async {
        for barista in &baristas {
            assert_eq!(barista.call_dyn(Arc::clone(&input)).await.unwrap().action, iced_latte());
        }
    };
    stage.scope().run(calls).await;
    insta::assert_snapshot!(stage.tree(), @r"
    Predict(CoffeeShop) [span]
      chat gpt-4o-mini [generation]
    ChainOfThought(CoffeeShop) [chain]
      chat gpt-4o-mini [generation]
    CoffeeShopAgent.forward [span]
      ChainOfThought(CoffeeShop) [chain]
        chat gpt-4o-mini [generation]
    ");
}

#[tokio::test]
async fn another_model_follows_the_task() {
    let stage = Stage::new();
    let lm = |answer: &str| Lm::scripted(vec![json!({ "haiku": answer }); 4]);
    let poet = Arc::new(Predict::<Haiku>::new(&lm("own")));
    let own = Arc::clone(&poet);
    let ask = move || {
        let poet = Arc::clone(&own);
        async move { poet.call(topic("rain")).await.unwrap().haiku.clone() }
    };
    let program = async {
        assert_eq!(ask().await, "own");
        let inside = async {
            assert_eq!(ask().await, "other");
            assert_eq!(glassbox::spawn(ask()).await.unwrap(), "other");
            assert_eq!(glassbox::parallel(2, [ask(), ask()]).await, ["other", "other"]);
            // The innermost counts, and only as long as it is there.
            assert_eq!(with_lm(&lm("innermost"), ask()).await, "innermost");
        };
        with_lm(&lm("other"), inside).await;
        assert_eq!(ask().await, "own");
    };
    stage.scope().run(program).await;
    assert_eq!(stage.generations().len(), 7);
    assert_eq!(
        Predict::<Haiku>::new(&lm("own"))
            .with_lm(&lm("set"))
            .call(topic("rain"))
            .await
            .unwrap()
            .haiku,
        "set"
    );
}

#[tokio::test]
async fn another_model_does_not_leave_its_request() {
    let poet = Predict::<Haiku>::new(&Lm::scripted(vec![json!({ "haiku": "own" }); 8]));
    let other = Lm::scripted(vec![json!({ "haiku": "other" }); 8]);
    let ask = || async { poet.call(topic("rain")).await.unwrap().haiku.clone() };
    for _ in 0..4 {
        let (one, two) = tokio::join!(with_lm(&other, ask()), ask());
        assert_eq!((one.as_str(), two.as_str()), ("other", "own"));
    }
}

#[tokio::test]
async fn examples_reach_the_model_before_the_question() {
    let joke = CoffeeShopOutput {
        action: Action::Joke { setup: "Knock knock.".to_owned(), punchline: "Latte.".to_owned() },
        friendly_response: "Ha!".to_owned(),
    };
    let [.., asks_for_a_joke] = customers();
    for structured in [true, false] {
        let sim = sim();
        let lm = Wire::OpenAi.lm(&sim).structured_output(structured).build().unwrap();
        let example = Example::<CoffeeShop>::new(asks_for_a_joke.clone(), joke.clone())
            .with_reasoning("They want to laugh.");
        ChainOfThought::<CoffeeShop>::new(&lm)
            .with_examples([example])
            .call(latte())
            .await
            .unwrap();

        let messages = sim.requests()[0].json()["messages"].clone();
        let said: Vec<_> =
            messages.as_array().unwrap().iter().map(|message| text(&message["content"])).collect();
        assert_eq!(said.len(), 4);
        assert!(
            said[1].contains("got any coffee jokes?") && said[3].contains("a large iced latte"),
            "{said:?}"
        );
        // As the model is to answer: the reasoning first.
        let order =
            ["They want to laugh.", "Knock knock.", "Ha!"].map(|part| said[2].find(part).unwrap());
        assert!(order.is_sorted(), "{}", said[2]);
        assert_eq!(serde_json::from_str::<Value>(&said[2]).is_ok(), structured);
    }
}

/// The text of a message, which may be a list of parts.
fn text(content: &Value) -> String {
    content.as_str().map_or_else(|| content[0]["text"].as_str().unwrap().to_owned(), str::to_owned)
}

#[tokio::test]
async fn a_script_answers_in_order_and_then_says_what_to_add() {
    let stage = Stage::new();
    let replies = [
        json!({ "haiku": "first" }).into(),
        Reply::Error(429, "slow down".to_owned()),
        json!({ "haiku": "second" }).into(),
    ];
    let poet = Predict::<Haiku>::new(&Lm::scripted(replies));
    let calls = async {
        let first = poet.call(topic("rain")).await.unwrap();
        assert_eq!((first.haiku.as_str(), first.model()), ("first", Some("scripted")));
        assert!(first.usage().total() > 0 && first.cost().is_unknown());
        assert_eq!(poet.call(topic("snow")).await.unwrap().haiku, "second");
        poet.call(topic("wind")).await.unwrap_err()
    };
    let error = stage.scope().run(calls).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "scripted/scripted: the script has 3 replies and is asked for number 4: add a reply"
    );
    insta::assert_snapshot!(stage.tree(), @r"
    Predict(Haiku) [span]
      chat scripted [generation]
    Predict(Haiku) [span]
      chat scripted [generation]
        attempt 1 (429) [span] error: 429
    Predict(Haiku) [span] error: config
      chat scripted [generation] error: config
        attempt 1 (config) [span] error: config
    ");
}

#[tokio::test]
async fn errors_of_a_script_are_those_of_a_provider() {
    for (status, kind) in [
        (400, ErrorKind::BadRequest),
        (401, ErrorKind::Auth),
        (404, ErrorKind::NotFound),
        (429, ErrorKind::RateLimited),
        (503, ErrorKind::Server),
    ] {
        let lm = Lm::scripted(vec![Reply::Error(status, "no".to_owned()); 4]);
        let error = Predict::<Haiku>::new(&lm).call(topic("rain")).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)));
        assert_eq!(error.attempts(), if error.is_retryable() { 4 } else { 1 });
    }
}

#[tokio::test]
async fn second_questions_are_added_up() {
    let stage = Stage::new();
    let lm = Lm::scripted([Reply::Text("no idea".to_owned()), json!({ "haiku": "late" }).into()]);
    let reply = stage.scope().run(Predict::<Haiku>::new(&lm).call(topic("rain"))).await.unwrap();
    let used: Vec<_> = stage.generations().iter().map(|span| generation(span).usage).collect();
    assert_eq!((used.len(), used.iter().sum::<Usage>()), (2, reply.usage()));
    assert!(used.iter().all(|usage| usage.total() > 0));
}

/// Serves OpenAI's protocol by a function from request to answer.
async fn openai(
    answer: impl Fn(Value) -> Result<Value, Value> + Clone + Send + Sync + 'static,
) -> String {
    let handler = move |Json(request): Json<Value>| async move {
        match answer(request) {
            Ok(answer) => (axum::http::StatusCode::OK, Json(answer)),
            Err(error) => (axum::http::StatusCode::BAD_REQUEST, Json(error)),
        }
    };
    serve(Router::new().route("/v1/chat/completions", post(handler))).await + "/v1"
}

fn completion(message: &Value) -> Value {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "local",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 },
    })
}

#[tokio::test]
async fn a_provider_without_structured_output_gets_field_markers() {
    let answer = "[[ ## haiku ## ]]\nrain on the tin roof\n\n[[ ## completed ## ]]";
    let url = openai(move |request| match request.get("response_format") {
        Some(_) => {
            Err(json!({ "error": { "message": "response_format is not supported by this model" } }))
        }
        None => Ok(completion(&json!({ "role": "assistant", "content": answer }))),
    })
    .await;
    let stage = Stage::new();
    let lm = Lm::builder("openai/local").base_url(url).build().unwrap();
    let poet = Predict::<Haiku>::new(&lm);
    let reply = stage.scope().run(poet.call(topic("rain"))).await.unwrap();
    assert_eq!((reply.haiku.as_str(), reply.usage().total()), ("rain on the tin roof", 15));
    insta::assert_snapshot!(stage.tree(), @r"
    Predict(Haiku) [span]
      chat local [generation] error: 400
        attempt 1 (400) [span] error: 400
      chat local [generation]
    ");

    let module = stage.span("Predict(Haiku)");
    assert_eq!(&*module.notes[0].name, "adapter.fallback");
    let events = stage.events();
    let fallback = events.iter().find_map(|event| match &event.data {
        EventData::AdapterFallback(fallback) => Some((fallback.from, fallback.to)),
        _ => None,
    });
    assert_eq!(fallback, Some(("structured output", "field markers")));

    // The model has learned it: the next call does not try again.
    let stage = Stage::new();
    stage.scope().run(poet.call(topic("snow"))).await.unwrap();
    assert_eq!((stage.generations().len(), stage.count(EventName::AdapterFallback)), (1, 0));
}

#[tokio::test]
async fn a_refusal_in_words_is_kept() {
    let refusal =
        json!({ "role": "assistant", "content": null, "refusal": "I do not write about rain." });
    let url = openai(move |_| Ok(completion(&refusal))).await;
    let stage = Stage::new();
    let lm = Lm::builder("openai/local").base_url(url).build().unwrap();
    let error =
        stage.scope().run(Predict::<Haiku>::new(&lm).call(topic("rain"))).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.partial_output()),
        (ErrorKind::Filtered, Some("I do not write about rain."))
    );
    assert_eq!(
        error.to_string(),
        "openai/local: the model declined to answer (refusal); change the input"
    );
    let call = stage.generations().remove(0);
    assert_eq!(generation(&call).output.as_ref().unwrap().to_text(), "I do not write about rain.");
}

#[tokio::test]
async fn inputs_are_shared_with_the_spans_and_not_copied() {
    let (sim, stage) = (sim(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let input = Arc::new(latte());
    stage.scope().run(CoffeeShopAgent::new(&lm).call(Arc::clone(&input))).await.unwrap();
    // Ours, and one for each of the two spans, of which the events hold clones that share it.
    assert_eq!(Arc::strong_count(&input), 3);
}

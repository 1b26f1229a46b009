//! Answers as they come: what a reader of a stream gets, and what the spans tell of it, on every wire.

use crate::coffee_shop::{CoffeeShop, CoffeeShopOutput, iced_latte, latte};
use crate::provider::{Wire, failing, serve, sim};
use crate::stage::{Stage, generation};
use axum::Router;
use axum::body::Body;
use axum::routing::post;
use futures::stream;
use glassbox::trace::message::{Part, ToolCall};
use glassbox::trace::span::{Span, Status};
use glassbox::watch::Budget;
use glassbox::{
    ChainOfThought, Chunk, Delta, ErrorKind, EventName, Field, FieldChange, Lm, Message, Module,
    Predict, Prediction, Request, RetryPolicy, Signature, Streaming, ToolDefinition, Usage,
};
use glassbox_sim::{Entry, Fault, FaultPlan, Latency, Script, Sim};
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::sleep;

type Reply = Prediction<CoffeeShopOutput>;

/// What a reader has in the end who does as it is told.
#[derive(Debug, Default)]
struct Gathered {
    text: String,
    fields: Map<String, Value>,
    pieces: usize,
    restarts: usize,
    reply: Option<Reply>,
}

impl Gathered {
    fn take(&mut self, chunk: Chunk<Reply>) {
        assert!(self.reply.is_none(), "nothing comes after the output");
        self.pieces += 1;
        match chunk {
            Chunk::Text(text) => self.text.push_str(&text),
            Chunk::Field { name, change: FieldChange::Value(value) } => {
                self.fields.insert(name.to_owned(), value);
            }
            Chunk::Field { name, change: FieldChange::Text(text) } => {
                match self.fields.entry(name).or_insert_with(|| "".into()) {
                    Value::String(so_far) => so_far.push_str(&text),
                    other => panic!("{name} was {other}, and now comes the text {text:?}"),
                }
            }
            Chunk::Restarted => {
                *self = Self { restarts: self.restarts + 1, ..Self::default() };
            }
            Chunk::Done(reply) => self.reply = Some(reply),
            other => panic!("{other:?}"),
        }
    }

    async fn all(mut stream: glassbox::ChunkStream<Reply>) -> Result<Self, glassbox::Error> {
        let mut gathered = Self::default();
        while let Some(chunk) = stream.next().await {
            gathered.take(chunk?);
        }
        assert!(stream.next().await.is_none());
        Ok(gathered)
    }

    #[track_caller]
    fn check(&self, stage: &Stage) {
        let reply = self.reply.as_ref().expect("an output at the end");
        assert_eq!(reply.action, iced_latte());
        let mut whole = reply.output().to_json();
        whole["reasoning"] = reply.reasoning().unwrap().into();
        assert_eq!(Value::Object(self.fields.clone()), whole);

        let call = stage.generations().pop().unwrap();
        let known = generation(&call);
        assert_eq!(known.output.as_ref().unwrap().to_text(), self.text);
        assert!(known.parameters.stream && known.first_chunk.is_some());
        assert!(known.usage.total() > 0 && !known.cost.is_unknown());
        assert!(call.tokens_per_second() > Some(0.0));
    }
}

fn ways(sim: &Sim) -> Vec<(String, Lm)> {
    let ways = Wire::ALL.into_iter().flat_map(|wire| [(wire, true), (wire, false)]);
    ways.map(|(wire, structured)| {
        let format = if structured { "JSON" } else { "markers" };
        (format!("{wire:?}, {format}"), wire.lm(sim).structured_output(structured).build().unwrap())
    })
    .collect()
}

/// A provider that takes its time for each token.
fn unhurried(faults: FaultPlan) -> Sim {
    let latency = Latency { per_token: Duration::from_millis(5), ..Latency::none() };
    Sim::builder().latency(latency).script(Script::coffee_shop()).faults(faults).start().unwrap()
}

#[tokio::test]
async fn the_fields_of_a_signature_come_piece_by_piece() {
    let sim = sim();
    for (way, lm) in ways(&sim) {
        let stage = Stage::new();
        let barista = ChainOfThought::<CoffeeShop>::new(&lm);
        let stream = stage.scope().enter(|| barista.call_stream(latte()));
        let gathered = Gathered::all(stream).await.unwrap();
        gathered.check(&stage);
        assert!(gathered.pieces > 10 && gathered.restarts == 0, "{way}: {gathered:?}");
        // The tree is that of a call that does not stream.
        let tree = stage.tree();
        stage.scope().run(barista.call(latte())).await.unwrap();
        assert_eq!(stage.tree(), format!("{tree}{tree}"), "{way}");
        assert_eq!(stage.count(EventName::LlmFirstChunk), 1, "{way}");
    }
}

#[tokio::test]
async fn the_model_itself_can_be_streamed() {
    let sim = sim();
    for wire in Wire::ALL {
        let (stage, lm) = (Stage::new(), wire.lm(&sim).build().unwrap());
        let request = Request::new([Message::user("Do you sell hamburgers?")]);
        let mut stream = stage.scope().enter(|| lm.stream(request));
        let (mut text, mut response) = (String::new(), None);
        while let Some(delta) = stream.next().await {
            match delta.unwrap() {
                Delta::Text(more) => text.push_str(&more),
                Delta::Done(whole) => response = Some(whole),
                other => panic!("{other:?}"),
            }
        }
        let response = response.unwrap();
        assert_eq!(response.text(), text);
        assert!(!text.is_empty() && response.usage.output > Some(0), "{wire:?}: {response:?}");
    }
}

#[tokio::test]
async fn tool_calls_come_piece_by_piece() {
    let arguments = json!({ "city": "Oslo", "days": [1, 2, 3], "units": "degrees Celsius" });
    let script = Script::new().with(Entry::when("weather").call("get_weather", arguments.clone()));
    let sim = Sim::builder().latency(Latency::none()).script(script).start().unwrap();
    let tool = ToolDefinition {
        name: "get_weather".into(),
        description: "Tells the weather.".into(),
        parameters: json!({ "type": "object", "properties": { "city": { "type": "string" } } }),
    };
    for wire in Wire::ALL {
        let lm = wire.lm(&sim).build().unwrap();
        let request = Request {
            tools: [tool.clone()].into(),
            ..Request::new([Message::user("What is the weather?")])
        };
        let mut stream = lm.stream(request);
        let (mut written, mut ids, mut calls) = (String::new(), Vec::new(), Vec::new());
        while let Some(delta) = stream.next().await {
            match delta.unwrap() {
                Delta::ToolCall(call) => {
                    assert_eq!(&*call.name, "get_weather", "{wire:?}");
                    written.push_str(&call.arguments);
                    ids.push(call.id);
                }
                Delta::Done(response) => {
                    calls =
                        response.tool_calls().map(|call| Part::ToolCall(call.clone())).collect();
                }
                _ => {}
            }
        }
        ids.dedup();
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), arguments, "{wire:?}");
        let (id, name) = (Arc::clone(&ids[0]), "get_weather".into());
        let whole = ToolCall { id, name, arguments: arguments.clone() };
        assert_eq!(calls, [Part::ToolCall(whole)], "{wire:?}: {ids:?}");
    }
}

/// What a span says of a stream that was dropped.
fn row(span: &Span) -> String {
    let Status::Error(error) = &span.status else { panic!("{} did not end early", span.name) };
    format!("{}: {}, {}", span.name, error.kind, error.message)
}

#[tokio::test]
async fn a_stream_that_is_dropped_half_way_closes_its_spans_with_what_had_come() {
    let mut table = String::new();
    for wire in Wire::ALL {
        let sim = unhurried(FaultPlan::none());
        let (stage, budget) = (Stage::new(), Budget::calls(1));
        let barista = ChainOfThought::<CoffeeShop>::new(&wire.lm(&sim).build().unwrap());
        let scope = stage.scope().gate(budget.clone());
        let mut stream = scope.enter(|| barista.call_stream(latte()));
        let mut gathered = Gathered::default();
        while !gathered.fields.contains_key("action") {
            gathered.take(stream.next().await.unwrap().unwrap());
        }
        assert!(stage.spans().is_empty());
        drop(stream);

        let (module, call) =
            (stage.span("ChainOfThought(CoffeeShop)"), stage.generations().remove(0));
        let known = generation(&call);
        // What the spans keep may be a piece ahead of what the reader had taken.
        let kept = known.output.as_ref().unwrap().to_text();
        assert!(kept.starts_with(&gathered.text), "{wire:?}: {kept} / {}", gathered.text);
        assert_eq!(module.output.as_ref().unwrap().to_text(), gathered.text);
        assert!(known.first_chunk.is_some() && known.cost.is_unknown());
        let told = |count: Option<u64>| if count.is_some() { "told" } else { "unknown" };
        let Usage { input, output, .. } = known.usage;
        let _ = write!(
            table,
            "{wire:?}: input {}, output {}\n{}{}\n{}\n\n",
            told(input),
            told(output),
            stage.tree(),
            row(&module),
            row(&call),
        );
        // It may be charged for, so the budget counts it.
        assert_eq!((budget.spent().calls, budget.reserved().calls), (1, 0));
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn what_fails_before_the_first_piece_is_tried_again_unseen() {
    for wire in Wire::ALL {
        let sim = failing(FaultPlan::none().on_request(1, Fault::ServerError(500)));
        let stage = Stage::new();
        let barista = ChainOfThought::<CoffeeShop>::new(&wire.lm(&sim).build().unwrap());
        let stream = stage.scope().enter(|| barista.call_stream(latte()));
        let gathered = Gathered::all(stream).await.unwrap();
        gathered.check(&stage);
        assert_eq!((gathered.restarts, sim.requests().len()), (0, 2), "{wire:?}");
    }
}

#[tokio::test]
async fn a_retry_after_the_first_piece_is_told() {
    for wire in Wire::ALL {
        let sim = failing(FaultPlan::none().on_request(1, Fault::Truncated));
        let stage = Stage::new();
        let barista = ChainOfThought::<CoffeeShop>::new(&wire.lm(&sim).build().unwrap());
        let stream = stage.scope().enter(|| barista.call_stream(latte()));
        let gathered = Gathered::all(stream).await.unwrap();
        gathered.check(&stage);
        assert_eq!((gathered.restarts, sim.requests().len()), (1, 2), "{wire:?}");
        assert_eq!(stage.tree().lines().count(), 3, "{}", stage.tree());
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_void_when_the_model_is_asked_again() {
    let sim = failing(FaultPlan::none().on_request(1, Fault::Prose));
    let stage = Stage::new();
    let barista = ChainOfThought::<CoffeeShop>::new(&Wire::OpenAi.lm(&sim).build().unwrap());
    let stream = stage.scope().enter(|| barista.call_stream(latte()));
    let gathered = Gathered::all(stream).await.unwrap();
    gathered.check(&stage);
    assert_eq!((gathered.restarts, stage.generations().len()), (1, 2));
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_the_error_and_its_partial_answer() {
    let sim = failing(FaultPlan::none().always(Fault::Truncated));
    let (stage, lm) = (Stage::new(), Wire::OpenAi.lm(&sim).build().unwrap());
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let mut stream = stage.scope().enter(|| barista.call_stream(latte()));
    let mut text = String::new();
    let error = loop {
        match stream.next().await.expect("an error at the end") {
            Ok(Chunk::Text(more)) => text.push_str(&more),
            Ok(Chunk::Restarted) => text.clear(),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(stream.next().await.is_none());
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Network, 4));
    assert_eq!(error.partial_output(), Some(text.as_str()));
    let module = stage.span("ChainOfThought(CoffeeShop)");
    assert_eq!(module.output.as_ref().unwrap().to_text(), text);
}

#[tokio::test]
async fn gates_are_asked_and_a_refused_stream_sends_nothing() {
    let sim = sim();
    let lm = Wire::OpenAi.lm(&sim).gate(Budget::calls(1)).build().unwrap();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    barista.call_stream(latte()).output().await.unwrap();
    let mut refused = barista.call_stream(latte());
    assert!(refused.next().await.unwrap().unwrap_err().is_budget());
    assert!(refused.next().await.is_none());
    assert_eq!(sim.requests().len(), 1);
}

#[tokio::test]
async fn a_stream_runs_in_the_scope_in_which_it_was_made() {
    let lm = Lm::scripted([
        json!({ "reasoning": "r", "action": { "joke": { "setup": "s", "punchline": "p" } },
        "friendly_response": "Here you are!" }),
    ]);
    let stage = Stage::new();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let stream = stage.scope().session("s-1").enter(|| barista.call_stream(latte()));
    assert!(stage.events().is_empty(), "a stream does nothing until it is polled");
    tokio::spawn(stream.output()).await.unwrap().unwrap();
    let spans = stage.spans();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.trace.session_id.as_deref() == Some("s-1")));
}

#[tokio::test]
async fn a_reader_that_takes_its_time_does_not_run_into_the_timeout() {
    let sim = sim();
    let lm = Wire::Anthropic.lm(&sim).timeout(Duration::from_secs(2)).build().unwrap();
    let stage = Stage::new();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let mut stream = stage.scope().enter(|| barista.call_stream(latte()));
    let mut gathered = Gathered::default();
    while let Some(chunk) = stream.next().await {
        gathered.take(chunk.unwrap());
        if gathered.pieces == 3 {
            sleep(Duration::from_millis(2500)).await;
        }
    }
    gathered.check(&stage);
    assert_eq!(gathered.restarts, 0);
}

#[tokio::test]
async fn a_slow_reader_slows_the_reading_down() {
    // A model that writes without end, 64 KB at a time.
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let endless = move || async move {
        let chunk = json!({ "id": "x", "model": "m", "choices": [{ "index": 0, "delta": { "content": "a".repeat(65536) } }] });
        let frame = format!("data: {chunk}\n\n");
        let frames = stream::repeat_with(move || {
            count.fetch_add(frame.len(), Ordering::Relaxed);
            Ok::<_, Infallible>(frame.clone())
        });
        ([("content-type", "text/event-stream")], Body::from_stream(frames))
    };
    let url = serve(Router::new().route("/v1/chat/completions", post(endless))).await;
    let lm = Lm::builder("openai/endless").base_url(format!("{url}/v1")).build().unwrap();
    let mut stream = lm.stream(Request::new([Message::user("Write.")]));
    for _ in 0..3 {
        assert!(matches!(stream.next().await, Some(Ok(Delta::Text(_)))));
    }
    // The provider goes on until the buffers in between are full, and then it waits.
    let mut before = 0;
    while std::mem::replace(&mut before, sent.load(Ordering::Relaxed)) != before || before == 0 {
        sleep(Duration::from_millis(200)).await;
    }
    assert!(before < 64 << 20, "{before} bytes were sent to a reader that takes none");
    assert!(matches!(stream.next().await, Some(Ok(Delta::Text(_)))));
}

#[tokio::test]
async fn a_provider_that_stalls_in_the_middle_is_given_up_in_time() {
    let latency = Latency { per_token: Duration::from_secs(60), ..Latency::none() };
    let sim = Sim::builder().latency(latency).script(Script::coffee_shop()).start().unwrap();
    let lm = Wire::Gemini.lm(&sim).timeout(Duration::from_millis(400));
    let lm = lm.retry(RetryPolicy::never()).build().unwrap();
    let mut stream = Predict::<CoffeeShop>::new(&lm).call_stream(latte());
    assert!(matches!(stream.next().await, Some(Ok(Chunk::Text(_)))));
    let error = loop {
        if let Err(error) = stream.next().await.expect("an error at the end") {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.partial_output().is_some_and(|text| text.starts_with('{')));
}

#[tokio::test]
async fn the_models_own_thinking_comes_apart_from_the_answer() {
    let thinking = async || {
        let delta = |delta: Value| {
            let choice = json!({ "index": 0, "delta": delta, "finish_reason": null });
            format!("data: {}\n\n", json!({ "id": "x", "model": "m", "choices": [choice] }))
        };
        let frames = [
            delta(json!({ "reasoning_content": "They want " })),
            delta(json!({ "reasoning_content": "words." })),
            delta(json!({ "content": "{\"something\": \"Hm" })),
            delta(json!({ "content": "!\"}" })),
            "data: {\"choices\": [{\"index\": 0, \"delta\": {}, \"finish_reason\": \"stop\"}]}\n\n"
                .to_owned(),
            "data: [DONE]\n\n".to_owned(),
        ];
        ([("content-type", "text/event-stream")], frames.concat())
    };
    let url = serve(Router::new().route("/v1/chat/completions", post(thinking))).await;
    let lm = Lm::builder("openai/m").base_url(format!("{url}/v1")).build().unwrap();
    let input = SayInput { about: "words".to_owned() };
    let mut stream = Predict::<Say>::new(&lm).call_stream(input);
    let (mut thought, mut said) = (String::new(), String::new());
    while let Some(chunk) = stream.next().await {
        match chunk.unwrap() {
            Chunk::Reasoning(more) => thought.push_str(&more),
            Chunk::Field { change: FieldChange::Text(more), .. } => said.push_str(&more),
            Chunk::Done(reply) => assert_eq!(reply.reasoning(), Some("They want words.")),
            _ => {}
        }
    }
    assert_eq!((thought.as_str(), said.as_str()), ("They want words.", "Hm!"));
}

/// Say something.
#[derive(Signature)]
struct Say {
    #[input]
    about: String,
    #[output]
    something: String,
}

#[tokio::test]
async fn a_scripted_model_streams_word_by_word() {
    let lm = Lm::scripted([json!({ "something": "a few words" })]);
    let stage = Stage::new();
    let input = SayInput { about: "words".to_owned() };
    let mut stream = stage.scope().enter(|| Predict::<Say>::new(&lm).call_stream(input));
    let mut words = Vec::new();
    while let Some(chunk) = stream.next().await {
        if let Chunk::Field { change: FieldChange::Text(text), .. } = chunk.unwrap() {
            words.push(text);
        }
    }
    assert_eq!(words, ["a ", "few ", "words"]);
    assert!(generation(&stage.generations()[0]).first_chunk.is_some());
}

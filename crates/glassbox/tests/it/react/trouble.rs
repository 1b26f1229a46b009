//! Conversations that are too long, and providers without tools.

use super::{Compare, Report, ReportInput, Verdict, WARMER, outputs, question, told, tools};
use crate::provider::{fast_retries, serve};
use crate::stage::Stage;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use glassbox::trace::span::Status;
use glassbox::{ErrorKind, EventName, Lm, Module, ReAct, Toolbox, tool_fn};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A provider by hand, which answers with what the closure makes of the request's body and its number.
async fn provider(
    answer: impl Fn(&Value, usize) -> (StatusCode, Value) + Send + Sync + 'static,
) -> Lm {
    let count = Arc::new(AtomicUsize::new(0));
    let answer = Arc::new(answer);
    let handler = move |Json(body): Json<Value>| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let answer = Arc::clone(&answer);
        async move {
            let (status, body) = answer(&body, number);
            (status, Json(body))
        }
    };
    let url = serve(Router::new().route("/v1/chat/completions", post(handler))).await;
    Lm::builder("openai/gpt-4o-mini")
        .base_url(format!("{url}/v1"))
        .retry(fast_retries())
        .build()
        .unwrap()
}

fn completion(message: &Value) -> (StatusCode, Value) {
    let reason = if message["tool_calls"].is_array() { "tool_calls" } else { "stop" };
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-mini",
        "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 },
    });
    (StatusCode::OK, body)
}

fn calling(tool: &str, arguments: &Value) -> (StatusCode, Value) {
    let function = json!({ "name": tool, "arguments": arguments.to_string() });
    completion(&json!({
        "role": "assistant", "content": null,
        "tool_calls": [{ "id": "call_1", "type": "function", "function": function }],
    }))
}

fn too_long() -> (StatusCode, Value) {
    let message = "This model's maximum context length is 1000 tokens.";
    let error = json!({ "message": message, "type": "invalid_request_error", "code": "context_length_exceeded" });
    (StatusCode::BAD_REQUEST, json!({ "error": error }))
}

#[tokio::test]
async fn a_conversation_that_is_too_long_forgets_its_oldest_turns_and_says_so() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let lm = provider(move |body, _| {
        let length = body["messages"].to_string().len();
        if length > 3000 {
            return too_long();
        }
        log.lock().unwrap().push(body["messages"].clone());
        match log.lock().unwrap().len() {
            turn @ 1..=5 => calling("read", &json!({ "input": turn })),
            _ => calling("finish", &json!({ "result": "read" })),
        }
    })
    .await;
    let read = tool_fn("read", "Reads a page.", |page: u32| async move {
        format!("page {page} {}", "lorem ipsum ".repeat(60))
    });
    let stage = Stage::new();
    let agent = ReAct::<Report>::new(&lm, Toolbox::new().with(read));
    let reply =
        stage.scope().run(agent.call(ReportInput { topic: "pages".to_owned() })).await.unwrap();
    assert_eq!(reply.result, "read");
    insta::assert_snapshot!(stage.tree(), @r"
    ReAct(Report) [agent]
      turn 1 [span]
        chat gpt-4o-mini [generation]
        execute_tool read [tool]
      turn 2 [span]
        chat gpt-4o-mini [generation]
        execute_tool read [tool]
      turn 3 [span]
        chat gpt-4o-mini [generation]
        execute_tool read [tool]
      turn 4 [span]
        chat gpt-4o-mini [generation] error: 400
          attempt 1 (400) [span] error: 400
        chat gpt-4o-mini [generation]
        execute_tool read [tool]
      turn 5 [span]
        chat gpt-4o-mini [generation] error: 400
          attempt 1 (400) [span] error: 400
        chat gpt-4o-mini [generation]
        execute_tool read [tool]
      turn 6 [span]
        chat gpt-4o-mini [generation] error: 400
          attempt 1 (400) [span] error: 400
        chat gpt-4o-mini [generation]
    ");
    let notes: Vec<_> = stage
        .spans()
        .iter()
        .flat_map(|span| {
            span.notes.iter().map(|note| format!("{}: {}: {}", span.name, note.name, note.message))
        })
        .collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    turn 4: react.context_trimmed: the conversation is longer than the model can take: the oldest turns are dropped (1), the last 2 kept
    turn 5: react.context_trimmed: the conversation is longer than the model can take: the oldest turns are dropped (1), the last 2 kept
    turn 6: react.context_trimmed: the conversation is longer than the model can take: the oldest turns are dropped (1), the last 2 kept
    ");
    assert_eq!(stage.count(EventName::ReactContextTrimmed), notes.len());
    // The model is told, and every call it still sees has its result.
    let seen = seen.lock().unwrap();
    let last = seen.last().unwrap().as_array().unwrap();
    assert!(last[1]["content"].to_string().contains("turns are left out"), "{}", last[1]);
    let count = |role: &str| last.iter().filter(|message| message["role"] == role).count();
    assert_eq!(count("assistant"), count("tool"));
}

#[tokio::test]
async fn what_is_too_long_by_itself_is_an_error_in_the_end() {
    let lm = provider(|_, number| match number {
        0 => calling("read", &json!({ "input": 1 })),
        _ => too_long(),
    })
    .await;
    let read = tool_fn("read", "Reads a page.", |_: u32| async { "long ".repeat(400) });
    let stage = Stage::new();
    let agent = ReAct::<Report>::new(&lm, Toolbox::new().with(read));
    let error =
        stage.scope().run(agent.call(ReportInput { topic: "pages".to_owned() })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContextLength);
    // What was used before stands on the error.
    assert_eq!(error.usage().total(), 15);
    assert!(matches!(stage.span("turn 2").status, Status::Error(_)));
    assert_eq!(stage.count(EventName::ReactIterationComplete), 1);
}

#[tokio::test]
async fn a_provider_without_tools_is_asked_by_text() {
    let lm = provider(|body, _| {
        if body["tools"].is_array() {
            let error = json!({ "error": { "message": "phi3 does not support tools" } });
            return (StatusCode::BAD_REQUEST, error);
        }
        let turns = body["messages"].as_array().unwrap().len() / 2;
        let (tool, arguments) = match turns {
            1 => ("`temperature`", json!({ "city": "Oslo" })),
            2 => return completion(&json!({ "role": "assistant", "content": "I had rather chat." })),
            _ => ("finish", outputs()),
        };
        let text = format!(
            "[[ ## next_thought ## ]]\nHm.\n\n[[ ## next_tool_name ## ]]\n{tool}\n\n[[ ## next_tool_args ## ]]\n{arguments}\n\n[[ ## completed ## ]]"
        );
        completion(&json!({ "role": "assistant", "content": text }))
    })
    .await;
    let agent = ReAct::<Compare>::new(&lm, tools());
    let first = Stage::new();
    let reply = first.scope().run(agent.call(question(WARMER))).await.unwrap();
    assert_eq!(reply.verdict, Verdict::Warmer);
    insta::assert_snapshot!(first.tree(), @r"
    ReAct(Compare) [agent]
      turn 1 [span]
        chat gpt-4o-mini [generation] error: 400
          attempt 1 (400) [span] error: 400
        chat gpt-4o-mini [generation]
        execute_tool temperature [tool]
      turn 2 [span]
        chat gpt-4o-mini [generation]
      turn 3 [span]
        chat gpt-4o-mini [generation]
    ");
    insta::assert_snapshot!(told(&first), @r#"
    1 Hm.
      temperature({"city":"Oslo"}) -> -3.5
    2 I had rather chat.
    3 Hm. finished
    "#);
    assert_eq!(
        (first.count(EventName::AdapterFallback), first.count(EventName::AdapterParseError)),
        (1, 1)
    );
    // It is remembered: the second call does not try again.
    let second = Stage::new();
    second.scope().run(agent.call(question(WARMER))).await.unwrap();
    assert_eq!(second.count(EventName::LlmError), 0);
}

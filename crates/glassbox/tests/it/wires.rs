//! One program, three wire formats, whole and streamed, structured and not: the same answer and the same trace.

use crate::coffee_shop::{CoffeeShopAgent, iced_latte, latte};
use crate::provider::{Wire, sim};
use crate::stage::{Stage, generation};
use glassbox::trace::message::Role;
use glassbox::trace::span::Status;
use glassbox::{EventName, Module};

async fn check(wire: Wire, stream: bool, structured: bool) {
    let (sim, stage) = (sim(), Stage::new());
    let lm = wire.lm(&sim).stream(stream).structured_output(structured).build().unwrap();
    let agent = CoffeeShopAgent::new(&lm);
    let scope = stage.scope().name("order").session("s-1").user("u-4").tag("beta").tag("shop");
    let scope = scope.environment("test").release("abc123").version("v7").metadata("table", 12);
    let reply = scope.run(agent.call(latte())).await.unwrap();

    // The caller gets the typed answer and what it took.
    assert_eq!(reply.action, iced_latte());
    assert!(reply.friendly_response.starts_with("Good morning!"), "{}", reply.friendly_response);
    assert!(reply.reasoning().unwrap().starts_with("The customer places a clear order"));
    assert!(!reply.cost().is_unknown());

    // The trace is the program, and nothing else.
    let (_, model) = wire.model().split_once('/').unwrap();
    let expected = format!(
        "CoffeeShopAgent.forward [span]\n  ChainOfThought(CoffeeShop) [chain]\n    chat {model} [generation]\n"
    );
    assert_eq!(stage.tree(), expected);
    for span in stage.spans() {
        assert_eq!(span.status, Status::Ok);
        assert_eq!(Some(span.trace_id), reply.trace_id());
        let trace = &span.trace;
        let facts = [
            &trace.name,
            &trace.session_id,
            &trace.user_id,
            &trace.environment,
            &trace.release,
            &trace.version,
        ];
        let facts = facts.map(|fact| fact.as_deref().unwrap_or_default());
        assert_eq!(facts, ["order", "s-1", "u-4", "test", "abc123", "v7"], "{}", span.name);
        assert_eq!(trace.tags.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["beta", "shop"]);
        assert_eq!(trace.metadata, [("table".into(), 12.into())]);
    }

    // Input and output as they were typed, the reasoning first.
    for name in ["CoffeeShopAgent.forward", "ChainOfThought(CoffeeShop)"] {
        let span = stage.span(name);
        let input = span.input.as_ref().unwrap().render();
        assert_eq!(input["customer_mood"], "happy", "{name}");
        let output = span.output.as_ref().unwrap().render();
        let fields: Vec<_> = output.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["reasoning", "action", "friendly_response"], "{name}");
    }

    // The generation knows what the provider said.
    let span = stage.span(&format!("chat {model}"));
    let call = generation(&span);
    let received = sim.requests();
    let (input_tokens, output_tokens) = received[0].tokens.unwrap();
    assert_eq!(
        (call.usage.input_total(), call.usage.output_total()),
        (Some(input_tokens), Some(output_tokens))
    );
    let buckets = [
        call.usage.input,
        call.usage.cache_read,
        call.usage.cache_write,
        call.usage.output,
        call.usage.reasoning,
    ];
    assert_eq!(buckets.into_iter().flatten().sum::<u64>(), call.usage.total());
    assert_eq!(call.usage.total(), input_tokens + output_tokens);
    assert_eq!((call.usage, call.cost), (reply.usage(), reply.cost()));
    assert!(call.cost.total().unwrap() > 0.into());
    assert_eq!(&*call.request_model, model);
    assert_eq!(call.response_model.as_deref(), reply.model());
    assert!(reply.model().unwrap().starts_with(model), "{:?}", reply.model());
    assert!(call.response_id.as_deref().is_some_and(|id| id.len() > 8), "{:?}", call.response_id);
    let finish = match wire {
        Wire::OpenAi => "stop",
        Wire::Anthropic => "end_turn",
        Wire::Gemini => "STOP",
    };
    assert_eq!(call.finish_reasons, [finish.into()]);
    assert_eq!((call.attempts, call.backoff_wait.as_nanos()), (1, 0));
    assert_eq!(call.server_address.as_deref(), Some("127.0.0.1"));
    assert_eq!(call.server_port, Some(sim.address().port()));
    assert_eq!(
        call.messages.iter().map(|message| message.role).collect::<Vec<_>>(),
        [Role::System, Role::User]
    );
    assert!(call.output.as_ref().unwrap().to_text().contains("oat milk"));
    assert_eq!(call.parameters.stream, stream);
    assert_eq!(call.first_chunk.is_some(), stream);
    if let Some(first_chunk) = call.first_chunk {
        assert!(span.start <= first_chunk && Some(first_chunk) <= span.end);
    }

    // The events tell it in order.
    let names: Vec<_> = stage.events().iter().map(|event| event.name()).collect();
    let mut expected = vec![EventName::ModuleStart, EventName::ModuleStart, EventName::LlmRequest];
    expected.extend(stream.then_some(EventName::LlmFirstChunk));
    expected.extend([EventName::LlmAttempt, EventName::LlmGenerate, EventName::ReasoningComplete]);
    expected.extend([EventName::ModuleComplete, EventName::ModuleComplete]);
    assert_eq!(names, expected);
}

#[tokio::test]
async fn openai_whole() {
    check(Wire::OpenAi, false, true).await;
}

#[tokio::test]
async fn openai_streamed() {
    check(Wire::OpenAi, true, true).await;
}

#[tokio::test]
async fn openai_with_field_markers() {
    check(Wire::OpenAi, false, false).await;
}

#[tokio::test]
async fn openai_with_field_markers_streamed() {
    check(Wire::OpenAi, true, false).await;
}

#[tokio::test]
async fn anthropic_whole() {
    check(Wire::Anthropic, false, true).await;
}

#[tokio::test]
async fn anthropic_streamed() {
    check(Wire::Anthropic, true, true).await;
}

#[tokio::test]
async fn anthropic_with_field_markers() {
    check(Wire::Anthropic, false, false).await;
}

#[tokio::test]
async fn gemini_whole() {
    check(Wire::Gemini, false, true).await;
}

#[tokio::test]
async fn gemini_streamed() {
    check(Wire::Gemini, true, true).await;
}

#[tokio::test]
async fn gemini_with_field_markers() {
    check(Wire::Gemini, false, false).await;
}

#[tokio::test]
async fn four_customers_at_once_are_four_traces() {
    let (sim, stage) = (sim(), Stage::new());
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let agent = CoffeeShopAgent::new(&lm);
    let calls = crate::coffee_shop::customers().map(|customer| agent.call(customer));
    let replies = stage.scope().run(glassbox::join_all(calls)).await;
    let mut traces: Vec<_> =
        replies.into_iter().map(|reply| reply.unwrap().trace_id().unwrap()).collect();
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 4);
    assert_eq!(stage.spans().len(), 12);
}

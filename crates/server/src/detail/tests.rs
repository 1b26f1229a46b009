//! The same call in every dialect.

mod clients;

use super::SpanDetail;
use crate::message::{Message, Part};
use crate::received::{Origin, Phases, ReceivedSpan};
use crate::view::{Dollars, RawSpan, SpanSummary};
use crate::wire::WireSpan;
use glassbox_trace::span::Kind;
use glassbox_trace::usage::Usage;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::String(text) => Wire::StringValue(text.clone()),
        Value::Bool(flag) => Wire::BoolValue(*flag),
        Value::Array(items) => {
            Wire::ArrayValue(ArrayValue { values: items.iter().map(any).collect() })
        }
        number => match number.as_i64() {
            Some(whole) => Wire::IntValue(whole),
            None => Wire::DoubleValue(number.as_f64().unwrap()),
        },
    };
    AnyValue { value: Some(value) }
}

fn read(name: &str, attributes: &Value) -> (ReceivedSpan, Vec<Message>) {
    let (read, detail) = read_all(name, attributes);
    let messages = detail.messages.into_iter().flatten().chain(detail.reply).collect();
    (read, messages)
}

fn read_all(name: &str, attributes: &Value) -> (ReceivedSpan, SpanDetail) {
    let attributes = attributes.as_object().unwrap().iter();
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        start_time_unix_nano: 1_767_225_600_000_000_000,
        end_time_unix_nano: 1_767_225_601_000_000_000,
        attributes: attributes
            .map(|(key, value)| KeyValue {
                key: key.clone(),
                value: Some(any(value)),
                ..KeyValue::default()
            })
            .collect(),
        ..Span::default()
    };
    let bytes = span.encode_to_vec();
    let read = ReceivedSpan::read(&WireSpan::read(&bytes).unwrap(), &Origin::default());
    let summary = SpanSummary::of(&read);
    let context = read.context.clone();
    let (resource, scope) = Default::default();
    let raw = RawSpan { summary, context, bytes, resource, scope };
    (read, SpanDetail::read(raw))
}

/// Kind, model, provider, buckets (input, cache read, cache write, output, reasoning), cost in dollars, first chunk.
fn line(span: &ReceivedSpan) -> String {
    let Usage { input, cache_read, cache_write, output, reasoning } = span.usage;
    let buckets = [input, cache_read, cache_write, output, reasoning];
    let buckets =
        buckets.map(|tokens| tokens.map_or_else(|| "-".to_owned(), |tokens| tokens.to_string()));
    let cost = span.cost_pico.map_or(json!(null), |pico| json!(Dollars(pico)));
    format!(
        "{} {} {} {} {} {:?}",
        span.kind.as_str(),
        span.model.as_deref().unwrap_or("-"),
        span.provider.as_deref().unwrap_or("-"),
        buckets.join("/"),
        cost.as_str().unwrap_or("-"),
        span.phases.as_ref().and_then(|phases| phases.first_chunk_us),
    )
}

#[track_caller]
fn check(attributes: &Value, expected: &str, said: &[(&str, &str)]) -> ReceivedSpan {
    let (span, messages) = read("chat", attributes);
    assert_eq!(line(&span), expected);
    assert_said(&messages, said);
    span
}

/// Compares messages with who said what.
#[track_caller]
fn assert_said(messages: &[Message], said: &[(&str, &str)]) {
    let text = |message: &Message| {
        let texts = message.parts.iter().map(|part| match part {
            Part::Text { text } => text.clone(),
            Part::ToolCall { name, arguments, .. } => {
                format!("{name}({arguments})")
            }
            Part::ToolResult { id, content } => {
                format!("{}: {content}", id.as_deref().unwrap_or("-"))
            }
            other => format!("{other:?}"),
        });
        texts.collect::<Vec<_>>().join("|")
    };
    let messages: Vec<_> = messages.iter().map(|message| (message.role, text(message))).collect();
    let messages: Vec<_> = messages.iter().map(|(role, text)| (*role, text.as_str())).collect();
    assert_eq!(messages, said);
}

#[test]
fn genai_conventions() {
    let span = check(
        &json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18", "gen_ai.usage.input_tokens": 1200,
            "gen_ai.usage.cache_read.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
            "gen_ai.response.time_to_first_chunk": 0.25, "gen_ai.conversation.id": "c",
            "gen_ai.system_instructions": r#"[{"type":"text","content":"Be brief"}]"#,
            "gen_ai.input.messages": r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#,
            "gen_ai.output.messages": r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"brew","arguments":{"size":"large"}}],"finish_reason":"tool_call"}]"#,
        }),
        "generation gpt-4o-mini openai 200/1000/-/100/- 0.000165 Some(250000)",
        &[("system", "Be brief"), ("user", "Hi"), ("assistant", r#"brew({"size":"large"})"#)],
    );
    assert_eq!(span.context.session_id.as_deref(), Some("c"));
}

#[test]
fn older_genai_conventions_as_openllmetry_has_them() {
    check(
        &json!({
            "gen_ai.system": "OpenAI", "llm.request.type": "chat", "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.usage.prompt_tokens": 1200, "gen_ai.usage.completion_tokens": 100,
            "gen_ai.usage.cache_read_input_tokens": 1000, "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Hi", "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Hello",
        }),
        "generation gpt-4o-mini openai 200/1000/-/100/- 0.000165 None",
        &[("user", "Hi"), ("assistant", "Hello")],
    );
    let (workflow, _) = read(
        "order.workflow",
        &json!({"traceloop.span.kind": "workflow", "traceloop.entity.input": r#"{"args":["Hi"]}"#,
            "traceloop.association.properties.user_id": "ada", "gen_ai.usage.input_tokens": 5}),
    );
    assert_eq!(line(&workflow), "chain - - -/-/-/-/- - None");
    assert!(workflow.has_input && !workflow.has_output);
    assert_eq!(workflow.context.user_id.as_deref(), Some("ada"));
}

#[test]
fn openinference() {
    let span = check(
        &json!({
            "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o-mini", "llm.provider": "openai",
            "llm.token_count.prompt": 1200, "llm.token_count.prompt_details.cache_read": 1000,
            "llm.token_count.completion": 100, "llm.token_count.completion_details.reasoning": 40,
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "Hi",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "brew",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": r#"{"size":"large"}"#,
            "session.id": "s", "user.id": "u", "tag.tags": ["a", "b"], "metadata": r#"{"shop": 7}"#,
        }),
        "generation gpt-4o-mini openai 200/1000/-/60/40 0.000165 None",
        &[("user", "Hi"), ("assistant", r#"brew({"size":"large"})"#)],
    );
    let context = &span.context;
    assert_eq!((context.session_id.as_deref(), context.user_id.as_deref()), (Some("s"), Some("u")));
    assert_eq!(
        (context.tags.join(","), context.metadata["shop"].clone()),
        ("a,b".to_owned(), json!(7))
    );
    let (reranker, _) = read("rerank", &json!({"openinference.span.kind": "RERANKER"}));
    assert_eq!(reranker.kind, Kind::Retriever);
}

#[test]
fn langfuse_keys() {
    let span = check(
        &json!({
            "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini",
            "langfuse.observation.usage_details": r#"{"input":200,"input_cached_tokens":1000,"output":100,"total":1300}"#,
            "langfuse.observation.cost_details": r#"{"input":0.1,"output":0.2,"total":0.5}"#,
            "langfuse.observation.completion_start_time": "2026-01-01T00:00:00.250Z",
            "langfuse.observation.input": r#"{"messages":[{"role":"user","content":"Hi"}],"tools":[]}"#,
            "langfuse.observation.output": "Hello", "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": "cut off", "langfuse.environment": "prod",
            "langfuse.trace.tags": r#"["a"]"#, "langfuse.trace.name": "order", "langfuse.trace.metadata.shop": "7",
        }),
        "generation gpt-4o-mini - 200/1000/-/100/- 0.5 Some(250000)",
        &[("user", "Hi"), ("assistant", "Hello")],
    );
    assert_eq!(span.error.unwrap().message, "cut off");
    assert_eq!(
        (span.context.name.as_deref(), span.context.environment.as_deref()),
        (Some("order"), Some("prod"))
    );
    let openai = json!({
        "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini",
        "langfuse.observation.usage_details": r#"{"prompt_tokens":1200,"completion_tokens":100,"total_tokens":1300,"prompt_tokens_details":{"cached_tokens":1000}}"#,
    });
    check(&openai, "generation gpt-4o-mini - 200/1000/-/100/- 0.000165 None", &[]);
}

#[test]
fn vercel() {
    let call = json!({
        "ai.operationId": "ai.streamText.doStream", "ai.model.id": "gpt-4o-mini", "ai.model.provider": "openai.chat",
        "ai.usage.inputTokens": 1200, "ai.usage.cachedInputTokens": 1000, "ai.usage.outputTokens": 100,
        "ai.response.msToFirstChunk": 250.0, "ai.telemetry.metadata.userId": "ada",
        "ai.prompt.messages": r#"[{"role":"user","content":[{"type":"text","text":"Hi"}]}]"#,
        "ai.response.text": "Hello",
    });
    let span = check(
        &call,
        "generation gpt-4o-mini openai 200/1000/-/100/- 0.000165 Some(250000)",
        &[("user", "Hi"), ("assistant", "Hello")],
    );
    assert_eq!(span.context.user_id.as_deref(), Some("ada"));
    let wrapper = json!({"ai.operationId": "ai.streamText", "ai.model.id": "gpt-4o-mini", "ai.usage.inputTokens": 1200});
    assert_eq!(line(&read("ai.streamText", &wrapper).0), "chain - - -/-/-/-/- - None");
    let tool = json!({"ai.operationId": "ai.toolCall", "ai.toolCall.name": "brew", "ai.toolCall.args": "{}"});
    let tool = read("ai.toolCall", &tool).0;
    assert_eq!((tool.kind, tool.tool.as_deref(), tool.has_input), (Kind::Tool, Some("brew"), true));
    assert_eq!(tool.name, "ai.toolCall brew");
}

#[test]
fn glassbox_itself() {
    let (span, _) = read(
        "chat gpt-4o-mini",
        &json!({
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "glassbox.lm.attempts": 3,
            "glassbox.lm.wait.limiter_s": 0.5, "glassbox.lm.wait.backoff_s": 1.5, "glassbox.lm.wait.retry_after_s": 1.0,
            "glassbox.lm.cache.hit": true, "error.type": "429",
        }),
    );
    let expected = Phases {
        limiter_wait_us: 500_000,
        backoff_us: 1_500_000,
        retry_after_us: 1_000_000,
        first_chunk_us: None,
        attempts: 3,
        cache_hit: true,
    };
    assert_eq!(span.phases, Some(expected));
    assert_eq!((span.error, span.cost_pico), (None, None));
}

//! Spans with a text in every field that can hold one.

use crate::spans::{child, root};
use glassbox_trace::id::SpanId;
use glassbox_trace::message::{Message, Part, Role, ToolCall, ToolDefinition, ToolResult};
use glassbox_trace::otlp::Resource;
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{
    Agent, Chain, Detail, Embedding, Evaluator, Generation, Guardrail, Note, Parameters,
    PromptLink, RemoteParent, Retriever, Span, Status, Tool, TraceAttributes,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// One span of every kind, some failed, with a text in each field.
pub(crate) fn spans(text: &str) -> Vec<Span> {
    let text: Arc<str> = text.into();
    details(&text)
        .into_iter()
        .enumerate()
        .flat_map(|(kind, detail)| {
            let plain = Span { detail, ..span(&text, kind) };
            let failed = Span {
                status: Status::error(Arc::clone(&text), Arc::clone(&text)),
                ..plain.clone()
            };
            [plain, failed]
        })
        .collect()
}

/// A resource with a text in each field.
pub(crate) fn resource(text: &str) -> Resource {
    Resource {
        service_name: text.into(),
        service_version: Some(text.into()),
        environment: Some(text.into()),
        release: Some(text.into()),
        attributes: vec![(text.into(), text.into()), ("plain".into(), text.into())],
    }
}

fn span(text: &Arc<str>, kind: usize) -> Span {
    let parent = RemoteParent {
        trace_id: root("").trace_id,
        span_id: SpanId::from_bytes([7; 8]),
        sampled: true,
        trace_state: Some(Arc::clone(text)),
    };
    let trace = TraceAttributes {
        name: Some(Arc::clone(text)),
        session_id: Some(Arc::clone(text)),
        user_id: Some(Arc::clone(text)),
        tags: vec![Arc::clone(text)],
        metadata: keyed(text),
        environment: Some(Arc::clone(text)),
        release: Some(Arc::clone(text)),
        version: Some(Arc::clone(text)),
        remote_parent: Some(Arc::new(parent)),
    };
    let payload = |kind: usize| match kind % 3 {
        0 => Payload::from(text.as_ref()),
        1 => Payload::from(json!({text.as_ref(): [text.as_ref(), {"deep": text.as_ref()}]})),
        _ => Payload::from(json!({"inner": value(text).to_string()}).to_string()),
    };
    let note = Note { at: Default::default(), name: Arc::clone(text), message: Arc::clone(text) };
    Span {
        trace: Arc::new(trace),
        input: Some(payload(kind)),
        output: Some(payload(kind + 1)),
        notes: vec![note],
        attributes: keyed(text),
        ..child(text)
    }
}

/// Facts with a text as key, and in values of all shapes.
fn keyed(text: &Arc<str>) -> Vec<(Arc<str>, Value)> {
    vec![
        (Arc::clone(text), json!(1)),
        ("text".into(), text.as_ref().into()),
        ("list".into(), json!([text.as_ref()])),
        ("object".into(), value(text)),
        ("json".into(), value(text).to_string().into()),
    ]
}

/// JSON with a text in it, or the JSON that the text is.
fn value(text: &str) -> Value {
    let parsed = serde_json::from_str(text).unwrap_or(Value::Null);
    json!({ "parsed": parsed, "text": text, text: [text, null, 1] })
}

fn details(text: &Arc<str>) -> Vec<Detail> {
    let t = || Arc::clone(text);
    let some = || Some(Arc::clone(text));
    let call = || ToolCall { id: t(), name: t(), arguments: value(text) };
    let result = |result| Part::ToolResult(ToolResult { id: t(), result });
    let parts = || vec![Part::Text(t()), Part::Reasoning(t()), Part::ToolCall(call())];
    let generation = Generation {
        provider: t(),
        request_model: t(),
        response_model: some(),
        response_id: some(),
        finish_reasons: vec![t()],
        parameters: Parameters {
            stop_sequences: vec![t()],
            reasoning_effort: some(),
            service_tier: some(),
            ..Parameters::default()
        },
        messages: [
            Message::system(t()),
            Message { role: Role::User, parts: vec![Part::Text(t()), Part::Text(t())] },
            Message { role: Role::Assistant, parts: parts() },
            Message {
                role: Role::Tool,
                parts: vec![result(value(text)), result(text.as_ref().into())],
            },
        ]
        .into(),
        output: Some(Message { role: Role::Assistant, parts: parts() }),
        tools: [ToolDefinition { name: t(), description: t(), parameters: value(text) }].into(),
        server_address: some(),
        prompt: Some(PromptLink { name: t(), version: 1 }),
        ..Generation::default()
    };
    let alone =
        Generation { messages: [].into(), tools: [].into(), output: None, ..generation.clone() };
    let embedding = Embedding {
        provider: t(),
        request_model: t(),
        response_model: some(),
        ..Embedding::default()
    };
    vec![
        Detail::Span,
        Detail::Event,
        Detail::Generation(Box::new(generation)),
        Detail::Generation(Box::new(alone)),
        Detail::Attempt(Default::default()),
        Detail::Agent(Agent { name: t(), signature: some() }),
        Detail::Tool(Tool { name: t(), call_id: some(), description: some() }),
        Detail::Chain(Chain { signature: some() }),
        Detail::Retriever(Retriever { source: some(), top_k: None }),
        Detail::Embedding(Box::new(embedding)),
        Detail::Evaluator(Evaluator { name: t(), score: None, label: some() }),
        Detail::Guardrail(Guardrail { name: t(), passed: None }),
    ]
}

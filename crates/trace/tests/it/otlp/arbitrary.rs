//! Arbitrary spans, within what both profiles can carry; and what is left of them after Langfuse's.

use glassbox_trace::cost::{Cost, CostDetails};
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::message::{Message, Part, Role, ToolCall, ToolDefinition, ToolResult};
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{
    Agent, Attempt, Chain, Detail, Embedding, Evaluator, Generation, Guardrail, Note, OutputType,
    Parameters, PromptLink, Retriever, Span, Status, Tool, TraceAttributes,
};
use glassbox_trace::time::Timestamp;
use glassbox_trace::usage::Usage;
use proptest::collection::vec;
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::option;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Nanoseconds that survive being seconds in a double.
const NANOS: u64 = 11 * 24 * 3600 * 1_000_000_000;

fn text() -> BoxedStrategy<Arc<str>> {
    prop_oneof![
        "\\PC{0,12}",
        "[a-z]{1,6}",
        Just("{\"a\":1}".to_owned()),
        Just("[]".to_owned()),
        Just("7".to_owned())
    ]
    .prop_map(Arc::from)
    .boxed()
}

fn name() -> BoxedStrategy<Arc<str>> {
    "[A-Za-z(), .é]{1,20}".prop_map(Arc::from).boxed()
}

fn float() -> BoxedStrategy<f64> {
    (POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO).boxed()
}

pub(crate) fn value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        float().prop_map(Value::from),
        text().prop_map(|text| Value::from(text.as_ref())),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z]{1,4}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
    .boxed()
}

fn payload() -> BoxedStrategy<Payload> {
    prop_oneof![
        text().prop_map(|text| Payload::from(text.as_ref())),
        value().prop_map(Payload::from)
    ]
    .boxed()
}

fn duration() -> BoxedStrategy<Duration> {
    prop_oneof![Just(0), 0..NANOS].prop_map(Duration::from_nanos).boxed()
}

/// Facts under keys of their own.
fn facts() -> BoxedStrategy<Vec<(Arc<str>, Value)>> {
    let keyed = |values: Vec<Value>| {
        let keys = (0..).map(|at| Arc::from(format!("app.fact_{at}")));
        keys.zip(values).collect()
    };
    vec(value(), 0..4).prop_map(keyed).boxed()
}

fn usage() -> BoxedStrategy<Usage> {
    let bucket = || option::of(prop_oneof![Just(0), 0..1_u64 << 38]);
    (bucket(), bucket(), bucket(), bucket(), bucket())
        .prop_map(|(input, cache_read, cache_write, output, reasoning)| Usage {
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
        })
        .boxed()
}

fn cost() -> BoxedStrategy<Cost> {
    let dollars = || {
        (0..1_000_000_000_i64, 0..13_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale))
    };
    let details = (dollars(), dollars(), dollars(), dollars(), dollars());
    let known = details.prop_map(|(input, cache_read, cache_write, output, reasoning)| {
        Cost::known(CostDetails { input, cache_read, cache_write, output, reasoning })
    });
    prop_oneof![Just(Cost::UNKNOWN), Just(Cost::ZERO), known].boxed()
}

fn message() -> BoxedStrategy<Message> {
    let role =
        prop_oneof![Just(Role::System), Just(Role::User), Just(Role::Assistant), Just(Role::Tool)];
    let part = prop_oneof![
        text().prop_map(Part::Text),
        text().prop_map(Part::Reasoning),
        (text(), text(), value()).prop_map(|(id, name, arguments)| Part::ToolCall(ToolCall {
            id,
            name,
            arguments
        })),
        (text(), value()).prop_map(|(id, result)| Part::ToolResult(ToolResult { id, result })),
    ];
    (role, vec(part, 0..4)).prop_map(|(role, parts)| Message { role, parts }).boxed()
}

fn tool() -> BoxedStrategy<ToolDefinition> {
    (text(), text(), value())
        .prop_map(|(name, description, parameters)| ToolDefinition {
            name,
            description,
            parameters,
        })
        .boxed()
}

fn parameters() -> BoxedStrategy<Parameters> {
    let numbers = (
        option::of(float()),
        option::of(float()),
        option::of(any::<u64>()),
        option::of(any::<u64>()),
    );
    let texts = (vec(text(), 0..3), option::of(text()), option::of(text()), any::<bool>());
    (numbers, texts)
        .prop_map(|((temperature, top_p, max_tokens, seed), texts)| {
            let (stop_sequences, reasoning_effort, service_tier, stream) = texts;
            Parameters {
                temperature,
                top_p,
                max_tokens,
                seed,
                stop_sequences,
                reasoning_effort,
                service_tier,
                stream,
            }
        })
        .boxed()
}

fn generation(start: Timestamp) -> BoxedStrategy<Generation> {
    let who = (text(), text(), option::of(text()), option::of(text()), vec(text(), 0..3));
    let what = (
        parameters(),
        option::of(prop_oneof![Just(OutputType::Text), Just(OutputType::Json)]),
        vec(message(), 0..4),
        option::of(message()),
        vec(tool(), 0..2),
    );
    let counts = (
        usage(),
        cost(),
        option::of(0..NANOS),
        any::<u32>(),
        duration(),
        duration(),
        duration(),
        any::<bool>(),
    );
    let prompt = (text(), 1..=u32::MAX).prop_map(|(name, version)| PromptLink { name, version });
    let place = (option::of(text()), option::of(any::<u16>()), option::of(prompt));
    (who, what, counts, place)
        .prop_map(move |(who, what, counts, place)| {
            let (provider, request_model, response_model, response_id, finish_reasons) = who;
            let (parameters, output_type, messages, output, tools) = what;
            let (
                usage,
                cost,
                first_chunk,
                attempts,
                limiter_wait,
                backoff_wait,
                retry_after_wait,
                cache_hit,
            ) = counts;
            let (server_address, server_port, prompt) = place;
            Generation {
                provider,
                request_model,
                response_model,
                response_id,
                finish_reasons,
                parameters,
                output_type,
                messages: messages.into(),
                // Only what a model says comes back.
                output: output.map(|message| Message {
                    parts: message
                        .parts
                        .into_iter()
                        .filter(|part| !matches!(part, Part::ToolResult(_)))
                        .collect(),
                    ..message
                }),
                tools: tools.into(),
                usage,
                cost,
                first_chunk: first_chunk.map(|nanos| start.after(Duration::from_nanos(nanos))),
                attempts,
                limiter_wait,
                backoff_wait,
                retry_after_wait,
                cache_hit,
                server_address,
                server_port,
                prompt,
            }
        })
        .boxed()
}

fn embedding() -> BoxedStrategy<Embedding> {
    (text(), text(), option::of(text()), option::of(any::<u32>()), usage(), cost())
        .prop_map(|(provider, request_model, response_model, dimensions, usage, cost)| Embedding {
            provider,
            request_model,
            response_model,
            dimensions,
            usage,
            cost,
        })
        .boxed()
}

fn detail(start: Timestamp) -> BoxedStrategy<Detail> {
    prop_oneof![
        2 => prop_oneof![Just(Detail::Span), Just(Detail::Event)],
        5 => generation(start).prop_map(|generation| Detail::Generation(Box::new(generation))),
        1 => embedding().prop_map(|embedding| Detail::Embedding(Box::new(embedding))),
        1 => (1..=u32::MAX, option::of(any::<u16>()), option::of(duration())).prop_map(
            |(number, http_status, retry_after)| Detail::Attempt(Attempt { number, http_status, retry_after })
        ),
        1 => (text(), option::of(text())).prop_map(|(name, signature)| Detail::Agent(Agent { name, signature })),
        1 => (text(), option::of(text()), option::of(text()))
            .prop_map(|(name, call_id, description)| Detail::Tool(Tool { name, call_id, description })),
        1 => option::of(text()).prop_map(|signature| Detail::Chain(Chain { signature })),
        1 => (option::of(text()), option::of(any::<u32>()))
            .prop_map(|(source, top_k)| Detail::Retriever(Retriever { source, top_k })),
        1 => (text(), option::of(float()), option::of(text()))
            .prop_map(|(name, score, label)| Detail::Evaluator(Evaluator { name, score, label })),
        1 => (text(), option::of(any::<bool>()))
            .prop_map(|(name, passed)| Detail::Guardrail(Guardrail { name, passed })),
    ].boxed()
}

fn trace() -> BoxedStrategy<TraceAttributes> {
    let shared =
        (option::of(text()), option::of(text()), option::of(text()), vec(text(), 0..3), facts());
    let versions = (
        option::of("[a-kmz0-9-]{1,12}".prop_map(Arc::from)),
        option::of(text()),
        option::of(text()),
    );
    (shared, versions)
        .prop_map(
            |((name, session_id, user_id, tags, metadata), (environment, release, version))| {
                TraceAttributes {
                    name,
                    session_id,
                    user_id,
                    tags,
                    metadata,
                    environment,
                    release,
                    version,
                    remote_parent: None,
                }
            },
        )
        .boxed()
}

fn note() -> BoxedStrategy<Note> {
    (any::<u64>(), text(), text())
        .prop_map(|(nanos, name, message)| Note {
            at: Timestamp::from_unix_nanos(nanos),
            name,
            message,
        })
        .boxed()
}

/// A span that both profiles can carry, but for what [`langfuse_normal`] does to it.
pub(crate) fn span() -> BoxedStrategy<Span> {
    let frame = (
        1..=u128::MAX,
        1..=u64::MAX,
        option::of(1..=u64::MAX),
        name(),
        1..1_u64 << 62,
        option::of(0..NANOS),
    );
    frame
        .prop_flat_map(|(trace_id, span_id, parent_id, name, start, duration)| {
            let start = Timestamp::from_unix_nanos(start);
            let status = prop_oneof![
                Just(Status::Ok),
                (text(), text()).prop_map(|(kind, message)| Status::error(kind, message))
            ];
            let content =
                (option::of(payload()), option::of(payload()), vec(note(), 0..3), facts());
            (status, trace(), content, detail(start)).prop_map(
                move |(status, trace, content, detail)| {
                    let (input, output, notes, attributes) = content;
                    let is_generation = matches!(detail, Detail::Generation(_));
                    Span {
                        trace_id: TraceId::from_bytes(trace_id.to_be_bytes()),
                        span_id: SpanId::from_bytes(span_id.to_be_bytes()),
                        parent_id: parent_id.map(|id| SpanId::from_bytes(id.to_be_bytes())),
                        name: Arc::clone(&name),
                        start,
                        end: duration.map(|nanos| start.after(Duration::from_nanos(nanos))),
                        status,
                        trace: Arc::new(trace),
                        input: input.filter(|_| !is_generation),
                        output: output.filter(|_| !is_generation),
                        notes,
                        detail,
                        attributes: attributes.into_iter().filter_map(free_attribute).collect(),
                    }
                },
            )
        })
        .boxed()
}

/// What is left of a free attribute: nothing of null, and the text of what OTLP's attributes cannot be.
fn free_attribute((key, value): (Arc<str>, Value)) -> Option<(Arc<str>, Value)> {
    let is_plain = |items: &[Value]| {
        let all = |of: fn(&Value) -> bool| items.iter().all(of);
        !items.is_empty()
            && (all(Value::is_string)
                || all(Value::is_boolean)
                || all(Value::is_i64)
                || all(Value::is_f64))
    };
    match &value {
        Value::Null => None,
        Value::Array(items) if is_plain(items) => Some((key, value)),
        Value::Array(_) | Value::Object(_) => Some((key, value.to_string().into())),
        _ => Some((key, value)),
    }
}

/// What Langfuse's profile leaves of a span.
pub(crate) fn langfuse_normal(span: &Span) -> Span {
    let mut span = span.clone();
    let normal = |payload: Payload| Payload::from(from_text(payload.to_text()));
    (span.input, span.output) = (span.input.map(normal), span.output.map(normal));
    let trace = Arc::make_mut(&mut span.trace);
    trace.metadata.retain(|(_, value)| !value.is_null());
    for (_, value) in &mut trace.metadata {
        if let Value::String(text) = value {
            *value = from_text(std::mem::take(text));
        }
    }
    match &mut span.detail {
        Detail::Generation(generation) => {
            generation.messages = generation.messages.iter().flat_map(chat_normal).collect();
            generation.output =
                generation.output.as_ref().map(|message| chat_normal(message).remove(0));
            generation.first_chunk = generation.first_chunk.map(|at| {
                let nanos = at.unix_nanos();
                Timestamp::from_unix_nanos(nanos - nanos % 1_000_000)
            });
            usage_normal(&mut generation.usage, &generation.cost);
        }
        Detail::Embedding(embedding) => usage_normal(&mut embedding.usage, &embedding.cost),
        _ => {}
    }
    span
}

/// Reasoning without a cost of its own is told as a part of the output, which is known then.
fn usage_normal(usage: &mut Usage, cost: &Cost) {
    if cost.is_unknown() && usage.reasoning.is_some_and(|tokens| tokens > 0) {
        usage.output.get_or_insert(0);
    }
}

/// What a text looks like.
fn from_text(text: String) -> Value {
    match serde_json::from_str(&text) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) if text.starts_with(['{', '[']) => value,
        _ => Value::String(text),
    }
}

/// A message in the order of OpenAI's chat format, after its tool results, which are messages of their own.
fn chat_normal(message: &Message) -> Vec<Message> {
    let mut messages = Vec::new();
    let (mut reasoning, mut texts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::Reasoning(text) => reasoning.push(text.as_ref()),
            Part::Text(_) => texts.push(part.clone()),
            Part::ToolCall(_) => calls.push(part.clone()),
            Part::ToolResult(ToolResult { id, result }) => {
                let result = from_text(Payload::from(result.clone()).to_text());
                let parts = vec![Part::ToolResult(ToolResult { id: Arc::clone(id), result })];
                messages.push(Message { role: Role::Tool, parts });
            }
        }
    }
    let reasoning = (!reasoning.is_empty()).then(|| Part::Reasoning(reasoning.join("\n\n").into()));
    let parts: Vec<_> = reasoning.into_iter().chain(texts).chain(calls).collect();
    if messages.is_empty() || !parts.is_empty() {
        messages.push(Message { role: message.role, parts });
    }
    messages
}

//! The profile of OpenTelemetry's GenAI conventions and OpenInference.

use super::key_value;
use crate::cost::Cost;
use crate::otlp::content::Said;
use crate::otlp::field::{
    CACHE_READ_TOKENS, CACHE_WRITE_TOKENS, COST_CACHE_READ, COST_CACHE_WRITE, COST_INPUT,
    COST_OUTPUT, COST_REASONING, COST_TOTAL, Field, INPUT, INPUT_MIME_TYPE, INPUT_TOKENS,
    MAX_TOKENS, MESSAGES, NOTE_MESSAGE, OUTPUT, OUTPUT_MESSAGE, OUTPUT_MIME_TYPE, OUTPUT_TOKENS,
    PROMPT_NAME, PROMPT_VERSION, REASONING_EFFORT, REASONING_TOKENS, REQUEST_MODEL, RESEND_COUNT,
    RESPONSE_MODEL, SEED, SERVICE_TIER, STOP_SEQUENCES, STREAM, Shape, TEMPERATURE,
    TIME_TO_FIRST_CHUNK, TOOLS, TOP_P,
};
use crate::otlp::writer::Writer;
use crate::otlp::{Content, Profile, parts};
use crate::payload::Payload;
use crate::span::{Detail, Embedding, Generation, Note, Parameters, Span};
use crate::usage::Usage;
use crate::vocabulary::{gen_ai, glassbox, openinference};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Writes what only this profile writes, or writes in its own way.
pub(super) fn write(span: &Span, out: &mut Writer<'_>) {
    let shape = Shape::of(&span.detail);
    let words = [
        (gen_ai::OPERATION_NAME, shape.operation()),
        (openinference::SPAN_KIND, shape.openinference()),
        (glassbox::KIND, shape.own_name()),
    ];
    for (key, word) in words {
        if let Some(word) = word {
            out.word(&Field::only(key), word);
        }
    }
    if let (Some(_), Some(session)) = (shape.operation(), &span.trace.session_id) {
        out.text(&Field::only(gen_ai::CONVERSATION_ID), session);
    }
    match &span.detail {
        Detail::Generation(generation) => write_generation(span, generation, out),
        Detail::Embedding(embedding) => write_embedding(embedding, out),
        Detail::Tool(_) => out.word(&Field::only(gen_ai::TOOL_TYPE), "function"),
        Detail::Attempt(attempt) => {
            out.positive_count(&RESEND_COUNT, attempt.number.saturating_sub(1).into());
        }
        _ => {}
    }
    write_payload(&INPUT, &INPUT_MIME_TYPE, span.input.as_ref(), out);
    write_payload(&OUTPUT, &OUTPUT_MIME_TYPE, span.output.as_ref(), out);
}

/// A note as a span event.
pub(super) fn event(note: &Note, out: &Writer<'_>) -> Event {
    let key = NOTE_MESSAGE.key(Profile::OpenTelemetry);
    Event {
        time_unix_nano: note.at.unix_nanos(),
        name: out.cleaned(&note.name),
        attributes: vec![key_value(key, out.said(&note.message).into())],
        dropped_attributes_count: 0,
    }
}

/// Writes the facts on the trace as one JSON object, as OpenInference has them.
pub(super) fn trace_metadata(metadata: &[(Arc<str>, Value)], out: &mut Writer<'_>) {
    if !metadata.is_empty() {
        let object: Map<String, Value> =
            metadata.iter().map(|(key, value)| (key.as_ref().to_owned(), value.clone())).collect();
        out.json(&Field::only(openinference::METADATA), &object);
    }
}

fn write_payload(
    field: &Field,
    mime_type: &Field,
    payload: Option<&Payload>,
    out: &mut Writer<'_>,
) {
    if let Some(payload) = payload.filter(|_| out.encoding.content != Content::None) {
        let is_json = out.payload(field, payload);
        out.word(mime_type, if is_json { "application/json" } else { "text/plain" });
    }
}

fn write_generation(span: &Span, generation: &Generation, out: &mut Writer<'_>) {
    out.name(&REQUEST_MODEL, &generation.request_model);
    out.optional_text(&RESPONSE_MODEL, generation.response_model.as_ref());
    write_parameters(&generation.parameters, &generation.provider, out);
    if let Some(first_chunk) = generation.first_chunk {
        out.seconds(&TIME_TO_FIRST_CHUNK, first_chunk.since(span.start));
    }
    write_usage(&generation.usage, out);
    write_cost(&generation.cost, out);
    if let Some(prompt) = &generation.prompt {
        out.text(&PROMPT_NAME, &prompt.name);
        out.word(&PROMPT_VERSION, prompt.version.to_string());
    }
    let Some(said) = Said::of(generation, out.encoding.content) else { return };
    if !said.messages.is_empty() {
        out.json(&MESSAGES, &parts::messages(&said.messages));
    }
    if let Some(message) = &said.output {
        let reason = generation.finish_reasons.first().map(AsRef::as_ref);
        let reason = parts::finish_reason(reason, span.status.is_error());
        out.json(&OUTPUT_MESSAGE, &parts::output(message, reason));
    }
    if !said.tools.is_empty() {
        out.json(&TOOLS, &parts::tools(&said.tools));
    }
}

fn write_embedding(embedding: &Embedding, out: &mut Writer<'_>) {
    out.name(&REQUEST_MODEL, &embedding.request_model);
    out.optional_text(&RESPONSE_MODEL, embedding.response_model.as_ref());
    write_usage(&embedding.usage, out);
    write_cost(&embedding.cost, out);
}

fn write_parameters(parameters: &Parameters, provider: &str, out: &mut Writer<'_>) {
    out.number(&TEMPERATURE, parameters.temperature);
    out.number(&TOP_P, parameters.top_p);
    out.optional_count(&MAX_TOKENS, parameters.max_tokens);
    out.optional_count(&SEED, parameters.seed);
    out.texts(&STOP_SEQUENCES, &parameters.stop_sequences);
    out.optional_text(&REASONING_EFFORT, parameters.reasoning_effort.as_ref());
    let tier = if provider == "openai" {
        &Field::only(gen_ai::OPENAI_REQUEST_SERVICE_TIER)
    } else {
        &SERVICE_TIER
    };
    out.optional_text(tier, parameters.service_tier.as_ref());
    out.only_true(&STREAM, parameters.stream);
}

/// Writes inclusive counts, as the conventions have them. A total whose own bucket is unknown would be a guess.
fn write_usage(usage: &Usage, out: &mut Writer<'_>) {
    out.optional_count(&INPUT_TOKENS, usage.input.and(usage.input_total()));
    out.optional_count(&CACHE_READ_TOKENS, usage.cache_read);
    out.optional_count(&CACHE_WRITE_TOKENS, usage.cache_write);
    out.optional_count(&OUTPUT_TOKENS, usage.output.and(usage.output_total()));
    out.optional_count(&REASONING_TOKENS, usage.reasoning);
}

fn write_cost(cost: &Cost, out: &mut Writer<'_>) {
    let Some(details) = cost.details() else { return };
    out.number(&COST_TOTAL, details.total().to_f64());
    let buckets = [
        (&COST_INPUT, details.input),
        (&COST_CACHE_READ, details.cache_read),
        (&COST_CACHE_WRITE, details.cache_write),
        (&COST_OUTPUT, details.output),
        (&COST_REASONING, details.reasoning),
    ];
    for (field, dollars) in buckets {
        if dollars != Decimal::ZERO {
            out.number(field, dollars.to_f64());
        }
    }
}

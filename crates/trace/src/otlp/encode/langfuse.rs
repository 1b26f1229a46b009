//! The profile of Langfuse's own keys, with care for what its ingestion does with them.

use crate::cost::Cost;
use crate::otlp::content::{self, Said};
use crate::otlp::field::{
    AS_ROOT, ATTEMPT, COST_DETAILS, COST_UNKNOWN, FIRST_CHUNK, FOLDED_REASONING, Field, INPUT,
    IS_APP_ROOT, LANGFUSE_MODEL, LEVEL, NOTES, OUTPUT, PARAMETERS, PROMPT_NAME, PROMPT_VERSION,
    REQUEST_MODEL, STATUS_MESSAGE, USAGE_DETAILS, USAGE_UNKNOWN,
};
use crate::otlp::writer::Writer;
use crate::otlp::{Content, chat};
use crate::span::{Detail, Generation, Note, Parameters, Span, SpanError, Status};
use crate::time::Timestamp;
use crate::usage::Usage;
use crate::vocabulary::langfuse;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// The most characters of a name, a user, a session or a tag: Langfuse's own SDK drops longer ones.
const SHORT_CHARS: usize = 200;

/// The most characters of an environment's name.
const ENVIRONMENT_CHARS: usize = 40;

/// Langfuse's names of the buckets of usage and cost, in the order of ours; prices are looked up by them.
const BUCKETS: [&str; 5] =
    ["input", "input_cached_tokens", "input_cache_creation", "output", "output_reasoning_tokens"];

/// Writes what only this profile writes, or writes in its own way.
pub(super) fn write(span: &Span, out: &mut Writer<'_>) {
    out.word(&Field::only(langfuse::OBSERVATION_TYPE), span.kind().as_str());
    if span.parent_id.is_some() && span.is_local_root() {
        // Both write paths of Langfuse, each by its own name and type.
        out.flag(&IS_APP_ROOT, true);
        out.word(&AS_ROOT, "true");
    }
    write_level(span, out);
    let is_error = span.status.is_error();
    let (mut input, mut output) = (false, false);
    match &span.detail {
        Detail::Generation(generation) => {
            write_generation(generation, is_error, out);
            (input, output) = write_messages(generation, out);
        }
        Detail::Embedding(embedding) => {
            write_models(&embedding.request_model, embedding.response_model.as_deref(), out);
            write_usage_and_cost(&embedding.usage, &embedding.cost, is_error, out);
        }
        Detail::Attempt(attempt) => out.count(&ATTEMPT, attempt.number.into()),
        _ => {}
    }
    if out.encoding.content != Content::None {
        if let Some(payload) = span.input.as_ref().filter(|_| !input) {
            out.payload(&INPUT, payload);
        }
        if let Some(payload) = span.output.as_ref().filter(|_| !output) {
            out.payload(&OUTPUT, payload);
        }
    }
}

/// Returns what to put before a free attribute's key: Langfuse's own keys go as they are, all others as metadata, where
/// they can be filtered by and where a key such as `input` or `gen_ai.operation.name` cannot take over the observation.
pub(super) fn free_prefix(key: &str) -> &'static str {
    if key.starts_with(langfuse::PREFIX) { "" } else { langfuse::OBSERVATION_METADATA }
}

/// Writes the facts on the trace, a key each.
pub(super) fn trace_metadata(metadata: &[(Arc<str>, Value)], out: &mut Writer<'_>) {
    for (key, value) in metadata {
        out.free(langfuse::TRACE_METADATA, key, value);
    }
}

/// Cuts a text to what Langfuse's own SDK would keep.
pub(super) fn short(text: &str) -> &str {
    match text.char_indices().nth(SHORT_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Returns an environment's name in Langfuse's alphabet, or nothing if it has other letters.
pub(super) fn environment(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let mut name = name.as_str();
    while let Some(rest) = name.strip_prefix("langfuse") {
        name = rest.trim_start_matches(['-', '_']);
    }
    let is_allowed = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-' | '_');
    let valid = !name.is_empty() && name.chars().all(is_allowed);
    valid.then(|| name.chars().take(ENVIRONMENT_CHARS).collect())
}

fn write_level(span: &Span, out: &mut Writer<'_>) {
    match &span.status {
        Status::Error(SpanError { message, .. }) => {
            out.word(&LEVEL, "ERROR");
            out.word(&STATUS_MESSAGE, out.said(message));
        }
        Status::Ok if !span.notes.is_empty() => out.word(&LEVEL, "WARNING"),
        Status::Ok => {}
    }
    if !span.notes.is_empty() {
        let notes: Vec<_> =
            span.notes.iter().map(|note| wire_note(note, out.encoding.content)).collect();
        out.json(&NOTES, &notes);
    }
}

#[derive(Serialize)]
struct WireNote<'a> {
    time: String,
    name: &'a str,
    message: Cow<'a, str>,
}

fn wire_note(note: &Note, content: Content) -> WireNote<'_> {
    let time = UNIX_EPOCH + Duration::from_nanos(note.at.unix_nanos());
    WireNote {
        time: humantime::format_rfc3339_nanos(time).to_string(),
        name: &note.name,
        message: match content {
            Content::Full => note.message.as_ref().into(),
            Content::Lengths | Content::None => content::length(note.message.len()).into(),
        },
    }
}

fn write_generation(generation: &Generation, is_error: bool, out: &mut Writer<'_>) {
    write_models(&generation.request_model, generation.response_model.as_deref(), out);
    let parameters = WireParameters::new(&generation.parameters);
    if parameters != WireParameters::default() {
        out.json(&PARAMETERS, &parameters);
    }
    if let Some(first_chunk) = generation.first_chunk.as_ref().map(Timestamp::to_string) {
        out.word(&FIRST_CHUNK, first_chunk);
    }
    write_usage_and_cost(
        &generation.usage,
        &generation.cost,
        is_error || generation.cache_hit,
        out,
    );
    if let Some(prompt) = &generation.prompt {
        out.text(&PROMPT_NAME, &prompt.name);
        out.count(&PROMPT_VERSION, prompt.version.into());
    }
}

/// Writes the messages and tells which of input and output they became.
fn write_messages(generation: &Generation, out: &mut Writer<'_>) -> (bool, bool) {
    let Some(said) = Said::of(generation, out.encoding.content) else { return (false, false) };
    let input = !said.messages.is_empty() || !said.tools.is_empty();
    if input {
        out.json(&INPUT, &chat::input(&said.messages, &said.tools));
    }
    if let Some(message) = &said.output {
        out.json(&OUTPUT, &chat::output(message));
    }
    (input, said.output.is_some())
}

/// Writes the model whose price counts, and the one that was asked for if it is another.
fn write_models(request: &str, response: Option<&str>, out: &mut Writer<'_>) {
    match response {
        Some(response) => {
            out.text(&LANGFUSE_MODEL, response);
            out.text(&REQUEST_MODEL, request);
        }
        None => out.name(&LANGFUSE_MODEL, request),
    }
}

/// Parameters by the names that Langfuse knows; `service_tier` chooses the price.
#[derive(Serialize, PartialEq, Default)]
struct WireParameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

impl<'a> WireParameters<'a> {
    fn new(parameters: &'a Parameters) -> Self {
        Self {
            temperature: parameters.temperature.filter(|number| number.is_finite()),
            top_p: parameters.top_p.filter(|number| number.is_finite()),
            max_tokens: parameters.max_tokens,
            seed: parameters.seed,
            stop: parameters.stop_sequences.iter().map(AsRef::as_ref).collect(),
            reasoning_effort: parameters.reasoning_effort.as_deref(),
            service_tier: parameters.service_tier.as_deref(),
            stream: parameters.stream.then_some(true),
        }
    }
}

/// Writes tokens and dollars.
///
/// Where neither is given, Langfuse counts tokens itself and charges for them, even if the call failed. That is right
/// for a call that worked and whose provider told nothing; for one that was `free` (it failed, or our own cache
/// answered) zeros are sent, marked as unknown.
fn write_usage_and_cost(usage: &Usage, cost: &Cost, free: bool, out: &mut Writer<'_>) {
    if !usage.is_unknown() {
        let mut usage = *usage;
        let reasoning = usage.reasoning.unwrap_or(0);
        if cost.is_unknown() && reasoning > 0 {
            // Most models of Langfuse's price table have no price for reasoning: alone it would cost nothing.
            usage.output = Some(usage.output.unwrap_or(0).saturating_add(reasoning));
            usage.reasoning = None;
            out.count(&FOLDED_REASONING, reasoning);
        }
        let Usage { input, cache_read, cache_write, output, reasoning } = usage;
        out.word(
            &USAGE_DETAILS,
            buckets([input, cache_read, cache_write, output, reasoning], usage.total()),
        );
    } else if free {
        out.word(&USAGE_DETAILS, buckets([Some(0), None, None, Some(0), None], 0));
        out.flag(&USAGE_UNKNOWN, true);
    }
    if let Some(details) = cost.details() {
        let dollars = [
            details.input,
            details.cache_read,
            details.cache_write,
            details.output,
            details.reasoning,
        ];
        let dollars = dollars
            .map(|dollars| Some(dollars.normalize()).filter(|dollars| *dollars != Decimal::ZERO));
        out.word(&COST_DETAILS, buckets(dollars, details.total().normalize()));
    } else if free && (usage.is_unknown() || usage.total() == 0) {
        out.word(&COST_DETAILS, buckets([None::<u64>; 5], 0));
        out.flag(&COST_UNKNOWN, true);
    }
}

/// A JSON object of the known buckets and their total. Decimals are written digit by digit, so that none is lost.
fn buckets<T: Display>(known: [Option<T>; 5], total: T) -> String {
    let mut json = String::from("{");
    for (name, value) in BUCKETS.iter().zip(known) {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(json, "\"{name}\":{value},");
        }
    }
    let _ = write!(json, "\"total\":{total}}}");
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_are_brought_into_langfuses_alphabet() {
        let check = |name, expected| assert_eq!(environment(name).as_deref(), expected, "{name}");
        check("Production", Some("production"));
        check("langfuse-eu", Some("eu"));
        check("langfuse", None);
        check("LANGFUSE_langfuse-x", Some("x"));
        check("my env", None);
        check("größe", None);
        check(&"e".repeat(50), Some(&"e".repeat(40)));
    }

    #[test]
    fn short_texts_end_between_characters() {
        assert_eq!(short(&"é".repeat(300)), "é".repeat(200));
        assert_eq!(short("short"), "short");
    }
}

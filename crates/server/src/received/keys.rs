//! Which fact goes by which keys, the most trusted first. A dialect is learned by adding its key here.

use crate::wire::Attributes;
use glassbox_trace::vocabulary::dialects::{
    gen_ai_old, langchain, langfuse_old, openinference as inference, pydantic_ai, traceloop, vercel,
};
use glassbox_trace::vocabulary::langfuse::metadata;
use glassbox_trace::vocabulary::{gen_ai, general, glassbox, langfuse, openinference};
use serde::Deserialize;

type Keys = &'static [&'static str];

/// The model that was asked for, where that is told by its own key.
const REQUEST_MODEL: Keys = &[
    metadata::REQUEST_MODEL,
    gen_ai::REQUEST_MODEL,
    langfuse::OBSERVATION_MODEL_NAME,
    inference::REQUEST_MODEL_NAME,
];
/// The model, where it may also be the one that answered.
const MODEL: Keys = &[
    inference::MODEL_NAME,
    vercel::MODEL_ID,
    gen_ai::RESPONSE_MODEL,
    inference::RESPONSE_MODEL_NAME,
    inference::EMBEDDING_MODEL_NAME,
];
/// The model that answered.
pub const RESPONSE_MODEL: Keys = &[
    gen_ai::RESPONSE_MODEL,
    inference::RESPONSE_MODEL_NAME,
    vercel::RESPONSE_MODEL,
    langfuse::OBSERVATION_MODEL_NAME,
    inference::MODEL_NAME,
];
/// The id of the answer.
pub const RESPONSE_ID: Keys = &[gen_ai::RESPONSE_ID, metadata::RESPONSE_ID, vercel::RESPONSE_ID];
/// Who serves the model.
pub const PROVIDER: Keys = &[
    gen_ai::PROVIDER_NAME,
    metadata::PROVIDER,
    gen_ai::SYSTEM,
    inference::PROVIDER,
    inference::SYSTEM,
    vercel::MODEL_PROVIDER,
    langchain::PROVIDER,
];
pub(super) const TOOL_NAME: Keys =
    &[gen_ai::TOOL_NAME, metadata::TOOL, inference::TOOL_NAME, vercel::TOOL_NAME];

/// What went in, as one value.
pub const INPUT: Keys = &[
    langfuse::OBSERVATION_INPUT,
    gen_ai::INPUT_MESSAGES,
    openinference::INPUT_VALUE,
    traceloop::ENTITY_INPUT,
    vercel::PROMPT_MESSAGES,
    vercel::PROMPT,
    gen_ai_old::TOOL_CALL_ARGUMENTS,
    vercel::TOOL_ARGS,
    vercel::VALUE,
    vercel::VALUES,
    pydantic_ai::ALL_MESSAGES,
    gen_ai_old::PROMPT,
    langfuse_old::TRACE_INPUT,
];
/// What came out, as one value.
pub const OUTPUT: Keys = &[
    langfuse::OBSERVATION_OUTPUT,
    gen_ai::OUTPUT_MESSAGES,
    openinference::OUTPUT_VALUE,
    traceloop::ENTITY_OUTPUT,
    vercel::RESPONSE_TEXT,
    vercel::RESPONSE_OBJECT,
    vercel::RESPONSE_TOOL_CALLS,
    gen_ai_old::TOOL_CALL_RESULT,
    vercel::TOOL_RESULT,
    pydantic_ai::FINAL_RESULT,
    gen_ai_old::COMPLETION,
    langfuse_old::TRACE_OUTPUT,
];

// Totals include their parts, as OpenTelemetry and OpenInference have it.
pub(super) const INPUT_TOKENS: Keys = &[
    gen_ai::USAGE_INPUT_TOKENS,
    gen_ai_old::USAGE_PROMPT_TOKENS,
    inference::TOKENS_PROMPT,
    vercel::INPUT_TOKENS,
    vercel::PROMPT_TOKENS,
    vercel::EMBEDDING_TOKENS,
];
pub(super) const OUTPUT_TOKENS: Keys = &[
    gen_ai::USAGE_OUTPUT_TOKENS,
    gen_ai_old::USAGE_COMPLETION_TOKENS,
    inference::TOKENS_COMPLETION,
    vercel::OUTPUT_TOKENS,
    vercel::COMPLETION_TOKENS,
];
pub(super) const CACHE_READ_TOKENS: Keys = &[
    gen_ai::USAGE_CACHE_READ,
    gen_ai_old::USAGE_CACHE_READ,
    inference::TOKENS_CACHE_READ,
    vercel::CACHED_INPUT_TOKENS,
    vercel::CACHE_READ_TOKENS,
];
pub(super) const CACHE_WRITE_TOKENS: Keys = &[
    gen_ai::USAGE_CACHE_CREATION,
    gen_ai::USAGE_CACHE_WRITE,
    gen_ai_old::USAGE_CACHE_CREATION,
    inference::TOKENS_CACHE_WRITE,
    vercel::CACHE_WRITE_TOKENS,
];
pub(super) const REASONING_TOKENS: Keys = &[
    gen_ai::USAGE_REASONING,
    gen_ai_old::USAGE_REASONING,
    inference::TOKENS_REASONING,
    vercel::REASONING_TOKENS,
    vercel::REASONING_TOKENS_6,
];
pub(super) const COST_TOTAL: Keys =
    &[gen_ai::USAGE_COST, openinference::COST_TOTAL, gen_ai_old::COST_TOTAL];
pub(super) const COST_PARTS: Keys = &[inference::COST_PROMPT, inference::COST_COMPLETION];
pub(super) const SERVICE_TIER: Keys =
    &[glassbox::LM_SERVICE_TIER, gen_ai::OPENAI_REQUEST_SERVICE_TIER];

pub(super) const SECONDS_TO_FIRST_CHUNK: Keys = &[
    gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK,
    gen_ai_old::CLIENT_TIME_TO_FIRST_CHUNK,
    gen_ai_old::TIME_TO_FIRST_TOKEN,
];
pub(super) const MILLIS_TO_FIRST_CHUNK: Keys = &[vercel::MS_TO_FIRST_CHUNK];

pub(super) const TRACE_NAME: Keys = &[langfuse::TRACE_NAME, glassbox::TRACE_NAME];
pub(super) const SESSION: Keys = &[
    langfuse_old::SESSION_ID,
    general::SESSION_ID,
    gen_ai::CONVERSATION_ID,
    traceloop::SESSION_ID,
    vercel::SESSION_ID,
    vercel::CONTEXT_SESSION_ID,
];
pub(super) const USER: Keys = &[
    langfuse_old::USER_ID,
    general::USER_ID,
    traceloop::USER_ID,
    vercel::USER_ID,
    vercel::CONTEXT_USER_ID,
];
pub(super) const TAGS: Keys = &[
    langfuse::TRACE_TAGS,
    langfuse_old::TAGS,
    openinference::TAGS,
    vercel::TAGS,
    vercel::CONTEXT_TAGS,
];
pub(super) const ENVIRONMENT: Keys =
    &[langfuse::ENVIRONMENT, general::DEPLOYMENT_ENVIRONMENT, general::DEPLOYMENT_ENVIRONMENT_OLD];
pub(super) const RELEASE: Keys = &[langfuse::RELEASE, glassbox::RELEASE];
pub(super) const VERSION: Keys = &[langfuse::VERSION, glassbox::VERSION];
/// Beginnings of keys with facts on the trace.
pub(super) const METADATA_PREFIXES: Keys =
    &[langfuse::TRACE_METADATA, traceloop::ASSOCIATION, vercel::METADATA, vercel::CONTEXT];
/// Keys with a JSON object of facts on the trace.
pub(super) const METADATA_OBJECTS: Keys = &[langfuse_old::TRACE_METADATA, openinference::METADATA];

/// Returns the model: the one that was asked for, where that is told.
pub(super) fn model(attributes: &Attributes<'_>) -> Option<String> {
    let model = asked(attributes)?;
    // LiteLLM's models have their provider before them.
    let of_provider =
        model.split_once('/').filter(|_| attributes.get(inference::PROVIDER).is_some());
    let own_name = of_provider.filter(|(first, _)| provider(attributes).as_deref() == Some(first));
    Some(own_name.map_or_else(|| model.clone(), |(_, own)| own.to_owned()))
}

fn asked(attributes: &Attributes<'_>) -> Option<String> {
    // OpenInference has the model that answered under its key, and the other one among the parameters.
    let parameter = || {
        let json = attributes.get(inference::INVOCATION_PARAMETERS)?.as_text()?;
        let parameters: Asked = serde_json::from_str(json).ok()?;
        parameters.model.filter(|model| !model.is_empty())
    };
    attributes.text(REQUEST_MODEL).or_else(parameter).or_else(|| attributes.text(MODEL))
}

#[derive(Deserialize)]
struct Asked {
    model: Option<String>,
}

/// Returns who serves the model, by the conventions' name.
pub(super) fn provider(attributes: &Attributes<'_>) -> Option<String> {
    let name = attributes.text(PROVIDER)?;
    let name = name.trim_matches('"');
    let known = match name.to_ascii_lowercase().as_str() {
        "az.ai.openai" | "azure_openai" | "azure" => "azure.ai.openai",
        "az.ai.inference" => "azure.ai.inference",
        "gemini" | "google" | "google_genai" => "gcp.gemini",
        "vertex_ai" | "vertexai" | "google_vertex" => "gcp.vertex_ai",
        "xai" => "x_ai",
        "mistralai" | "mistral" => "mistral_ai",
        "bedrock" | "aws" => "aws.bedrock",
        // Vercel's have the interface behind them, OpenLLMetry's are capitalised.
        other => match other.split_once('.') {
            Some((first @ ("openai" | "anthropic" | "google" | "mistral" | "xai"), _)) => first,
            _ => other,
        },
    }
    .to_owned();
    Some(known)
}

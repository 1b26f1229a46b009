//! Which fact goes by which key: one line a fact, for both profiles and for every alias that is only read.
//!
//! The writer asks for the key of its profile, the reader tries all keys, so that a dialect is learned by adding a
//! key here.

use super::Profile;
use crate::span::{Detail, Kind};
use crate::vocabulary::langfuse::metadata;
use crate::vocabulary::{gen_ai, general, glassbox, langfuse, openinference};

/// A fact about a span, and the keys that it goes by.
pub(super) struct Field {
    open_telemetry: &'static str,
    langfuse: &'static str,
    aliases: &'static [&'static str],
}

impl Field {
    const fn new(open_telemetry: &'static str, langfuse: &'static str) -> Self {
        Self { open_telemetry, langfuse, aliases: &[] }
    }

    /// A fact with one key, whatever the profile.
    pub(super) const fn only(key: &'static str) -> Self {
        Self::new(key, key)
    }

    const fn or(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Returns the key to write.
    pub(super) const fn key(&self, profile: Profile) -> &'static str {
        match profile {
            Profile::Langfuse => self.langfuse,
            Profile::OpenTelemetry => self.open_telemetry,
        }
    }

    /// Returns the keys to read, the best first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        [self.langfuse, self.open_telemetry].into_iter().chain(self.aliases.iter().copied())
    }
}

// What all spans of a trace share.
pub(super) const TRACE_NAME: Field = Field::new(glassbox::TRACE_NAME, langfuse::TRACE_NAME);
pub(super) const SESSION_ID: Field =
    Field::only(general::SESSION_ID).or(&[gen_ai::CONVERSATION_ID]);
pub(super) const USER_ID: Field = Field::only(general::USER_ID);
pub(super) const TAGS: Field = Field::new(openinference::TAGS, langfuse::TRACE_TAGS);
pub(super) const ENVIRONMENT: Field =
    Field::new(general::DEPLOYMENT_ENVIRONMENT, langfuse::ENVIRONMENT)
        .or(&[general::DEPLOYMENT_ENVIRONMENT_OLD]);
pub(super) const RELEASE: Field = Field::new(glassbox::RELEASE, langfuse::RELEASE);
pub(super) const VERSION: Field = Field::new(glassbox::VERSION, langfuse::VERSION);

pub(super) const IS_APP_ROOT: Field = Field::only(langfuse::IS_APP_ROOT);
pub(super) const AS_ROOT: Field = Field::only(langfuse::AS_ROOT);

// What any span may have.
pub(super) const INPUT: Field = Field::new(openinference::INPUT_VALUE, langfuse::OBSERVATION_INPUT)
    .or(&[gen_ai::INPUT_MESSAGES]);
pub(super) const INPUT_MIME_TYPE: Field = Field::only(openinference::INPUT_MIME_TYPE);
pub(super) const OUTPUT: Field =
    Field::new(openinference::OUTPUT_VALUE, langfuse::OBSERVATION_OUTPUT)
        .or(&[gen_ai::OUTPUT_MESSAGES]);
pub(super) const OUTPUT_MIME_TYPE: Field = Field::only(openinference::OUTPUT_MIME_TYPE);
pub(super) const ERROR_TYPE: Field = Field::only(general::ERROR_TYPE);
pub(super) const STATUS_MESSAGE: Field = Field::only(langfuse::OBSERVATION_STATUS_MESSAGE);
pub(super) const LEVEL: Field = Field::only(langfuse::OBSERVATION_LEVEL);
pub(super) const NOTES: Field = Field::only(metadata::NOTES);
pub(super) const NOTE_MESSAGE: Field =
    Field::only(glassbox::NOTE_MESSAGE).or(&[general::EXCEPTION_MESSAGE]);

// Model calls.
pub(super) const PROVIDER: Field =
    Field::new(gen_ai::PROVIDER_NAME, metadata::PROVIDER).or(&[gen_ai::SYSTEM]);
pub(super) const LANGFUSE_MODEL: Field = Field::only(langfuse::OBSERVATION_MODEL_NAME);
pub(super) const REQUEST_MODEL: Field = Field::new(gen_ai::REQUEST_MODEL, metadata::REQUEST_MODEL);
pub(super) const RESPONSE_MODEL: Field = Field::only(gen_ai::RESPONSE_MODEL);
pub(super) const RESPONSE_ID: Field = Field::new(gen_ai::RESPONSE_ID, metadata::RESPONSE_ID);
pub(super) const FINISH_REASONS: Field =
    Field::new(gen_ai::RESPONSE_FINISH_REASONS, metadata::FINISH_REASONS);
pub(super) const OUTPUT_TYPE: Field = Field::new(gen_ai::OUTPUT_TYPE, metadata::OUTPUT_TYPE);
pub(super) const SERVER_ADDRESS: Field =
    Field::new(general::SERVER_ADDRESS, metadata::SERVER_ADDRESS);
pub(super) const SERVER_PORT: Field = Field::new(general::SERVER_PORT, metadata::SERVER_PORT);
pub(super) const PROMPT_NAME: Field =
    Field::new(gen_ai::PROMPT_NAME, langfuse::OBSERVATION_PROMPT_NAME);
pub(super) const PROMPT_VERSION: Field =
    Field::new(gen_ai::PROMPT_VERSION, langfuse::OBSERVATION_PROMPT_VERSION);
pub(super) const ATTEMPTS: Field = Field::new(glassbox::LM_ATTEMPTS, metadata::ATTEMPTS);
pub(super) const LIMITER_WAIT: Field =
    Field::new(glassbox::LM_LIMITER_WAIT, metadata::LIMITER_WAIT);
pub(super) const BACKOFF_WAIT: Field =
    Field::new(glassbox::LM_BACKOFF_WAIT, metadata::BACKOFF_WAIT);
pub(super) const RETRY_AFTER_WAIT: Field =
    Field::new(glassbox::LM_RETRY_AFTER_WAIT, metadata::RETRY_AFTER_WAIT);
pub(super) const CACHE_HIT: Field = Field::new(glassbox::LM_CACHE_HIT, metadata::CACHE_HIT);
pub(super) const TOKENS_PER_SECOND: Field =
    Field::new(glassbox::LM_TOKENS_PER_SECOND, metadata::TOKENS_PER_SECOND);
pub(super) const FIRST_CHUNK: Field = Field::only(langfuse::OBSERVATION_COMPLETION_START_TIME);
pub(super) const TIME_TO_FIRST_CHUNK: Field = Field::only(gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK);
pub(super) const MESSAGES: Field = Field::new(gen_ai::INPUT_MESSAGES, langfuse::OBSERVATION_INPUT);
pub(super) const OUTPUT_MESSAGE: Field =
    Field::new(gen_ai::OUTPUT_MESSAGES, langfuse::OBSERVATION_OUTPUT);
pub(super) const TOOLS: Field = Field::only(gen_ai::TOOL_DEFINITIONS);

// Parameters of model calls; Langfuse has them in one JSON object.
pub(super) const PARAMETERS: Field = Field::only(langfuse::OBSERVATION_MODEL_PARAMETERS);
pub(super) const TEMPERATURE: Field = Field::only(gen_ai::REQUEST_TEMPERATURE);
pub(super) const TOP_P: Field = Field::only(gen_ai::REQUEST_TOP_P);
pub(super) const MAX_TOKENS: Field = Field::only(gen_ai::REQUEST_MAX_TOKENS);
pub(super) const SEED: Field = Field::only(gen_ai::REQUEST_SEED);
pub(super) const STOP_SEQUENCES: Field = Field::only(gen_ai::REQUEST_STOP_SEQUENCES);
pub(super) const REASONING_EFFORT: Field = Field::only(gen_ai::REQUEST_REASONING_LEVEL);
pub(super) const SERVICE_TIER: Field =
    Field::only(glassbox::LM_SERVICE_TIER).or(&[gen_ai::OPENAI_REQUEST_SERVICE_TIER]);
pub(super) const STREAM: Field = Field::only(gen_ai::REQUEST_STREAM);

// Usage and cost; Langfuse has them in two JSON objects.
pub(super) const USAGE_DETAILS: Field = Field::only(langfuse::OBSERVATION_USAGE_DETAILS);
pub(super) const USAGE_UNKNOWN: Field = Field::only(metadata::USAGE_UNKNOWN);
pub(super) const FOLDED_REASONING: Field = Field::only(metadata::REASONING_TOKENS);
pub(super) const INPUT_TOKENS: Field = Field::only(gen_ai::USAGE_INPUT_TOKENS);
pub(super) const CACHE_READ_TOKENS: Field = Field::only(gen_ai::USAGE_CACHE_READ);
pub(super) const CACHE_WRITE_TOKENS: Field =
    Field::only(gen_ai::USAGE_CACHE_CREATION).or(&[gen_ai::USAGE_CACHE_WRITE]);
pub(super) const OUTPUT_TOKENS: Field = Field::only(gen_ai::USAGE_OUTPUT_TOKENS);
pub(super) const REASONING_TOKENS: Field = Field::only(gen_ai::USAGE_REASONING);
pub(super) const COST_DETAILS: Field = Field::only(langfuse::OBSERVATION_COST_DETAILS);
pub(super) const COST_UNKNOWN: Field = Field::only(metadata::COST_UNKNOWN);
pub(super) const COST_TOTAL: Field = Field::only(openinference::COST_TOTAL);
pub(super) const COST_INPUT: Field = Field::only(openinference::COST_INPUT);
pub(super) const COST_CACHE_READ: Field = Field::only(openinference::COST_CACHE_READ);
pub(super) const COST_CACHE_WRITE: Field = Field::only(openinference::COST_CACHE_WRITE);
pub(super) const COST_OUTPUT: Field = Field::only(openinference::COST_OUTPUT);
pub(super) const COST_REASONING: Field = Field::only(openinference::COST_REASONING);

// The other kinds of spans.
pub(super) const ATTEMPT: Field = Field::only(metadata::ATTEMPT);
pub(super) const RESEND_COUNT: Field = Field::only(general::HTTP_REQUEST_RESEND_COUNT);
pub(super) const HTTP_STATUS: Field =
    Field::new(general::HTTP_RESPONSE_STATUS_CODE, metadata::HTTP_STATUS);
pub(super) const RETRY_AFTER: Field = Field::new(glassbox::LM_RETRY_AFTER, metadata::RETRY_AFTER);
pub(super) const SIGNATURE: Field = Field::new(glassbox::SIGNATURE, metadata::SIGNATURE);
pub(super) const AGENT_NAME: Field = Field::new(gen_ai::AGENT_NAME, metadata::AGENT);
pub(super) const TOOL_NAME: Field = Field::new(gen_ai::TOOL_NAME, metadata::TOOL);
pub(super) const TOOL_CALL_ID: Field = Field::new(gen_ai::TOOL_CALL_ID, metadata::TOOL_CALL_ID);
pub(super) const TOOL_DESCRIPTION: Field =
    Field::new(gen_ai::TOOL_DESCRIPTION, metadata::TOOL_DESCRIPTION);
pub(super) const SOURCE: Field = Field::new(gen_ai::DATA_SOURCE_ID, metadata::SOURCE);
pub(super) const TOP_K: Field =
    Field::new(gen_ai::REQUEST_TOP_K, metadata::TOP_K).or(&[gen_ai::RETRIEVAL_TOP_K]);
pub(super) const DIMENSIONS: Field =
    Field::new(gen_ai::EMBEDDINGS_DIMENSION_COUNT, metadata::DIMENSIONS);
pub(super) const EVALUATION: Field = Field::new(gen_ai::EVALUATION_NAME, metadata::EVALUATION);
pub(super) const SCORE: Field = Field::new(gen_ai::EVALUATION_SCORE_VALUE, metadata::SCORE);
pub(super) const LABEL: Field = Field::new(gen_ai::EVALUATION_SCORE_LABEL, metadata::LABEL);
pub(super) const GUARDRAIL: Field = Field::new(glassbox::GUARDRAIL_NAME, metadata::GUARDRAIL);
pub(super) const PASSED: Field = Field::new(glassbox::GUARDRAIL_PASSED, metadata::PASSED);

/// What a span is on the wire: a kind, or a failed attempt, which has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Kind(Kind),
    Attempt,
}

impl Shape {
    pub(super) const fn of(detail: &Detail) -> Self {
        match detail {
            Detail::Attempt(_) => Self::Attempt,
            other => Self::Kind(other.kind()),
        }
    }

    /// Returns the value of [`glassbox::KIND`], for what OpenInference has no kind for.
    pub(super) const fn own_name(self) -> Option<&'static str> {
        match self {
            Self::Attempt => Some("attempt"),
            Self::Kind(kind @ (Kind::Span | Kind::Event)) => Some(kind.as_str()),
            Self::Kind(_) => None,
        }
    }

    /// Returns the value of [`openinference::SPAN_KIND`]; a module of the user's is a link in a chain.
    pub(super) const fn openinference(self) -> Option<&'static str> {
        let Self::Kind(kind) = self else { return None };
        match kind {
            Kind::Event => None,
            Kind::Span | Kind::Chain => Some("CHAIN"),
            Kind::Generation => Some("LLM"),
            Kind::Agent => Some("AGENT"),
            Kind::Tool => Some("TOOL"),
            Kind::Retriever => Some("RETRIEVER"),
            Kind::Embedding => Some("EMBEDDING"),
            Kind::Evaluator => Some("EVALUATOR"),
            Kind::Guardrail => Some("GUARDRAIL"),
        }
    }

    /// Returns the value of [`gen_ai::OPERATION_NAME`], if the conventions know the operation.
    pub(super) const fn operation(self) -> Option<&'static str> {
        match self {
            Self::Kind(Kind::Generation) => Some("chat"),
            Self::Kind(Kind::Embedding) => Some("embeddings"),
            Self::Kind(Kind::Tool) => Some("execute_tool"),
            Self::Kind(Kind::Agent) => Some("invoke_agent"),
            Self::Kind(Kind::Retriever) => Some("retrieval"),
            _ => None,
        }
    }
}

/// What a span's shape can be read from: the keys in the order they are believed, and their values.
pub(super) const SHAPES: &[(&str, &[(&str, Shape)])] = &[
    (
        glassbox::KIND,
        &[
            ("span", Shape::Kind(Kind::Span)),
            ("event", Shape::Kind(Kind::Event)),
            ("attempt", Shape::Attempt),
        ],
    ),
    (
        langfuse::OBSERVATION_TYPE,
        &[
            ("span", Shape::Kind(Kind::Span)),
            ("event", Shape::Kind(Kind::Event)),
            ("generation", Shape::Kind(Kind::Generation)),
            ("agent", Shape::Kind(Kind::Agent)),
            ("tool", Shape::Kind(Kind::Tool)),
            ("chain", Shape::Kind(Kind::Chain)),
            ("retriever", Shape::Kind(Kind::Retriever)),
            ("embedding", Shape::Kind(Kind::Embedding)),
            ("evaluator", Shape::Kind(Kind::Evaluator)),
            ("guardrail", Shape::Kind(Kind::Guardrail)),
        ],
    ),
    (
        openinference::SPAN_KIND,
        &[
            ("CHAIN", Shape::Kind(Kind::Chain)),
            ("LLM", Shape::Kind(Kind::Generation)),
            ("AGENT", Shape::Kind(Kind::Agent)),
            ("TOOL", Shape::Kind(Kind::Tool)),
            ("RETRIEVER", Shape::Kind(Kind::Retriever)),
            ("RERANKER", Shape::Kind(Kind::Retriever)),
            ("EMBEDDING", Shape::Kind(Kind::Embedding)),
            ("EVALUATOR", Shape::Kind(Kind::Evaluator)),
            ("GUARDRAIL", Shape::Kind(Kind::Guardrail)),
        ],
    ),
    (
        gen_ai::OPERATION_NAME,
        &[
            ("chat", Shape::Kind(Kind::Generation)),
            ("text_completion", Shape::Kind(Kind::Generation)),
            ("generate_content", Shape::Kind(Kind::Generation)),
            ("embeddings", Shape::Kind(Kind::Embedding)),
            ("execute_tool", Shape::Kind(Kind::Tool)),
            ("invoke_agent", Shape::Kind(Kind::Agent)),
            ("create_agent", Shape::Kind(Kind::Agent)),
            ("retrieval", Shape::Kind(Kind::Retriever)),
        ],
    ),
];

//! What only one kind of span has: a model call its messages and usage, a tool its name.

use crate::cost::Cost;
use crate::message::{Message, ToolDefinition};
use crate::time::Timestamp;
use crate::usage::Usage;
use std::sync::Arc;
use std::time::Duration;

/// What only one kind of span has.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// Any other work, such as a user's module.
    Span,
    /// Something that happened at one point in time.
    Event,
    /// A call of a model.
    Generation(Box<Generation>),
    /// One failed attempt within a generation.
    Attempt(Attempt),
    /// A program that decides its own next step.
    Agent(Agent),
    /// A call of a tool.
    Tool(Tool),
    /// A fixed sequence of steps, such as a ChainOfThought.
    Chain(Chain),
    /// A search for documents.
    Retriever(Retriever),
    /// A call of an embedding model.
    Embedding(Box<Embedding>),
    /// A judgement of an output.
    Evaluator(Evaluator),
    /// A check that can refuse an input or output.
    Guardrail(Guardrail),
}

/// The kinds of spans, with Langfuse's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Any other work.
    Span,
    /// A point in time.
    Event,
    /// A call of a model.
    Generation,
    /// A program that decides its own next step.
    Agent,
    /// A call of a tool.
    Tool,
    /// A fixed sequence of steps.
    Chain,
    /// A search for documents.
    Retriever,
    /// A call of an embedding model.
    Embedding,
    /// A judgement of an output.
    Evaluator,
    /// A check that can refuse.
    Guardrail,
}

impl Kind {
    /// Returns Langfuse's name of the kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Span => "span",
            Self::Event => "event",
            Self::Generation => "generation",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Chain => "chain",
            Self::Retriever => "retriever",
            Self::Embedding => "embedding",
            Self::Evaluator => "evaluator",
            Self::Guardrail => "guardrail",
        }
    }
}

impl Detail {
    /// Returns the kind of span that the detail belongs to; a failed attempt is a plain span.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Span | Self::Attempt(_) => Kind::Span,
            Self::Event => Kind::Event,
            Self::Generation(_) => Kind::Generation,
            Self::Agent(_) => Kind::Agent,
            Self::Tool(_) => Kind::Tool,
            Self::Chain(_) => Kind::Chain,
            Self::Retriever(_) => Kind::Retriever,
            Self::Embedding(_) => Kind::Embedding,
            Self::Evaluator(_) => Kind::Evaluator,
            Self::Guardrail(_) => Kind::Guardrail,
        }
    }
}

/// A call of a model: all its attempts, and what they used. Usage and cost stand here and nowhere above.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generation {
    /// The provider, by OpenTelemetry's name: `openai`, `anthropic`, `gcp.gemini`.
    pub provider: Arc<str>,
    /// The model that was asked for.
    pub request_model: Arc<str>,
    /// The model that answered.
    pub response_model: Option<Arc<str>>,
    /// The provider's id of the answer.
    pub response_id: Option<Arc<str>>,
    /// Why the model stopped, one a choice, in the provider's words.
    pub finish_reasons: Vec<Arc<str>>,
    /// What was asked of the model besides the messages.
    pub parameters: Parameters,
    /// What kind of output was asked for.
    pub output_type: Option<OutputType>,
    /// The messages that were sent.
    pub messages: Arc<[Message]>,
    /// The message that came back; partial if the call failed half way.
    pub output: Option<Message>,
    /// The tools that the model could choose from.
    pub tools: Arc<[ToolDefinition]>,
    /// The tokens used.
    pub usage: Usage,
    /// What they cost.
    pub cost: Cost,
    /// When the first chunk of a streamed answer came.
    pub first_chunk: Option<Timestamp>,
    /// How many attempts were made, the last one included; zero if none was allowed.
    pub attempts: u32,
    /// How long the call waited in our own limiter.
    pub limiter_wait: Duration,
    /// How long the call slept between attempts.
    pub backoff_wait: Duration,
    /// The part of the sleep that the server asked for.
    pub retry_after_wait: Duration,
    /// Whether the answer came from our own cache: then it used and cost nothing.
    pub cache_hit: bool,
    /// The host that was called.
    pub server_address: Option<Arc<str>>,
    /// Its port.
    pub server_port: Option<u16>,
    /// The managed prompt that the messages were made of.
    pub prompt: Option<PromptLink>,
}

/// What was asked of a model besides the messages; what is `None` was not sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Upper bound of output tokens.
    pub max_tokens: Option<u64>,
    /// Seed for sampling.
    pub seed: Option<u64>,
    /// Texts at which the model stops.
    pub stop_sequences: Vec<Arc<str>>,
    /// Reasoning effort, as it was sent.
    pub reasoning_effort: Option<Arc<str>>,
    /// Service tier, as it was sent: it decides the price.
    pub service_tier: Option<Arc<str>>,
    /// Whether the answer was streamed.
    pub stream: bool,
}

/// What kind of output was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputType {
    /// Free text.
    Text,
    /// JSON, by a schema or not.
    Json,
}

/// A prompt managed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptLink {
    /// Its name.
    pub name: Arc<str>,
    /// Its version, from 1.
    pub version: u32,
}

/// A failed attempt within a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Which attempt it was, from 1.
    pub number: u32,
    /// The HTTP status, if there was an answer.
    pub http_status: Option<u16>,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
}

/// A program that decides its own next step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// The agent's name.
    pub name: Arc<str>,
    /// The signature that it fulfils, if it has one.
    pub signature: Option<Arc<str>>,
}

/// A call of a tool: arguments are the span's input, the result is its output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    /// The tool's name.
    pub name: Arc<str>,
    /// The id of the model's call.
    pub call_id: Option<Arc<str>>,
    /// What the tool does.
    pub description: Option<Arc<str>>,
}

/// A fixed sequence of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The signature that it fulfils, if it has one.
    pub signature: Option<Arc<str>>,
}

/// A search for documents: the query is the span's input, the documents are its output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retriever {
    /// The index or collection that was searched.
    pub source: Option<Arc<str>>,
    /// How many documents were asked for.
    pub top_k: Option<u32>,
}

/// A call of an embedding model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedding {
    /// The provider, by OpenTelemetry's name.
    pub provider: Arc<str>,
    /// The model that was asked for.
    pub request_model: Arc<str>,
    /// The model that answered.
    pub response_model: Option<Arc<str>>,
    /// The number of dimensions of a vector.
    pub dimensions: Option<u32>,
    /// The tokens used.
    pub usage: Usage,
    /// What they cost.
    pub cost: Cost,
}

/// A judgement of an output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluator {
    /// The measure's name.
    pub name: Arc<str>,
    /// The score.
    pub score: Option<f64>,
    /// The verdict in a word.
    pub label: Option<Arc<str>>,
}

/// A check that can refuse an input or output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guardrail {
    /// The check's name.
    pub name: Arc<str>,
    /// Whether it let pass; `None` while it is running.
    pub passed: Option<bool>,
}

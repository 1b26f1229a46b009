//! LLM programs you can see through: typed signatures and modules whose every step is an event and a span.
//!
//! ```no_run
//! use glassbox::{ChainOfThought, Lm, Module, Signature};
//!
//! /// Answer the question of a guest.
//! #[derive(Signature)]
//! struct Concierge {
//!     #[input]
//!     question: String,
//!     #[output]
//!     answer: String,
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), glassbox::Error> {
//!     let _observing = glassbox::observe()?; // the environment decides where traces go; flushes when dropped
//!     let lm = Lm::from_env("openai/gpt-4o-mini")?;
//!     let concierge = ChainOfThought::<Concierge>::new(&lm);
//!     let reply = concierge.call(ConciergeInput { question: "Where is breakfast?".into() }).await?;
//!     println!("{} ({} tokens, ${})", reply.answer, reply.usage().total(), reply.cost());
//!     Ok(())
//! }
//! ```
//!
//! # Layout
//!
//! From the ground up; a module uses only those above it.

#[allow(unused_extern_crates, reason = "the derives write `::glassbox::..`, here as elsewhere")]
extern crate self as glassbox;

mod definitions;
mod field;
mod signature;
mod error;
mod config;
mod outlet;
mod rollout;
mod embedder;
mod lm;
mod stream;
mod adapter;
mod example;
mod prediction;
mod module;
mod tool;
mod streaming;
#[cfg(feature = "mcp")]
pub mod mcp;
mod predict;
mod chain_of_thought;
mod react;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(feature = "sandbox")]
mod code_act;
mod parallel;
mod best_of_n;
mod refine;
mod retriever;
mod run;
mod watching;
#[cfg(feature = "sqlite")]
mod budget_store;

pub use best_of_n::BestOfN;
#[cfg(feature = "sqlite")]
pub use budget_store::SqliteBudgetStore;
pub use chain_of_thought::ChainOfThought;
#[cfg(feature = "sandbox")]
pub use code_act::CodeAct;
pub use definitions::Definitions;
pub use embedder::{Embedded, Embedder};
pub use error::{Error, ErrorKind};
pub use example::Example;
pub use field::{Field, FieldError};
pub use glassbox_macros::{Field, Signature, tool};
pub use lm::{
    Cache, CachePolicy, CircuitBreaker, DEFAULT_MAX_TOKENS, DEFAULT_TIMEOUT, Delta, EmbeddingModel,
    EmbeddingModelBuilder, Finish, Hedge, Jitter, Limiter, Limits, Lm, LmBuilder, LmStream, Reply,
    Request, Response, ResponseSchema, RetryPolicy, ToolCallDelta,
};
pub use module::{BoxFuture, DynModule, Module, Record};
pub use parallel::Parallel;
pub use predict::Predict;
pub use prediction::Prediction;
pub use react::{DEFAULT_MAX_ITERATIONS, DEFAULT_MAX_PARALLEL, ReAct};
pub use refine::Refine;
pub use retriever::{Document, Retriever, VectorIndex};
pub use run::{scope, subscribe, with_lm};
pub use signature::{FieldSpec, Signature, object_schema};
pub use stream::{Chunk, Chunks, FieldChange};
pub use streaming::{ChunkStream, Streaming};
pub use tool::{
    DEFAULT_TOOL_TIMEOUT, Tool, ToolError, ToolOutcome, ToolOutput, Toolbox, dynamic_tool,
    module_tool, tool_fn,
};
pub use watching::{Webhook, observe, start_alerts};

pub use glassbox_events::bus::{Bus, EventReceiver, Subscriber, Subscription};
pub use glassbox_events::context::Context;
pub use glassbox_events::event::{self, Event, EventData, EventName};
pub use glassbox_events::gate::{self, Gate};
pub use glassbox_events::propagation;
pub use glassbox_events::refusal::{BudgetExceeded, Refusal, Unit};
pub use glassbox_events::run::{Run, Stop};
pub use glassbox_events::scope::{Scope, join_all, parallel, spawn};
pub use glassbox_events::watch;
pub use glassbox_telemetry as telemetry;
pub use glassbox_telemetry::observe::{Observe, Observing};
pub use glassbox_trace as trace;
pub use glassbox_trace::message::{Message, Role, ToolCall, ToolDefinition};
pub use glassbox_trace::{cost::Cost, usage::Usage};

/// What the derives' code calls. Not for use by hand: it may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::field::derived::{
        Content, Object, Reader, Variant, VariantSpec, describe, enum_schema, object_schema,
        read_enum, to_object, to_variant,
    };
    pub use crate::tool::arguments;
    pub use serde_json::Value;
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/streaming.md")]
struct StreamingDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/propagation.md")]
struct PropagationDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/agents.md")]
struct AgentsDoctests;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/resilience.md")]
struct ResilienceDoctests;

//! A span: one thing that a program did, from when to when, with what came in and out.

use crate::id::{SpanId, TraceId};
use crate::payload::Payload;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

mod detail;

pub use detail::{
    Agent, Attempt, Chain, Detail, Embedding, Evaluator, Generation, Guardrail, Kind, OutputType,
    Parameters, PromptLink, Retriever, Tool,
};

/// One thing that a program did. What only one kind of span has is in its [`Detail`].
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace that the span is a part of.
    pub trace_id: TraceId,
    /// The span's own id.
    pub span_id: SpanId,
    /// The span that this one is a part of; `None` for the root.
    pub parent_id: Option<SpanId>,
    /// What ran, such as `ChainOfThought(CoffeeShop)`.
    pub name: Arc<str>,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; `None` while it is running.
    pub end: Option<Timestamp>,
    /// How it ended.
    pub status: Status,
    /// What all spans of the trace share.
    pub trace: Arc<TraceAttributes>,
    /// What went in. The messages of a generation are in its detail.
    pub input: Option<Payload>,
    /// What came out. The message of a generation is in its detail.
    pub output: Option<Payload>,
    /// What went differently than hoped for, without being an error.
    pub notes: Vec<Note>,
    /// What only this kind of span has.
    pub detail: Detail,
    /// Further attributes: the user's own, or those that a received span had and that mean nothing to us.
    pub attributes: Vec<(Arc<str>, serde_json::Value)>,
}

impl Span {
    /// Returns how long it took; `None` while it is running.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.end.map(|end| end.since(self.start))
    }

    /// Returns how many output tokens a second came of a streamed answer, from its first chunk to its end; `None` for
    /// anything else, and where the tokens are unknown.
    #[must_use]
    pub fn tokens_per_second(&self) -> Option<f64> {
        let Detail::Generation(generation) = &self.detail else { return None };
        let seconds = self.end?.since(generation.first_chunk?).as_secs_f64();
        let tokens = generation.usage.output_total()?;
        (seconds > 0.0 && tokens > 0).then(|| tokens as f64 / seconds)
    }

    /// Tells whether the span is the topmost one of its process: it has no parent, or one in another process.
    #[must_use]
    pub fn is_local_root(&self) -> bool {
        let Some(parent) = self.parent_id else { return true };
        self.trace.remote_parent.as_ref().is_some_and(|remote| remote.span_id == parent)
    }

    /// Returns the kind of the span.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.detail.kind()
    }
}

/// How a span ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It worked, or is still running.
    #[default]
    Ok,
    /// It failed.
    Error(SpanError),
}

impl Status {
    /// Makes an error status.
    #[must_use]
    pub fn error(kind: impl Into<Arc<str>>, message: impl Into<Arc<str>>) -> Self {
        Self::Error(SpanError { kind: kind.into(), message: message.into() })
    }

    /// Tells whether it failed.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// Why a span failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanError {
    /// The class of the error, of few values, as OpenTelemetry's `error.type` wants it: `429`, `timeout`, `cancelled`.
    pub kind: Arc<str>,
    /// The message for people.
    pub message: Arc<str>,
}

/// Something that went differently than hoped for: a fallback, an answer that had to be repaired.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// When it happened.
    pub at: Timestamp,
    /// The event's name, such as `adapter.fallback`.
    pub name: Arc<str>,
    /// What happened, for people.
    pub message: Arc<str>,
}

/// What all spans of a trace share. Langfuse filters and aggregates by what each single span carries,
/// so every span is exported with all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceAttributes {
    /// The trace's name; by default the name of its root span.
    pub name: Option<Arc<str>>,
    /// The conversation that the trace belongs to.
    pub session_id: Option<Arc<str>>,
    /// The end user that the trace was run for.
    pub user_id: Option<Arc<str>>,
    /// Labels.
    pub tags: Vec<Arc<str>>,
    /// Further facts, by key.
    pub metadata: Vec<(Arc<str>, serde_json::Value)>,
    /// Where the program runs, such as `production`.
    pub environment: Option<Arc<str>>,
    /// The release of the program, such as a commit.
    pub release: Option<Arc<str>>,
    /// The version of the program or of the experiment.
    pub version: Option<Arc<str>>,
    /// The span of another process that the trace goes on from. The roots of this process are its children.
    pub remote_parent: Option<Arc<RemoteParent>>,
}

/// A span of another process, as W3C trace context (`traceparent`, `tracestate`) tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteParent {
    /// The trace that goes on here.
    pub trace_id: TraceId,
    /// The span in the other process.
    pub span_id: SpanId,
    /// Whether the other process may have recorded the trace. A sampler that follows the parent follows this.
    pub sampled: bool,
    /// What vendors along the way wish to be handed on, unread.
    pub trace_state: Option<Arc<str>>,
}

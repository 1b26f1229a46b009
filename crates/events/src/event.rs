//! The events: a closed, typed list. What began or ended carries its span; the rest carries its own facts.

use crate::refusal::{BudgetExceeded, Unit};
use crate::run::Run;
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::span::{Detail, Generation, Note, Span, TraceAttributes};
use glassbox_trace::time::Timestamp;
use rust_decimal::Decimal;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

mod agent;
mod attribute;
mod name;
mod watch;

pub use agent::{
    CodeActIteration, CodeExecution, ContextTrimmed, MaxIterations, ReactCall, ReactIteration,
};
pub use name::EventName;
pub use watch::{Alert, Regression, RunStopped};

/// Something that happened, when, and where in the program.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// Where it happened.
    pub span: Arc<SpanContext>,
    /// What happened.
    pub data: EventData,
}

/// Where in a program we are: the innermost span, and what its trace shares.
#[derive(Debug)]
pub struct SpanContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The innermost span.
    pub span_id: SpanId,
    /// Its name.
    pub name: Arc<str>,
    /// The span above it.
    pub parent: Option<Arc<Self>>,
    pub(crate) shared: Arc<Shared>,
    /// What was noted for the innermost span; it takes the notes when it ends. Most spans have none, and then there is
    /// no lock to take.
    pub(crate) notes: OnceLock<Mutex<Vec<Note>>>,
}

/// What all spans of a scope share: one reference to count a span, instead of one for each fact.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pub(crate) trace: Arc<TraceAttributes>,
    pub(crate) run: Run,
}

impl SpanContext {
    /// Returns the names from the root to the innermost span, joined by ` > `.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.parent {
            Some(parent) => format!("{} > {}", parent.path(), self.name),
            None => self.name.as_ref().to_owned(),
        }
    }

    /// Returns the id of the span above: of this process, or of another one that the trace goes on from.
    #[must_use]
    pub fn parent_id(&self) -> Option<SpanId> {
        match &self.parent {
            Some(parent) => Some(parent.span_id),
            None => self.trace().remote_parent.as_ref().map(|remote| remote.span_id),
        }
    }

    /// Returns what all spans of the trace share.
    #[must_use]
    pub fn trace(&self) -> &Arc<TraceAttributes> {
        &self.shared.trace
    }

    /// Returns the run that a [`Stop`](crate::run::Stop) ends.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.shared.run
    }

    pub(crate) fn note(&self, note: Note) {
        let notes = self.notes.get_or_init(Mutex::default);
        notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    pub(crate) fn take_notes(&self) -> Vec<Note> {
        let Some(notes) = self.notes.get() else { return Vec::new() };
        std::mem::take(&mut notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What happened. The names are those of [`EventName`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventData {
    /// A module's call began; the span is open.
    ModuleStart(Arc<Span>),
    /// A module's call worked.
    ModuleComplete(Arc<Span>),
    /// A module's call failed, was stopped or cancelled.
    ModuleError(Arc<Span>),
    /// A logical model call began; gates are asked after this. The span is open.
    LlmRequest(Arc<Span>),
    /// A model call waits before its next attempt: told when a pause begins, and when a wait for the limiter is over.
    LlmWait(LlmWait),
    /// An attempt ended.
    LlmAttempt(LlmAttempt),
    /// The first chunk of a streamed answer came.
    LlmFirstChunk(LlmFirstChunk),
    /// A logical model call ended well, with usage, cost, attempts and waits in its span.
    LlmGenerate(Arc<Span>),
    /// A logical model call failed, with what it used all the same in its span.
    LlmError(Arc<Span>),
    /// Structured output was not to be had, another format is used.
    AdapterFallback(AdapterFallback),
    /// A model's answer could not be read.
    AdapterParseError(AdapterParseError),
    /// A model's answer was read only after a repair.
    AdapterRepair(AdapterRepair),
    /// A chain of thought has reasoned.
    ReasoningComplete(ReasoningComplete),
    /// A budget's spending passed 50, 80 or 100 percent.
    BudgetThreshold(BudgetThreshold),
    /// A budget refused a call.
    BudgetExceeded(Arc<BudgetExceeded>),
    /// A run was stopped.
    RunStopped(RunStopped),
    /// A model did not answer, another one is asked instead.
    LlmFallback(LlmFallback),
    /// A tool's call began; the span is open.
    ToolStart(Arc<Span>),
    /// A tool's call worked.
    ToolComplete(Arc<Span>),
    /// A tool's call failed.
    ToolError(Arc<Span>),
    /// A turn of a ReAct agent ended.
    ReactIterationComplete(ReactIteration),
    /// A ReAct or CodeAct agent used up its turns.
    ReactMaxIterations(MaxIterations),
    /// A ReAct agent forgot its oldest turns, since the conversation was longer than the model can take.
    ReactContextTrimmed(ContextTrimmed),
    /// A turn of a CodeAct agent ended.
    CodeActIterationComplete(CodeActIteration),
    /// A model's code was run.
    CodeActExecution(Arc<CodeExecution>),
    /// An alert's rule holds.
    AlertFired(Arc<Alert>),
    /// An alert's rule holds no longer.
    AlertResolved(Arc<Alert>),
    /// A module differs from its baseline beyond noise.
    RegressionDetected(Arc<Regression>),
}

/// A wait before an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmWait {
    /// Why it waits.
    pub reason: WaitReason,
    /// How long it will wait; for [`WaitReason::Limiter`], of which nobody knows before how long it takes, how long it did.
    pub duration: Duration,
    /// The attempt that comes after the wait, from 1.
    pub next_attempt: u32,
}

/// Why a model call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// A pause of our own after a failed attempt.
    Backoff,
    /// A pause that the server asked for.
    RetryAfter,
    /// Our own limit of calls in flight or a minute.
    Limiter,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmAttempt {
    /// Which attempt it was, from 1.
    pub number: u32,
    /// How long it took.
    pub duration: Duration,
    /// The HTTP status, if there was an answer.
    pub http_status: Option<u16>,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
    /// The span of the attempt if it failed; an attempt that worked is its generation.
    pub failed: Option<Arc<Span>>,
}

/// The first chunk of a streamed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlmFirstChunk {
    /// How long after the request it came.
    pub after: Duration,
}

/// A change of the model that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmFallback {
    /// The model that did not answer, such as `openai/gpt-4o-mini`.
    pub from: Arc<str>,
    /// The model that is asked instead.
    pub to: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
}

/// A change of the answer's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterFallback {
    /// The format that did not work, such as `structured`.
    pub from: &'static str,
    /// The format that is used instead.
    pub to: &'static str,
    /// Why.
    pub reason: Arc<str>,
}

/// An answer that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterParseError {
    /// What is wrong with it.
    pub message: Arc<str>,
    /// Its first words.
    pub excerpt: Arc<str>,
    /// Whether the model is asked once more, with the error.
    pub asks_again: bool,
}

/// An answer that was read after a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterRepair {
    /// What was repaired.
    pub repair: Arc<str>,
}

/// A finished reasoning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasoningComplete {
    /// The signature's name.
    pub signature: Arc<str>,
    /// The reasoning.
    pub reasoning: Arc<str>,
}

/// A passed threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetThreshold {
    /// The budget's name.
    pub budget: Arc<str>,
    /// What the amounts count.
    pub unit: Unit,
    /// The threshold: 50, 80 or 100.
    pub percent: u8,
    /// What has been spent.
    pub spent: Decimal,
    /// The most that may be spent.
    pub limit: Decimal,
}

impl Event {
    /// Returns which event it is.
    #[must_use]
    pub const fn name(&self) -> EventName {
        self.data.name()
    }

    /// Returns the span that the event begins or ends, or the failed attempt's.
    #[must_use]
    pub fn subject(&self) -> Option<&Arc<Span>> {
        self.data.span()
    }

    /// Returns the generation that the event begins or ends.
    #[must_use]
    pub fn generation(&self) -> Option<&Generation> {
        match &self.subject()?.detail {
            Detail::Generation(generation) => Some(generation),
            _ => None,
        }
    }
}

impl EventData {
    /// Returns the span that begins or ends here.
    #[must_use]
    pub const fn span(&self) -> Option<&Arc<Span>> {
        match self {
            Self::ModuleStart(span)
            | Self::ModuleComplete(span)
            | Self::ModuleError(span)
            | Self::LlmRequest(span)
            | Self::LlmGenerate(span)
            | Self::LlmError(span)
            | Self::ToolStart(span)
            | Self::ToolComplete(span)
            | Self::ToolError(span) => Some(span),
            Self::LlmAttempt(attempt) => attempt.failed.as_ref(),
            _ => None,
        }
    }

    /// Gives the span back that begins or ends here.
    pub(crate) fn into_span(self) -> Option<Arc<Span>> {
        match self {
            Self::ModuleStart(span)
            | Self::ModuleComplete(span)
            | Self::ModuleError(span)
            | Self::LlmRequest(span)
            | Self::LlmGenerate(span)
            | Self::LlmError(span)
            | Self::ToolStart(span)
            | Self::ToolComplete(span)
            | Self::ToolError(span) => Some(span),
            _ => None,
        }
    }

    /// Returns which event it is.
    #[must_use]
    pub const fn name(&self) -> EventName {
        match self {
            Self::ModuleStart(_) => EventName::ModuleStart,
            Self::ModuleComplete(_) => EventName::ModuleComplete,
            Self::ModuleError(_) => EventName::ModuleError,
            Self::LlmRequest(_) => EventName::LlmRequest,
            Self::LlmWait(_) => EventName::LlmWait,
            Self::LlmAttempt(_) => EventName::LlmAttempt,
            Self::LlmFirstChunk(_) => EventName::LlmFirstChunk,
            Self::LlmGenerate(_) => EventName::LlmGenerate,
            Self::LlmError(_) => EventName::LlmError,
            Self::AdapterFallback(_) => EventName::AdapterFallback,
            Self::AdapterParseError(_) => EventName::AdapterParseError,
            Self::AdapterRepair(_) => EventName::AdapterRepair,
            Self::ReasoningComplete(_) => EventName::ReasoningComplete,
            Self::BudgetThreshold(_) => EventName::BudgetThreshold,
            Self::BudgetExceeded(_) => EventName::BudgetExceeded,
            Self::RunStopped(_) => EventName::RunStopped,
            Self::LlmFallback(_) => EventName::LlmFallback,
            Self::ToolStart(_) => EventName::ToolStart,
            Self::ToolComplete(_) => EventName::ToolComplete,
            Self::ToolError(_) => EventName::ToolError,
            Self::ReactIterationComplete(_) => EventName::ReactIterationComplete,
            Self::ReactMaxIterations(_) => EventName::ReactMaxIterations,
            Self::ReactContextTrimmed(_) => EventName::ReactContextTrimmed,
            Self::CodeActIterationComplete(_) => EventName::CodeActIterationComplete,
            Self::CodeActExecution(_) => EventName::CodeActExecution,
            Self::AlertFired(_) => EventName::AlertFired,
            Self::AlertResolved(_) => EventName::AlertResolved,
            Self::RegressionDetected(_) => EventName::RegressionDetected,
        }
    }
}

//! The error of a call: what went wrong, what it cost all the same, and what to type.

use glassbox_events::pattern::PatternError;
use glassbox_events::refusal::{BudgetExceeded, Refusal};
use glassbox_telemetry::error::ConfigError;
use glassbox_trace::cost::Cost;
use glassbox_trace::id::TraceId;
use glassbox_trace::usage::Usage;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a call did not give an answer, with what it spent all the same.
///
/// ```
/// # fn handle(error: &glassbox::Error) {
/// if let Some(exceeded) = error.budget_exceeded() {
///     eprintln!("stopped before spending {} more {:?}", exceeded.needed, exceeded.unit);
/// } else if error.is_retryable() {
///     eprintln!("try again in {:?}", error.retry_after());
/// }
/// # }
/// ```
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    facts: Facts,
}

/// What is known of a failed call besides its kind and message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) model: Option<Arc<str>>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<Arc<str>>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) usage: Usage,
    pub(crate) cost: Cost,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) partial: Option<Arc<str>>,
    /// Whether the provider refused the request because of its response format.
    pub(crate) rejects_schema: bool,
    /// Whether the provider refused the request because of its tools.
    pub(crate) rejects_tools: bool,
}

/// The class of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something is set wrongly: a missing key, a model without a provider, a base URL that is none.
    Config,
    /// The provider refused the key.
    Auth,
    /// The provider does not know the model or the address.
    NotFound,
    /// The provider refused the request.
    BadRequest,
    /// The conversation is longer than the model can take.
    ContextLength,
    /// Too many requests, or no credit left.
    RateLimited,
    /// The provider failed or is overloaded.
    Server,
    /// No answer in time.
    Timeout,
    /// The provider could not be reached, or the connection broke.
    Network,
    /// The provider failed too often, and is left alone for a while by its circuit breaker.
    CircuitOpen,
    /// What came was not an answer of the provider's protocol.
    Malformed,
    /// The model's answer could not be read as the signature's outputs.
    Parse,
    /// The model answered nothing.
    Empty,
    /// The model or the provider declined to answer.
    Filtered,
    /// The answer was cut at the limit of output tokens.
    Length,
    /// A budget, a stop or another gate refused.
    Refused,
    /// An error of the user's own module.
    Other,
}

impl ErrorKind {
    /// Returns the class as `error.type` has it when there is no HTTP status: of few values.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::BadRequest => "bad_request",
            Self::ContextLength => "context_length_exceeded",
            Self::RateLimited => "rate_limited",
            Self::Server => "server_error",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::CircuitOpen => "circuit_open",
            Self::Malformed => "malformed_response",
            Self::Parse => "parse_error",
            Self::Empty => "empty_answer",
            Self::Filtered => "content_filter",
            Self::Length => "length",
            Self::Refused => "refused",
            Self::Other => "_OTHER",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
            facts: Facts::default(),
        }))
    }

    /// Wraps an error of a module of your own.
    #[must_use]
    pub fn other(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        Self::new(ErrorKind::Other, source.to_string()).because(source)
    }

    pub(crate) fn rejects_schema(&self) -> bool {
        self.0.facts.rejects_schema
    }

    pub(crate) fn rejects_tools(&self) -> bool {
        self.0.facts.rejects_tools
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.0.facts);
        self
    }

    /// Returns the class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the class as spans carry it in `error.type`: the HTTP status, the kind of refusal, or the kind.
    #[must_use]
    pub fn error_type(&self) -> String {
        match (self.0.facts.status, self.refusal()) {
            (_, Some(Refusal::Budget(_))) => "budget_exceeded".to_owned(),
            (_, Some(Refusal::Stopped(_))) => "stopped".to_owned(),
            (Some(status), None) if status >= 400 => status.to_string(),
            _ => self.0.kind.as_str().to_owned(),
        }
    }

    /// Tells whether the same call may work later: rate limits, overload, timeouts, broken connections.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{CircuitOpen, Malformed, Network, RateLimited, Server, Timeout};
        matches!(self.kind(), RateLimited | Server | Timeout | Network | Malformed | CircuitOpen)
    }

    /// Tells whether a budget refused the call.
    #[must_use]
    pub fn is_budget(&self) -> bool {
        matches!(self.refusal(), Some(Refusal::Budget(_)))
    }

    /// Tells whether the run was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.refusal(), Some(Refusal::Stopped(_)))
    }

    /// Returns why a gate refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.0.source.as_ref()?.downcast_ref()
    }

    /// Returns the budget that refused, with its limit and what the call needed.
    #[must_use]
    pub fn budget_exceeded(&self) -> Option<&BudgetExceeded> {
        match self.refusal()? {
            Refusal::Budget(exceeded) => Some(exceeded),
            _ => None,
        }
    }

    /// Returns the model that was asked, with its provider: `openai/gpt-4o-mini`.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.0.facts.model.as_deref()
    }

    /// Returns the HTTP status of the last attempt, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.facts.status
    }

    /// Returns the provider's id of the failed request, which its support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.facts.request_id.as_deref()
    }

    /// Returns how long the provider asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.facts.retry_after
    }

    /// Returns how many attempts were made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.facts.attempts
    }

    /// Returns the tokens that the failed call used all the same.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.0.facts.usage
    }

    /// Returns what the failed call cost all the same.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.0.facts.cost
    }

    /// Returns the trace in which it happened.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.0.facts.trace_id
    }

    /// Returns what the model had answered when the call failed.
    #[must_use]
    pub fn partial_output(&self) -> Option<&str> {
        self.0.facts.partial.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(model) = &self.0.facts.model {
            write!(f, "{model}: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(id) = &self.0.facts.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

/// Shows the message, so that `fn main() -> Result<(), glassbox::Error>` tells what to type.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message has said already what a refusal or a user's error says.
        match self.0.kind {
            ErrorKind::Refused | ErrorKind::Other => None,
            _ => self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static)),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(ErrorKind::Refused, refusal.to_string()).because(refusal)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorKind::Config, error.to_string())
    }
}

impl From<PatternError> for Error {
    fn from(error: PatternError) -> Self {
        Self::new(ErrorKind::Config, error.to_string())
    }
}

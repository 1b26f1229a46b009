//! A failed attempt: what kind, whether to try again, what it may have cost.

use crate::error::ErrorKind;
use glassbox_events::gate::Spent;
use glassbox_trace::cost::Cost;
use glassbox_trace::usage::Usage;
use std::sync::Arc;
use std::time::Duration;

/// Why an attempt to call a model failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<Arc<str>>,
    pub(crate) retry_after: Option<Duration>,
    /// What the provider says was used, unknown if it does not say.
    pub(crate) usage: Usage,
    /// What of the answer had come.
    pub(crate) partial: Option<Arc<str>>,
    /// The class for spans, where neither status nor kind says it.
    pub(crate) class: Option<&'static str>,
    /// Whether the provider has more work than it can take, so that fewer calls at once may help.
    pub(crate) overloaded: bool,
    /// Whether the same request may work a moment later.
    pub(crate) retryable: bool,
    /// Whether the provider refused the request because of its response format.
    pub(crate) rejects_schema: bool,
    /// Whether the provider refused the request because of its tools.
    pub(crate) rejects_tools: bool,
    /// Whether the provider may have worked, and charge for it, although we did not get the answer.
    pub(crate) may_have_cost: bool,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        use ErrorKind::{Malformed, Network, RateLimited, Server, Timeout};
        Self {
            kind,
            message: message.into(),
            status: None,
            request_id: None,
            retry_after: None,
            usage: Usage::UNKNOWN,
            partial: None,
            class: None,
            overloaded: matches!(kind, RateLimited),
            retryable: matches!(kind, RateLimited | Server | Timeout | Network | Malformed),
            rejects_schema: false,
            rejects_tools: false,
            may_have_cost: matches!(kind, Timeout | Network | Malformed),
        }
    }

    /// Rules out that the same request works a moment later.
    pub(crate) fn final_(mut self) -> Self {
        self.retryable = false;
        // No credit left is no overload: it does not pass by waiting.
        self.overloaded = false;
        self
    }

    /// Returns what the attempt spent. A refusal is free. What was cut off may well be charged for.
    pub(crate) fn spent(&self, cost: Cost) -> Spent {
        if !self.usage.is_unknown() {
            Spent::Known { usage: self.usage, cost }
        } else if self.may_have_cost {
            Spent::Unknown
        } else {
            Spent::Known { usage: Usage::ZERO, cost: Cost::ZERO }
        }
    }

    /// Returns the class for a span's `error.type` and name: the HTTP status if it says more.
    pub(crate) fn error_type(&self) -> String {
        match self.status {
            _ if self.class.is_some() => self.class.unwrap_or_default().to_owned(),
            Some(status) if status >= 400 => status.to_string(),
            _ => self.kind.as_str().to_owned(),
        }
    }
}

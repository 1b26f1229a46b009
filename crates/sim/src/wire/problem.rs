//! What a provider can refuse a request for.

use std::time::Duration;

/// A reason to answer with an error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Problem {
    MissingKey,
    WrongKey,
    UnknownModel(String),
    UnknownPath {
        method: String,
        path: String,
    },
    NotJson(String),
    /// A request that is JSON and wrong.
    Invalid {
        message: String,
        parameter: Option<&'static str>,
        code: Option<&'static str>,
    },
    TooLarge,
    RateLimited {
        retry_after: Duration,
    },
    Broken(u16),
    Overloaded,
}

impl Problem {
    /// Makes a problem of a request that is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), parameter: None, code: None }
    }

    /// The wait that the client is told.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

//! What went wrong in a tool, in words for the model.

use crate::error::Error;
use glassbox_events::refusal::Refusal;
use std::error::Error as StdError;
use std::fmt;

/// Why a tool has no result. The model reads the message and may try something else.
///
/// ```
/// use glassbox::ToolError;
/// let error = ToolError::new("no flight on that day: ask for another one");
/// assert_eq!(error.to_string(), "no flight on that day: ask for another one");
/// ```
#[derive(Debug)]
pub struct ToolError {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Who failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The model asked for a tool that there is not.
    Unknown,
    /// The model's arguments do not fit.
    Arguments,
    /// The tool took too long.
    Timeout,
    /// The tool panicked.
    Panic,
    /// The tool said so.
    Failed,
}

impl ToolError {
    /// Makes an error of words for the model: what went wrong, and what to do instead.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(Kind::Failed, message)
    }

    /// Wraps an error of your own; the model reads it with its causes.
    #[must_use]
    pub fn other(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = match source.into().downcast::<Self>() {
            Ok(own) => return *own,
            Err(source) => source,
        };
        let mut message = source.to_string();
        let mut cause = source.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many errors repeat their cause in their own words.
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self { kind: Kind::Failed, message, source: Some(source) }
    }

    pub(crate) fn of(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Returns the class for a span's `error.type`, of few values.
    pub(crate) fn error_type(&self) -> String {
        let own = self.source.as_ref().and_then(|source| source.downcast_ref::<Error>());
        match (self.kind, own) {
            (Kind::Unknown, _) => "unknown_tool".to_owned(),
            (Kind::Arguments, _) => "invalid_arguments".to_owned(),
            (Kind::Timeout, _) => "timeout".to_owned(),
            (Kind::Panic, _) => "panic".to_owned(),
            (Kind::Failed, Some(error)) => error.error_type(),
            (Kind::Failed, None) => "tool_error".to_owned(),
        }
    }

    /// Gives back the refusal of a gate that a tool met, such as a sub-agent whose budget is spent: nothing that a
    /// model could do better.
    pub(crate) fn into_refused(self) -> Result<Error, Self> {
        let Self { kind, message, source } = self;
        let source = match source.map(|source| source.downcast::<Error>()) {
            Some(Ok(error)) if error.refusal().is_some() => return Ok(*error),
            Some(Ok(error)) => Some(error as Box<dyn StdError + Send + Sync>),
            Some(Err(source)) => match refusal(source.as_ref()) {
                Some(refusal) => return Ok(Error::from(refusal.clone())),
                None => Some(source),
            },
            None => None,
        };
        Err(Self { kind, message, source })
    }
}

/// Finds a refusal among the causes of an error.
fn refusal<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Refusal> {
    let mut error = Some(error);
    while let Some(current) = error {
        if let Some(refusal) = current.downcast_ref::<Error>().and_then(Error::refusal) {
            return Some(refusal);
        }
        error = current.source();
    }
    None
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ToolError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message tells the causes already; the source is there for who looks for its type.
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glassbox_events::run::Stop;

    #[derive(Debug, thiserror::Error)]
    #[error("the archive cannot be searched")]
    struct Archive(#[source] Error);

    #[test]
    fn a_refusal_is_found_however_deep_it_is() {
        let stopped = || Error::from(Refusal::Stopped(Stop::new("enough")));
        for error in [
            ToolError::from(stopped()),
            ToolError::other(Archive(stopped())),
            ToolError::other(Box::<dyn StdError + Send + Sync>::from(ToolError::from(stopped()))),
        ] {
            assert!(error.into_refused().unwrap().is_stopped());
        }
        let failed = ToolError::other(Archive(Error::other("disk is gone")));
        let failed = failed.into_refused().unwrap_err();
        assert_eq!(failed.to_string(), "the archive cannot be searched: disk is gone");
        assert_eq!(failed.error_type(), "tool_error");
    }
}

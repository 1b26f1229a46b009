//! What is wrong with a configuration, and what to type instead.

use std::io;
use std::path::PathBuf;

/// Tells what is wrong with the configuration of telemetry. Never holds a key or another secret.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ConfigError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("{set} is set and {missing} is not; set both, or neither")]
    HalfPair { set: &'static str, missing: &'static str },
    #[error(
        "{variable} holds a {found} key; the public key begins with pk-lf- and goes to LANGFUSE_PUBLIC_KEY, the \
         secret key begins with sk-lf- and goes to LANGFUSE_SECRET_KEY"
    )]
    WrongKey { variable: &'static str, found: &'static str },
    // The value is not repeated: an address can hold a password, and a key can stand in the wrong variable.
    #[error("{variable} is {problem}; write it as {expected}")]
    Url { variable: &'static str, problem: &'static str, expected: &'static str },
    #[error("{variable} is {value:?}; {expected}")]
    Value { variable: &'static str, value: String, expected: &'static str },
    #[error(
        "{variable}: header {header:?} {problem}; write the headers as name=value, separated by commas"
    )]
    Header { variable: &'static str, header: String, problem: &'static str },
    #[error(
        "{variable}: the file {} {problem}; name a file that begins with -----BEGIN CERTIFICATE-----",
        path.display()
    )]
    Certificates { variable: &'static str, path: PathBuf, problem: String },
    #[error("{what} {problem}; write one in the syntax of the regex crate")]
    Pattern { what: String, variable: Option<&'static str>, problem: String },
    #[error(
        "the thread that exports to {destination} cannot be started; lift the limits of the process"
    )]
    Worker { destination: String, source: io::Error },
    #[error("the HTTP client for {destination} cannot be made: {problem}")]
    Client { destination: String, problem: String },
}

impl ConfigError {
    /// Returns the environment variable to correct, if one is to blame.
    #[must_use]
    pub const fn variable(&self) -> Option<&'static str> {
        match &self.0 {
            Kind::HalfPair { missing, .. } => Some(missing),
            Kind::WrongKey { variable, .. }
            | Kind::Url { variable, .. }
            | Kind::Value { variable, .. }
            | Kind::Header { variable, .. }
            | Kind::Certificates { variable, .. } => Some(variable),
            Kind::Pattern { variable, .. } => *variable,
            Kind::Worker { .. } | Kind::Client { .. } => None,
        }
    }
}

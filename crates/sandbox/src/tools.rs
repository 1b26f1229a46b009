//! Tools: what the code may call in the host.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Functions of the host that the code calls by name, as if they were Python's.
pub trait Tools: Send + Sync {
    /// Returns the names that the code can call: Python identifiers.
    fn names(&self) -> Vec<String>;

    /// Answers a call. What is returned as an error is raised in the code, where it can be caught.
    ///
    /// The arguments come from code that a model wrote: check them.
    fn call<'a>(&'a self, call: Call) -> Answer<'a>;
}

/// The answer to a [`Call`], to come.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, Exception>> + Send + 'a>>;

/// A call of a tool, as the code wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The tool's name.
    pub name: String,
    /// The arguments by position. What JSON has no word for, such as bytes, is its `repr`.
    pub args: Vec<Value>,
    /// The arguments by keyword.
    pub kwargs: Map<String, Value>,
}

/// An exception of Python.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Its class, such as `ValueError`; one that the interpreter does not have is raised as a `RuntimeError`.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// Where it was raised, as Python shows it; empty for one that a tool raises.
    pub traceback: String,
}

impl Exception {
    /// Makes an exception for a tool to raise.
    #[must_use]
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), traceback: String::new() }
    }
}

impl fmt::Display for Exception {
    /// Writes the traceback, or else class and message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { traceback, .. } if !traceback.is_empty() => f.write_str(traceback),
            Self { kind, message, .. } if message.is_empty() => f.write_str(kind),
            Self { kind, message, .. } => write!(f, "{kind}: {message}"),
        }
    }
}

impl std::error::Error for Exception {}

/// No tools: the code has only itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTools;

impl Tools for NoTools {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn call<'a>(&'a self, call: Call) -> Answer<'a> {
        let missing = Exception::new("NameError", format!("name '{}' is not defined", call.name));
        Box::pin(std::future::ready(Err(missing)))
    }
}

//! What agents tell: turns, and code that was run.

use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A finished turn of a ReAct agent, the finishing one too.
#[derive(Clone, Debug, PartialEq)]
pub struct ReactIteration {
    /// The agent's signature.
    pub signature: Arc<str>,
    /// Which turn it was, from 1.
    pub number: u32,
    /// What the model thought before it acted, where it said so.
    pub thought: Option<Arc<str>>,
    /// The tools that were called, in the order in which the model asked for them; empty for the finishing turn.
    pub calls: Arc<[ReactCall]>,
    /// Whether it was the last turn: the model has its answer.
    pub finished: bool,
}

/// A tool call of a ReAct turn.
#[derive(Clone, Debug, PartialEq)]
pub struct ReactCall {
    /// The tool's name, as the model wrote it.
    pub tool: Arc<str>,
    /// The arguments, as the model wrote them.
    pub arguments: Arc<Value>,
    /// What the model was told of it: the result, or what went wrong.
    pub observation: Arc<str>,
    /// Whether the call failed.
    pub failed: bool,
}

/// An agent that used up its turns without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxIterations {
    /// The agent's signature.
    pub signature: Arc<str>,
    /// How many turns it had.
    pub limit: u32,
}

/// What a ReAct agent forgot of its conversation, which was longer than the model can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextTrimmed {
    /// The agent's signature.
    pub signature: Arc<str>,
    /// How many of the oldest turns were dropped; zero if observations were cut instead.
    pub dropped: u32,
    /// How many turns are left.
    pub kept: u32,
}

/// A finished turn of a CodeAct agent, the finishing one too.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeActIteration {
    /// The agent's signature.
    pub signature: Arc<str>,
    /// Which turn it was, from 1.
    pub number: u32,
    /// What the model thought before it wrote, where it said so.
    pub thought: Option<Arc<str>>,
    /// The code that it wrote.
    pub code: Option<Arc<str>>,
    /// What the model was told of the run.
    pub observation: Option<Arc<str>>,
    /// Whether it was the last turn.
    pub finished: bool,
}

/// A run of a model's code, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeExecution {
    /// The code.
    pub code: Arc<str>,
    /// What it printed, cut to the limit of output.
    pub stdout: Arc<str>,
    /// The value of its last expression, if there is one.
    pub value: Option<Arc<Value>>,
    /// The error with its traceback, if it failed.
    pub error: Option<Arc<str>>,
    /// The limit that stopped it, such as `time` or `memory`.
    pub limit: Option<Arc<str>>,
    /// How long it ran.
    pub duration: Duration,
}

//! What comes of a module's answer while the model writes it: text, fields of the signature, tool calls.

use crate::error::Error;
use crate::lm::{Delta, LmStream, Response, ToolCallDelta};
use crate::outlet::Outlet;
use fields::Fields;
use serde_json::Value;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) mod fields;

/// A piece of a module's answer, and at the end the answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Chunk<T> {
    /// More of what the model writes, as it writes it: JSON, or fields below markers.
    Text(String),
    /// More of the model's own thinking, where the provider tells it. The reasoning of a chain of thought is a field.
    Reasoning(String),
    /// More of an output field of the signature.
    Field {
        /// The field's name.
        name: &'static str,
        /// What is new.
        change: FieldChange,
    },
    /// More of a tool call.
    ToolCall(ToolCallDelta),
    /// What has come so far is void: the connection broke and the model is asked again, or its answer could not be read.
    Restarted,
    /// The output; the last that comes.
    Done(T),
}

/// What is new in a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldChange {
    /// More of a text, to be appended.
    Text(String),
    /// All that there is of another value so far, in place of what was told before. What the model has not written yet
    /// is missing, and a text or number in it may be cut.
    Value(Value),
}

impl Chunk<Infallible> {
    /// Makes it a piece of an answer of any type.
    pub(crate) fn of<T>(self) -> Chunk<T> {
        match self {
            Self::Text(text) => Chunk::Text(text),
            Self::Reasoning(text) => Chunk::Reasoning(text),
            Self::Field { name, change } => Chunk::Field { name, change },
            Self::ToolCall(call) => Chunk::ToolCall(call),
            Self::Restarted => Chunk::Restarted,
        }
    }
}

/// Where a module that streams hands out the pieces of its answer; see [`Streaming`](crate::Streaming).
pub struct Chunks {
    outlet: Outlet<Chunk<Infallible>>,
    /// What the model has written since the last restart.
    partial: Arc<Mutex<String>>,
    /// Whether the consumer has pieces that a restart would make void.
    begun: AtomicBool,
}

impl Chunks {
    pub(crate) fn new(outlet: Outlet<Chunk<Infallible>>) -> Self {
        Self { outlet, partial: Arc::default(), begun: AtomicBool::new(false) }
    }

    /// Hands out a text of a module's own. It waits for a consumer that is slower.
    pub async fn text(&self, text: impl Into<String>) {
        let text = text.into();
        self.write(|partial| partial.push_str(&text));
        self.tell(Chunk::Text(text)).await;
    }

    /// Tells that what has come so far is void, if anything has.
    pub async fn restart(&self) {
        self.write(String::clear);
        if self.begun.swap(false, Ordering::Relaxed) {
            self.outlet.send(Chunk::Restarted).await;
        }
    }

    /// Hands out what comes of a model's answer, until it is there.
    pub(crate) async fn follow(
        &self,
        mut stream: LmStream,
        mut fields: Fields,
    ) -> Result<Response, Error> {
        self.write(String::clear);
        loop {
            // A stream ends with `Done` or an error and goes on until then.
            let Some(delta) = stream.next().await.transpose()? else { continue };
            match delta {
                Delta::Text(text) => {
                    let changes = fields.push(&text);
                    self.text(text).await;
                    for (name, change) in changes {
                        self.tell(Chunk::Field { name, change }).await;
                    }
                }
                Delta::Reasoning(text) => self.tell(Chunk::Reasoning(text)).await,
                Delta::ToolCall(call) => self.tell(Chunk::ToolCall(call)).await,
                Delta::Restarted => {
                    fields.restart();
                    self.restart().await;
                }
                Delta::Done(response) => {
                    for (name, change) in fields.end() {
                        self.tell(Chunk::Field { name, change }).await;
                    }
                    return Ok(*response);
                }
            }
        }
    }

    /// Returns what the model has written since the last restart, to be read at any time.
    pub(crate) fn partial(&self) -> Arc<Mutex<String>> {
        Arc::clone(&self.partial)
    }

    async fn tell(&self, chunk: Chunk<Infallible>) {
        self.begun.store(true, Ordering::Relaxed);
        self.outlet.send(chunk).await;
    }

    fn write(&self, change: impl FnOnce(&mut String)) {
        change(&mut self.partial.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").field("begun", &self.begun).finish_non_exhaustive()
    }
}

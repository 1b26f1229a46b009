//! A model that answers by a script, for users' tests: no network, no key, the same events and spans.

use crate::error::ErrorKind;
use crate::lm::failure::Failure;
use crate::lm::request::Request;
use crate::lm::transport::Answer;
use crate::lm::wire::{AnswerFacts, Wire};
use glassbox_trace::message::{Message, Part, Role, ToolCall};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One answer of a [scripted](crate::Lm::scripted) model.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The fields of the signature, by name.
    Fields(Value),
    /// A text as it is.
    Text(String),
    /// Calls of tools.
    Calls(Vec<ToolCall>),
    /// An HTTP error of a provider, with its status.
    Error(u16, String),
}

impl Reply {
    /// Makes an answer that calls one tool.
    #[must_use]
    pub fn call(tool: impl Into<Arc<str>>, arguments: impl Into<Value>) -> Self {
        Self::calls([(tool, arguments)])
    }

    /// Makes an answer that calls several tools at once, with the ids `call_1` and so on.
    #[must_use]
    pub fn calls(calls: impl IntoIterator<Item = (impl Into<Arc<str>>, impl Into<Value>)>) -> Self {
        let call = |(at, (tool, arguments)): (usize, (_, _))| ToolCall {
            id: format!("call_{}", at + 1).into(),
            name: Into::into(tool),
            arguments: Into::into(arguments),
        };
        Self::Calls(calls.into_iter().enumerate().map(call).collect())
    }
}

impl From<Value> for Reply {
    fn from(fields: Value) -> Self {
        Self::Fields(fields)
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Answers in order; clones share the place in the script.
#[derive(Clone)]
pub(crate) struct Script {
    replies: Arc<[Reply]>,
    next: Arc<AtomicUsize>,
}

impl Script {
    pub(crate) fn new(replies: impl IntoIterator<Item = impl Into<Reply>>) -> Self {
        Self { replies: replies.into_iter().map(Into::into).collect(), next: Arc::default() }
    }

    pub(crate) fn answer(&self, request: &Request) -> Result<Answer, Failure> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let message = match self.replies.get(at) {
            Some(Reply::Fields(fields)) => Message::assistant(fields.to_string()),
            Some(Reply::Text(text)) => Message::assistant(text.as_str()),
            Some(Reply::Calls(calls)) => {
                let parts = calls.iter().cloned().map(Part::ToolCall).collect();
                Message { role: Role::Assistant, parts }
            }
            Some(Reply::Error(status, message)) => return Err(failure(*status, message)),
            None => {
                let message = format!(
                    "the script has {} replies and is asked for number {}: add a reply",
                    self.replies.len(),
                    at + 1
                );
                return Err(Failure::new(ErrorKind::Config, message));
            }
        };
        // Four bytes a token is what English has on average.
        let prompt: usize = request.messages.iter().map(Message::bytes).sum();
        let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let finish_reason = if calls { "tool_calls" } else { "stop" };
        let mut facts = AnswerFacts::default();
        let body = json!({
            "id": format!("scripted-{}", at + 1),
            "model": "scripted",
            "choices": [{ "finish_reason": finish_reason }],
            "usage": { "prompt_tokens": prompt.div_ceil(4), "completion_tokens": message.bytes().div_ceil(4) },
        });
        facts.read(Wire::OpenAi, &body);
        Ok(Answer { message, facts })
    }
}

fn failure(status: u16, message: &str) -> Failure {
    let kind = match status {
        401 | 403 => ErrorKind::Auth,
        404 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited,
        500.. => ErrorKind::Server,
        _ => ErrorKind::BadRequest,
    };
    Failure { status: Some(status), ..Failure::new(kind, message) }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("replies", &self.replies.len()).finish_non_exhaustive()
    }
}

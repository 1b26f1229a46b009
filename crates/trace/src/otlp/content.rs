//! What is left of content where not all of it is wanted.

use super::Content;
use crate::message::{Message, Part, ToolCall, ToolDefinition, ToolResult};
use crate::span::Generation;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// Stands for content of so many bytes: `[1234 bytes]`.
pub(super) fn length(bytes: usize) -> String {
    format!("[{bytes} bytes]")
}

/// What was said in a model call, as much of it as content is wanted.
pub(super) struct Said<'a> {
    pub(super) messages: Cow<'a, [Message]>,
    pub(super) output: Option<Cow<'a, Message>>,
    pub(super) tools: Cow<'a, [ToolDefinition]>,
}

impl<'a> Said<'a> {
    pub(super) fn of(generation: &'a Generation, content: Content) -> Option<Self> {
        let Generation { messages, output, tools, .. } = generation;
        match content {
            Content::None => None,
            Content::Full => Some(Self {
                messages: Cow::Borrowed(messages),
                output: output.as_ref().map(Cow::Borrowed),
                tools: Cow::Borrowed(tools),
            }),
            Content::Lengths => Some(Self {
                messages: messages.iter().map(message).collect(),
                output: output.as_ref().map(|output| Cow::Owned(message(output))),
                tools: tools.iter().map(tool).collect(),
            }),
        }
    }
}

/// Leaves who speaks, of what kind the parts are, and which tools are called.
fn message(message: &Message) -> Message {
    let text = |text: &Arc<str>| Arc::from(length(text.len()));
    let part = |part: &Part| match part {
        Part::Text(said) => Part::Text(text(said)),
        Part::Reasoning(thought) => Part::Reasoning(text(thought)),
        Part::ToolCall(call) => {
            Part::ToolCall(ToolCall { arguments: value(&call.arguments), ..call.clone() })
        }
        Part::ToolResult(answer) => {
            Part::ToolResult(ToolResult { result: value(&answer.result), ..answer.clone() })
        }
    };
    Message { role: message.role, parts: message.parts.iter().map(part).collect() }
}

/// Leaves the name.
fn tool(tool: &ToolDefinition) -> ToolDefinition {
    ToolDefinition {
        name: Arc::clone(&tool.name),
        description: length(tool.description.len()).into(),
        parameters: value(&tool.parameters),
    }
}

fn value(value: &Value) -> Value {
    let bytes = match value {
        Value::String(text) => text.len(),
        value => value.to_string().len(),
    };
    length(bytes).into()
}

//! Messages between a program and a model, with the parts that OpenTelemetry's GenAI conventions know.

use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions from the program.
    System,
    /// The program's user.
    User,
    /// The model.
    Assistant,
    /// A tool that answers a call.
    Tool,
}

impl Role {
    /// Returns the name that the conventions and the providers use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(Arc<str>),
    /// The model's own thinking, where the provider tells it.
    Reasoning(Arc<str>),
    /// The model wants a tool called.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
}

/// A model's wish to call a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The provider's id of the call, which the result repeats.
    pub id: Arc<str>,
    /// The tool's name.
    pub name: Arc<str>,
    /// The arguments, an object.
    pub arguments: Value,
}

/// A tool's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The id of the call that is answered.
    pub id: Arc<str>,
    /// What the tool returned.
    pub result: Value,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
}

impl Message {
    /// Makes a message of one text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<Arc<str>>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())] }
    }

    /// Makes a system message.
    #[must_use]
    pub fn system(text: impl Into<Arc<str>>) -> Self {
        Self::text(Role::System, text)
    }

    /// Makes a user message.
    #[must_use]
    pub fn user(text: impl Into<Arc<str>>) -> Self {
        Self::text(Role::User, text)
    }

    /// Makes an assistant message.
    #[must_use]
    pub fn assistant(text: impl Into<Arc<str>>) -> Self {
        Self::text(Role::Assistant, text)
    }

    /// Returns the texts of the message, joined.
    #[must_use]
    pub fn to_text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_ref()),
            _ => None,
        });
        texts.collect()
    }

    /// Returns how many bytes of content the message holds: no tokenizer makes more tokens than that.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) | Part::Reasoning(text) => text.len(),
            Part::ToolCall(call) => {
                call.id.len() + call.name.len() + call.arguments.to_string().len()
            }
            Part::ToolResult(result) => result.id.len() + result.result.to_string().len(),
        });
        parts.sum()
    }
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDefinition {
    /// The tool's name.
    pub name: Arc<str>,
    /// What it does, for the model.
    pub description: Arc<str>,
    /// JSON schema of its arguments, an object.
    pub parameters: Value,
}

//! What goes to a model and what comes back, whoever the provider is.

use glassbox_trace::cost::Cost;
use glassbox_trace::message::{Message, Part, ToolCall, ToolDefinition};
use glassbox_trace::usage::Usage;
use serde_json::Value;
use std::sync::Arc;

/// A call of a model.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The conversation so far, its last message the user's or a tool's.
    pub messages: Arc<[Message]>,
    /// The JSON schema that the answer has to follow, enforced by the provider.
    pub schema: Option<Arc<ResponseSchema>>,
    /// The tools that the model may call.
    pub tools: Arc<[ToolDefinition]>,
    /// Which of several independent answers to the same request is wanted, so that a cache does not give the same one
    /// each time. It is not sent. Where it is `None`, it is that of the candidate that is being made, if any.
    pub rollout: Option<u32>,
}

/// A JSON schema for an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseSchema {
    /// A name of letters, digits, `-` and `_`.
    pub name: String,
    /// The schema, of an object.
    pub schema: Value,
}

impl Request {
    /// Makes a request of messages.
    #[must_use]
    pub fn new(messages: impl Into<Arc<[Message]>>) -> Self {
        Self { messages: messages.into(), ..Self::default() }
    }

    /// Returns an upper bound of the prompt's tokens.
    ///
    /// No tokenizer makes more tokens than there are bytes. What a provider puts around messages, schema and tools
    /// is bounded by 32 tokens for each of them.
    #[must_use]
    pub fn max_input_tokens(&self) -> u64 {
        let messages = self.messages.iter().map(|message| message.bytes() + FRAME);
        let schema =
            self.schema.iter().map(|schema| schema.name.len() + json_bytes(&schema.schema) + FRAME);
        let tools = self.tools.iter().map(|tool| {
            tool.name.len() + tool.description.len() + json_bytes(&tool.parameters) + FRAME
        });
        let bytes: usize = messages.chain(schema).chain(tools).sum();
        (bytes + FRAME) as u64
    }
}

/// The most tokens that a provider's own frame around a message, a schema or a tool has, generously.
const FRAME: usize = 32;

/// Returns how many bytes a value has as JSON, without writing it: this is asked for each call.
fn json_bytes(value: &Value) -> usize {
    // Quotes around, and what each byte is escaped as.
    let text = |text: &str| 2 + text.bytes().map(escaped_bytes).sum::<usize>();
    // Brackets around, and commas between.
    let list = |items: usize, bytes: usize| 2 + items.saturating_sub(1) + bytes;
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => number.to_string().len(),
        Value::String(string) => text(string),
        Value::Array(items) => list(items.len(), items.iter().map(json_bytes).sum()),
        Value::Object(fields) => {
            let bytes = fields.iter().map(|(name, value)| text(name) + 1 + json_bytes(value));
            list(fields.len(), bytes.sum())
        }
    }
}

const fn escaped_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    }
}

/// A model's answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// What the model said.
    pub message: Message,
    /// Why it stopped.
    pub finish: Finish,
    /// The same in the provider's own word.
    pub finish_reason: Option<Arc<str>>,
    /// The tokens used.
    pub usage: Usage,
    /// What they cost.
    pub cost: Cost,
    /// The model that answered, which is often a dated version of the one that was asked.
    pub model: Option<Arc<str>>,
    /// The provider's id of the answer.
    pub id: Option<Arc<str>>,
    /// Whether it came from our own [`Cache`](crate::Cache): then it used and cost nothing.
    pub cache_hit: bool,
}

impl Response {
    /// Returns the text of the answer.
    #[must_use]
    pub fn text(&self) -> String {
        self.message.to_text()
    }

    /// Returns the model's own thinking, where the provider tells it.
    #[must_use]
    pub fn reasoning(&self) -> Option<&Arc<str>> {
        self.message.parts.iter().find_map(|part| match part {
            Part::Reasoning(reasoning) => Some(reasoning),
            _ => None,
        })
    }

    /// Returns the tool calls that the model wants.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.message.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// It had said what it wanted to say.
    Stop,
    /// The limit of output tokens cut it off.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// A filter stopped it, or it refused.
    Filter,
    /// Another reason, or none told.
    Other,
}

impl Finish {
    /// Reads a provider's word for the reason.
    #[must_use]
    pub fn of(reason: &str) -> Self {
        match reason.to_ascii_lowercase().as_str() {
            "stop" | "end_turn" | "complete" | "completed" | "stop_sequence" => Self::Stop,
            "length"
            | "max_tokens"
            | "incomplete"
            | "model_length"
            | "model_context_window_exceeded" => Self::Length,
            "tool_calls" | "tool_use" | "function_call" => Self::ToolCalls,
            "content_filter" | "refusal" | "safety" | "recitation" | "blocklist"
            | "prohibited_content" | "spii" | "image_safety" | "language" | "error_toxic" => {
                Self::Filter
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::json_bytes;
    use proptest::collection::{hash_map, vec};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            "(?s).*".prop_map(Value::from),
            "[\\x00-\\x7f]*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                hash_map(".*", inner, 0..4).prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn bytes_are_counted_as_they_are_written(value in value()) {
            prop_assert_eq!(json_bytes(&value), value.to_string().len());
        }
    }
}

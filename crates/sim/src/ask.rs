//! A request to a model, whatever wire format it came in.

use serde_json::Value;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) stream: Option<Stream>,
    /// All system and developer messages, one per line.
    pub(crate) system: String,
    pub(crate) turns: Vec<Turn>,
    pub(crate) shape: Shape,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: Choice,
    /// How long the answer may be.
    pub(crate) max_tokens: Option<u64>,
    /// Whether the client marked a part of the prompt for caching (Anthropic).
    pub(crate) marks_cache: bool,
}

/// How an answer is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// As server-sent events, the last of them with the usage (OpenAI sends it only when asked).
    Events { usage: bool },
    /// As a JSON array (Gemini without `alt=sse`).
    Array,
}

/// One message.
#[derive(Debug, PartialEq)]
pub(crate) enum Turn {
    User(String),
    /// The model's own message, with the arguments of the calls it made.
    Model {
        text: String,
        called: bool,
    },
    /// The result of a tool.
    Tool(String),
}

/// What the answer has to look like.
#[derive(Debug, PartialEq)]
pub(crate) enum Shape {
    Text,
    /// Any JSON object.
    Json,
    /// JSON that conforms to a schema; `strict` if the provider promises so.
    Schema {
        schema: Value,
        strict: bool,
    },
}

/// A tool that the model may call.
#[derive(Debug, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) schema: Value,
    pub(crate) strict: bool,
}

/// Whether a tool has to be called.
#[derive(Debug, PartialEq)]
pub(crate) enum Choice {
    Auto,
    None,
    Required,
    Named(String),
}

impl Ask {
    /// The user's messages, oldest first.
    pub(crate) fn user_messages(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.turns.iter().filter_map(|turn| match turn {
            Turn::User(text) => Some(text.as_str()),
            Turn::Model { .. } | Turn::Tool(_) => None,
        })
    }

    /// How often the model has called tools since the user last spoke.
    pub(crate) fn rounds(&self) -> usize {
        let since = self.turns.iter().rev().take_while(|turn| !matches!(turn, Turn::User(_)));
        since.filter(|turn| matches!(turn, Turn::Model { called: true, .. })).count()
    }

    /// How often the model has written a message with this text in it.
    pub(crate) fn written(&self, text: &str) -> usize {
        let wrote =
            |turn: &&Turn| matches!(turn, Turn::Model { text: said, .. } if said.contains(text));
        self.turns.iter().filter(wrote).count()
    }

    /// All that the model reads, as one text: tools, schema, system, messages.
    pub(crate) fn prompt(&self) -> String {
        let mut prompt = String::new();
        for tool in &self.tools {
            prompt.push_str(&tool.name);
            prompt.push_str(&tool.description);
            prompt.push_str(&tool.schema.to_string());
        }
        if let Shape::Schema { schema, .. } = &self.shape {
            prompt.push_str(&schema.to_string());
        }
        prompt.push_str(&self.system);
        for turn in &self.turns {
            let (Turn::User(text) | Turn::Model { text, .. } | Turn::Tool(text)) = turn;
            prompt.push_str(text);
        }
        prompt
    }
}

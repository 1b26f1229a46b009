//! Input and output of a span: shared with the program that made them, rendered only when they leave it.

use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A value that can show itself as JSON, later and on another thread.
pub trait Render: Send + Sync {
    /// Renders the value as JSON.
    fn render(&self) -> Value;
}

impl Render for Value {
    fn render(&self) -> Value {
        self.clone()
    }
}

/// Input or output of a span. Cloning it copies a reference, whatever its size.
///
/// ```
/// use glassbox_trace::payload::Payload;
/// let text = Payload::from("hello");
/// assert_eq!(text.render(), serde_json::json!("hello"));
/// ```
#[derive(Clone)]
pub enum Payload {
    /// Plain text.
    Text(Arc<str>),
    /// A typed value, rendered by whoever exports it.
    Value(Arc<dyn Render>),
}

impl Payload {
    /// Shares a value that renders itself.
    #[must_use]
    pub fn shared(value: Arc<dyn Render>) -> Self {
        Self::Value(value)
    }

    /// Renders the payload as JSON; a text becomes a JSON string.
    #[must_use]
    pub fn render(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.as_ref().to_owned()),
            Self::Value(value) => value.render(),
        }
    }

    /// Renders the payload as an attribute's value: a text as it is, anything else as compact JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.as_ref().to_owned(),
            Self::Value(value) => match value.render() {
                Value::String(text) => text,
                value => value.to_string(),
            },
        }
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::Value(Arc::new(value))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.render(), f)
    }
}

/// Compares what is rendered, not who owns it.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.render() == other.render()
    }
}

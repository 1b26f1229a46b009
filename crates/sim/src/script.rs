//! What the model says: entries found by what the user asked.

mod coffee_shop;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Lists what the model answers to whom; the first entry that matches wins.
///
/// Deserializes from a list of entries, such as
/// `[{"when": ["hamburgers"], "fields": {"answer": "no"}, "text": "We do not sell them."}]`.
///
/// ```
/// use glassbox_sim::{Entry, Script};
/// use serde_json::json;
///
/// let script = Script::new()
///     .with(Entry::when("weather").call("get_weather", json!({"city": "Oslo"})).text("It rains in Oslo."))
///     .with(Entry::when("capital").field("reasoning", "It is known.").field("answer", "Paris"));
/// # let _ = script;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
#[must_use]
pub struct Script {
    entries: Vec<Entry>,
}

/// Holds one answer, which is rendered in whatever format the request asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Entry {
    /// Texts that must all occur in the user's message.
    pub when: Vec<String>,
    /// Output fields by name, in order.
    #[serde(default)]
    pub fields: Map<String, Value>,
    /// The answer as plain text. Without it, the field `friendly_response` or the last field that is a string.
    #[serde(default)]
    pub text: Option<String>,
    /// Tool calls made before the answer, one per turn unless they say otherwise.
    #[serde(default)]
    pub calls: Vec<ToolCall>,
}

/// A call that the model makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool's name.
    pub tool: String,
    /// Its arguments, an object.
    pub arguments: Value,
    /// Whether it is made in the same turn as the call before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// What the model says before it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thought: Option<String>,
}

impl Script {
    /// Makes an empty script: every answer is a generic one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers the four customers of the coffee shop.
    pub fn coffee_shop() -> Self {
        coffee_shop::script()
    }

    /// Adds an entry after those that are there.
    pub fn with(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Finds the first entry that matches the latest user message, else the one before it, and so on back.
    ///
    /// Earlier messages count because a follow-up such as "that was not valid JSON, try again" still wants the answer to what was
    /// asked.
    pub(crate) fn find<'a>(
        &self,
        user_messages: impl DoubleEndedIterator<Item = &'a str>,
    ) -> Option<&Entry> {
        user_messages
            .rev()
            .find_map(|message| self.entries.iter().find(|entry| entry.matches(message)))
    }
}

impl Entry {
    /// Starts an entry for user messages that contain this text.
    pub fn when(text: impl Into<String>) -> Self {
        Self { when: vec![text.into()], fields: Map::new(), text: None, calls: Vec::new() }
    }

    /// Narrows the entry to messages that contain this text too.
    pub fn and(mut self, text: impl Into<String>) -> Self {
        self.when.push(text.into());
        self
    }

    /// Adds an output field.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Sets the answer for requests that ask for plain text.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds a tool call to make before the answer, one per turn of the conversation.
    pub fn call(mut self, tool: impl Into<String>, arguments: Value) -> Self {
        self.calls.push(ToolCall { tool: tool.into(), arguments, together: false, thought: None });
        self
    }

    /// Adds a tool call to make in the same turn as the one before it.
    pub fn and_call(mut self, tool: impl Into<String>, arguments: Value) -> Self {
        self.calls.push(ToolCall { tool: tool.into(), arguments, together: true, thought: None });
        self
    }

    /// Sets what the model says before the call that was added last.
    pub fn thought(mut self, text: impl Into<String>) -> Self {
        if let Some(call) = self.calls.last_mut() {
            call.thought = Some(text.into());
        }
        self
    }

    /// The calls of a turn, counted from zero; none after the last turn with calls.
    pub(crate) fn turn(&self, number: usize) -> &[ToolCall] {
        let mut turns = self.calls.chunk_by(|_, next| next.together);
        turns.nth(number).unwrap_or_default()
    }

    /// The answer as plain text, if the entry has any text.
    pub(crate) fn plain_text(&self) -> Option<&str> {
        let friendly = || self.fields.get("friendly_response").and_then(Value::as_str);
        let last = || self.fields.values().rev().find_map(Value::as_str);
        self.text.as_deref().or_else(friendly).or_else(last)
    }

    fn matches(&self, message: &str) -> bool {
        self.when.iter().all(|text| message.contains(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_message_that_matches_decides() {
        let script = Script::new()
            .with(Entry::when("tea").and("green").text("green tea"))
            .with(Entry::when("tea").text("tea"))
            .with(Entry::when("coffee").text("coffee"));
        let answer = |messages: &[&str]| {
            script.find(messages.iter().copied()).and_then(Entry::plain_text).map(str::to_owned)
        };
        assert_eq!(answer(&["a green tea"]).as_deref(), Some("green tea"));
        assert_eq!(answer(&["a tea", "no, a coffee"]).as_deref(), Some("coffee"));
        assert_eq!(answer(&["a tea", "what?"]).as_deref(), Some("tea"));
        assert_eq!(answer(&["what?"]), None);
    }

    #[test]
    fn calls_are_made_one_a_turn_unless_they_belong_together() {
        let entry = Entry::when("a")
            .call("a", Value::Null)
            .call("b", Value::Null)
            .and_call("c", Value::Null)
            .thought("both")
            .call("d", Value::Null);
        let turns: Vec<Vec<&str>> = (0..4)
            .map(|number| entry.turn(number).iter().map(|call| call.tool.as_str()).collect())
            .collect();
        assert_eq!(turns, [vec!["a"], vec!["b", "c"], vec!["d"], vec![]]);
        assert_eq!(entry.calls[2].thought.as_deref(), Some("both"));
    }

    #[test]
    fn a_script_can_be_read_from_json() {
        let text = r#"[{"when": ["a"], "fields": {"z": 1, "b": "x"}, "calls": [{"tool": "t", "arguments": {}}]}]"#;
        let script: Script = serde_json::from_str(text).unwrap();
        let expected = Script::new().with(
            Entry::when("a").field("z", 1).field("b", "x").call("t", Value::Object(Map::new())),
        );
        assert_eq!(script, expected);
        assert!(serde_json::from_str::<Script>(r#"[{"when": ["a"], "feilds": {}}]"#).is_err());
    }
}

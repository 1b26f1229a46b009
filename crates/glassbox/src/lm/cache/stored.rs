//! An answer as it is kept: JSON, since what is on disk outlives the types.

use crate::lm::request::{Finish, Response};
use glassbox_trace::cost::Cost;
use glassbox_trace::message::{Message, Part, Role, ToolCall};
use glassbox_trace::usage::Usage;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn write(response: &Response) -> Vec<u8> {
    let parts: Vec<_> = response.message.parts.iter().map(write_part).collect();
    let answer = json!({
        "parts": parts,
        "finish_reason": response.finish_reason.as_deref(),
        "model": response.model.as_deref(),
        "id": response.id.as_deref(),
    });
    answer.to_string().into_bytes()
}

fn write_part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({ "text": &**text }),
        Part::Reasoning(text) => json!({ "reasoning": &**text }),
        Part::ToolCall(call) => {
            json!({ "call": { "id": &*call.id, "name": &*call.name, "arguments": call.arguments } })
        }
        // A model's answer has none.
        Part::ToolResult(_) => json!({}),
    }
}

/// Reads an answer as one that used and cost nothing; `None` if it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Response> {
    let answer: Value = serde_json::from_slice(bytes).ok()?;
    let parts = answer["parts"].as_array()?.iter().filter_map(read_part).collect();
    let text = |key: &str| answer[key].as_str().map(Arc::<str>::from);
    let finish_reason = text("finish_reason");
    Some(Response {
        message: Message { role: Role::Assistant, parts },
        finish: finish_reason.as_deref().map_or(Finish::Other, Finish::of),
        finish_reason,
        usage: Usage::ZERO,
        cost: Cost::ZERO,
        model: text("model"),
        id: text("id"),
        cache_hit: true,
    })
}

fn read_part(part: &Value) -> Option<Part> {
    if let Some(text) = part["text"].as_str() {
        return Some(Part::Text(text.into()));
    }
    if let Some(text) = part["reasoning"].as_str() {
        return Some(Part::Reasoning(text.into()));
    }
    let call = part["call"].as_object()?;
    let text = |key: &str| call.get(key).and_then(Value::as_str).map(Arc::<str>::from);
    let arguments = call.get("arguments").cloned().unwrap_or_default();
    Some(Part::ToolCall(ToolCall { id: text("id")?, name: text("name")?, arguments }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_as_it_was_and_for_nothing() {
        let call = ToolCall { id: "1".into(), name: "add".into(), arguments: json!({ "a": 1 }) };
        let parts =
            vec![Part::Reasoning("hm".into()), Part::Text("so".into()), Part::ToolCall(call)];
        let response = Response {
            message: Message { role: Role::Assistant, parts },
            finish: Finish::ToolCalls,
            finish_reason: Some("tool_calls".into()),
            usage: Usage::UNKNOWN,
            cost: Cost::UNKNOWN,
            model: Some("m".into()),
            id: Some("i".into()),
            cache_hit: false,
        };
        let read = read(&write(&response)).unwrap();
        assert_eq!((read.message, read.finish), (response.message, response.finish));
        assert_eq!((read.model, read.id), (response.model, response.id));
        assert_eq!((read.usage, read.cost, read.cache_hit), (Usage::ZERO, Cost::ZERO, true));
    }

    #[test]
    fn damage_is_no_answer() {
        for damaged in ["", "{", "[]", "{\"parts\":7}"] {
            assert!(read(damaged.as_bytes()).is_none(), "{damaged}");
        }
    }
}

//! Messages as OpenTelemetry's GenAI conventions write them: a role and typed parts.

use crate::message::{Message, Part, Role, ToolCall, ToolDefinition, ToolResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

#[derive(Serialize, Deserialize)]
struct WireMessage<'a> {
    role: Cow<'a, str>,
    parts: Vec<WirePart<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WirePart<'a> {
    Text {
        content: Cow<'a, str>,
    },
    Reasoning {
        content: Cow<'a, str>,
    },
    ToolCall {
        #[serde(default)]
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        #[serde(default)]
        arguments: Cow<'a, Value>,
    },
    ToolCallResponse {
        #[serde(default)]
        id: Cow<'a, str>,
        response: Cow<'a, Value>,
    },
}

#[derive(Serialize, Deserialize)]
struct WireTool<'a> {
    #[serde(rename = "type", default)]
    kind: Cow<'a, str>,
    name: Cow<'a, str>,
    #[serde(default)]
    description: Cow<'a, str>,
    #[serde(default)]
    parameters: Cow<'a, Value>,
}

/// Returns what to write for messages that were sent.
pub(super) fn messages(messages: &[Message]) -> impl Serialize {
    messages.iter().map(|message| wire_message(message, None)).collect::<Vec<_>>()
}

/// Returns what to write for the message that came back. Phoenix drops the whole list without a finish reason.
pub(super) fn output<'a>(message: &'a Message, finish_reason: &'a str) -> impl Serialize {
    [wire_message(message, Some(finish_reason.into()))]
}

/// Returns what to write for tools.
pub(super) fn tools(tools: &[ToolDefinition]) -> impl Serialize {
    tools.iter().map(wire_tool).collect::<Vec<_>>()
}

/// Reads messages; `None` if any has a part that we have no type for.
pub(super) fn read_messages(json: &str) -> Option<Vec<Message>> {
    let messages: Vec<WireMessage<'_>> = serde_json::from_str(json).ok()?;
    messages.into_iter().map(message).collect()
}

/// Reads tools; `None` if they are not in the conventions' shape.
pub(super) fn read_tools(json: &str) -> Option<Vec<ToolDefinition>> {
    let tools: Vec<WireTool<'_>> = serde_json::from_str(json).ok()?;
    let tool = |tool: WireTool<'_>| ToolDefinition {
        name: tool.name.into(),
        description: tool.description.into(),
        parameters: tool.parameters.into_owned(),
    };
    Some(tools.into_iter().map(tool).collect())
}

/// Returns the conventions' word for why a model stopped, given the provider's.
pub(super) fn finish_reason(reason: Option<&str>, is_error: bool) -> &str {
    match reason {
        None if is_error => "error",
        None | Some("end_turn" | "stop_sequence" | "STOP") => "stop",
        Some("max_tokens" | "MAX_TOKENS") => "length",
        Some("tool_calls" | "tool_use" | "function_call") => "tool_call",
        Some("refusal" | "SAFETY") => "content_filter",
        Some(other) => other,
    }
}

fn wire_message<'a>(message: &'a Message, finish_reason: Option<Cow<'a, str>>) -> WireMessage<'a> {
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) => WirePart::Text { content: text.as_ref().into() },
        Part::Reasoning(text) => WirePart::Reasoning { content: text.as_ref().into() },
        Part::ToolCall(call) => WirePart::ToolCall {
            id: call.id.as_ref().into(),
            name: call.name.as_ref().into(),
            arguments: Cow::Borrowed(&call.arguments),
        },
        Part::ToolResult(result) => WirePart::ToolCallResponse {
            id: result.id.as_ref().into(),
            response: Cow::Borrowed(&result.result),
        },
    });
    WireMessage { role: message.role.as_str().into(), parts: parts.collect(), finish_reason }
}

fn wire_tool(tool: &ToolDefinition) -> WireTool<'_> {
    WireTool {
        kind: "function".into(),
        name: tool.name.as_ref().into(),
        description: tool.description.as_ref().into(),
        parameters: Cow::Borrowed(&tool.parameters),
    }
}

fn message(wire: WireMessage<'_>) -> Option<Message> {
    let parts = wire.parts.into_iter().map(|part| match part {
        WirePart::Text { content } => Part::Text(content.into()),
        WirePart::Reasoning { content } => Part::Reasoning(content.into()),
        WirePart::ToolCall { id, name, arguments } => Part::ToolCall(ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into_owned(),
        }),
        WirePart::ToolCallResponse { id, response } => {
            Part::ToolResult(ToolResult { id: id.into(), result: response.into_owned() })
        }
    });
    Some(Message { role: role(&wire.role)?, parts: parts.collect() })
}

/// Reads who speaks, also in the words of other dialects.
pub(super) fn role(name: &str) -> Option<Role> {
    Some(match name {
        "system" | "developer" => Role::System,
        "user" | "human" => Role::User,
        "assistant" | "model" | "ai" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conventions_own_example_is_read() {
        let json = r#"[
            {"role":"user","parts":[{"type":"text","content":"Weather in Paris?"}]},
            {"role":"assistant","parts":[
                {"type":"reasoning","content":"I need the weather tool."},
                {"type":"tool_call","id":"call_1","name":"get_weather","arguments":{"city":"Paris"}}]},
            {"role":"tool","parts":[
                {"type":"tool_call_response","id":"call_1","response":{"temp_c":14,"sky":"rain"}}]}
        ]"#;
        let read = read_messages(json).unwrap();
        assert_eq!(read[0], Message::user("Weather in Paris?"));
        let written = serde_json::to_value(messages(&read)).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn parts_without_a_type_of_ours_are_refused() {
        let picture = r#"[{"role":"user","parts":[{"type":"uri","modality":"image","uri":"https://example.com"}]}]"#;
        assert_eq!(read_messages(picture), None);
        assert_eq!(read_messages(r#"[{"role":"narrator","parts":[]}]"#), None);
    }
}

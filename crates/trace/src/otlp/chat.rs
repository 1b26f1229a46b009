//! Messages as OpenAI's chat completions write them, which is the shape that Langfuse shows as a conversation.
//!
//! The shape has less room than our messages: texts, reasoning and tool calls of one message have no order among
//! each other, reasoning is one text, and each tool result is a message of its own.

use super::cap::structured;
use super::parts::role;
use crate::message::{Message, Part, Role, ToolCall, ToolDefinition, ToolResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

#[derive(Serialize, Deserialize)]
struct ChatMessage<'a> {
    role: Cow<'a, str>,
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<Typed<ChatCall<'a>>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: Cow<'a, str> },
}

/// A function, in the wrapping that tool calls and tools share.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Typed<T> {
    Function(T),
}

#[derive(Serialize, Deserialize)]
struct ChatCall<'a> {
    #[serde(default)]
    id: Cow<'a, str>,
    function: ChatCallFunction<'a>,
}

#[derive(Serialize, Deserialize)]
struct ChatCallFunction<'a> {
    name: Cow<'a, str>,
    /// The arguments as JSON text.
    #[serde(default)]
    arguments: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct ChatTool<'a> {
    function: ChatToolFunction<'a>,
}

#[derive(Serialize, Deserialize)]
struct ChatToolFunction<'a> {
    name: Cow<'a, str>,
    #[serde(default)]
    description: Cow<'a, str>,
    #[serde(default)]
    parameters: Cow<'a, Value>,
}

/// What went into a model call.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Input<'a> {
    Messages(Vec<ChatMessage<'a>>),
    WithTools {
        messages: Vec<ChatMessage<'a>>,
        #[serde(default)]
        tools: Vec<Typed<ChatTool<'a>>>,
    },
}

/// Returns what to write for messages and, if there are any, the tools.
pub(super) fn input<'a>(
    messages: &'a [Message],
    tools: &'a [ToolDefinition],
) -> impl Serialize + use<'a> {
    let messages: Vec<_> = messages.iter().flat_map(chat_messages).collect();
    if tools.is_empty() {
        return Input::Messages(messages);
    }
    Input::WithTools { messages, tools: tools.iter().map(chat_tool).collect() }
}

/// Returns what to write for the message that came back.
pub(super) fn output(message: &Message) -> impl Serialize {
    chat_message(message)
}

/// Reads messages and tools; `None` if something has a shape that we have no type for.
pub(super) fn read_input(json: &str) -> Option<(Vec<Message>, Vec<ToolDefinition>)> {
    let (messages, tools) = match serde_json::from_str(json).ok()? {
        Input::Messages(messages) => (messages, Vec::new()),
        Input::WithTools { messages, tools } => (messages, tools),
    };
    let tool = |Typed::Function(ChatTool { function }): Typed<ChatTool<'_>>| ToolDefinition {
        name: function.name.into(),
        description: function.description.into(),
        parameters: function.parameters.into_owned(),
    };
    let messages: Option<Vec<_>> = messages.into_iter().map(message).collect();
    Some((messages?, tools.into_iter().map(tool).collect()))
}

/// Reads the message that came back; `None` if it has a shape that we have no type for.
pub(super) fn read_output(json: &str) -> Option<Message> {
    message(serde_json::from_str(json).ok()?)
}

/// One message, and one more for each tool result in it.
fn chat_messages(message: &Message) -> impl Iterator<Item = ChatMessage<'_>> {
    let results = message.parts.iter().filter_map(|part| match part {
        Part::ToolResult(result) => Some(tool_message(result)),
        _ => None,
    });
    let only_results = !message.parts.is_empty()
        && message.parts.iter().all(|part| matches!(part, Part::ToolResult(_)));
    results.chain((!only_results).then(|| chat_message(message)))
}

fn tool_message(result: &ToolResult) -> ChatMessage<'_> {
    let content = match &result.result {
        Value::String(text) => text.as_str().into(),
        value => value.to_string().into(),
    };
    ChatMessage {
        role: Role::Tool.as_str().into(),
        content: Some(Content::Text(content)),
        reasoning_content: None,
        tool_calls: None,
        tool_call_id: Some(result.id.as_ref().into()),
    }
}

fn chat_message(message: &Message) -> ChatMessage<'_> {
    let mut texts: Vec<Cow<'_, str>> = Vec::new();
    let mut reasoning: Option<Cow<'_, str>> = None;
    let mut calls = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text(text) => texts.push(text.as_ref().into()),
            Part::Reasoning(more) => {
                reasoning = Some(match reasoning {
                    Some(before) => format!("{before}\n\n{more}").into(),
                    None => more.as_ref().into(),
                });
            }
            Part::ToolCall(call) => calls.push(chat_call(call)),
            Part::ToolResult(_) => {}
        }
    }
    let content = match texts.len() {
        0 => None,
        1 => texts.pop().map(Content::Text),
        _ => {
            Some(Content::Parts(texts.into_iter().map(|text| ContentPart::Text { text }).collect()))
        }
    };
    ChatMessage {
        role: message.role.as_str().into(),
        content,
        reasoning_content: reasoning,
        tool_calls: (!calls.is_empty()).then_some(calls),
        tool_call_id: None,
    }
}

fn chat_call(call: &ToolCall) -> Typed<ChatCall<'_>> {
    let function = ChatCallFunction {
        name: call.name.as_ref().into(),
        arguments: call.arguments.to_string().into(),
    };
    Typed::Function(ChatCall { id: call.id.as_ref().into(), function })
}

fn chat_tool(tool: &ToolDefinition) -> Typed<ChatTool<'_>> {
    let function = ChatToolFunction {
        name: tool.name.as_ref().into(),
        description: tool.description.as_ref().into(),
        parameters: Cow::Borrowed(&tool.parameters),
    };
    Typed::Function(ChatTool { function })
}

fn message(chat: ChatMessage<'_>) -> Option<Message> {
    let role = role(&chat.role)?;
    let texts: Vec<Cow<'_, str>> = match chat.content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![text],
        Some(Content::Parts(parts)) => {
            parts.into_iter().map(|ContentPart::Text { text }| text).collect()
        }
    };
    if let (Role::Tool, Some(id)) = (role, chat.tool_call_id) {
        let text = texts.concat();
        let result = structured(&text).unwrap_or(Value::String(text));
        return Some(Message {
            role,
            parts: vec![Part::ToolResult(ToolResult { id: id.into(), result })],
        });
    }
    let call = |Typed::Function(ChatCall { id, function }): Typed<ChatCall<'_>>| {
        let arguments = serde_json::from_str(&function.arguments)
            .unwrap_or_else(|_| Value::String(function.arguments.into_owned()));
        Part::ToolCall(ToolCall { id: id.into(), name: function.name.into(), arguments })
    };
    let reasoning = chat.reasoning_content.into_iter().map(|text| Part::Reasoning(text.into()));
    let texts = texts.into_iter().map(|text| Part::Text(text.into()));
    let calls = chat.tool_calls.into_iter().flatten().map(call);
    Some(Message { role, parts: reasoning.chain(texts).chain(calls).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_with_tools_is_written_as_openai_does() {
        let json = r#"{"messages":[
            {"role":"system","content":"Be brief."},
            {"role":"assistant","content":null,"reasoning_content":"A tool.","tool_calls":[
                {"type":"function","id":"call_1","function":{"name":"add","arguments":"{\"a\":1}"}}]},
            {"role":"tool","content":"2","tool_call_id":"call_1"}],
            "tools":[{"type":"function","function":{
                "name":"add","description":"Adds.","parameters":{"type":"object"}}}]}"#;
        let (messages, tools) = read_input(json).unwrap();
        assert_eq!(messages[0], Message::system("Be brief."));
        assert_eq!(tools[0].name.as_ref(), "add");
        let written = serde_json::to_value(input(&messages, &tools)).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn each_tool_result_is_a_message() {
        let result = |id: &str| {
            Part::ToolResult(ToolResult { id: id.into(), result: serde_json::json!({"ok": true}) })
        };
        let message = Message {
            role: Role::User,
            parts: vec![result("a"), Part::Text("so?".into()), result("b")],
        };
        let json = serde_json::to_string(&input(&[message], &[])).unwrap();
        let (read, _) = read_input(&json).unwrap();
        assert_eq!(read[0].parts, [result("a")]);
        assert_eq!(read[1].parts, [result("b")]);
        assert_eq!(read[2], Message::user("so?"));
    }

    #[test]
    fn what_has_no_type_of_ours_is_refused() {
        let picture = r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com"}}]}]"#;
        assert!(read_input(picture).is_none());
        assert!(read_input(r#""just a text""#).is_none());
    }
}

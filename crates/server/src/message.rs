//! Messages between a program and a model, out of whatever shape an instrumentation gave them.
//!
//! Understood are the GenAI conventions' parts, OpenAI's chat and responses, Anthropic's blocks, Gemini's parts, Vercel's
//! parts, LangChain's messages and plain texts. What has none of these shapes is shown as the JSON that it is.

mod flattened;

use flattened::objects;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: &'static str,
    /// What it consists of, in order.
    pub parts: Vec<Part>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// What is said.
        text: String,
    },
    /// The model's own thinking.
    Reasoning {
        /// What it thinks.
        text: String,
    },
    /// The model wants a tool called.
    ToolCall {
        /// The id that the result repeats.
        id: Option<String>,
        /// The tool's name.
        name: String,
        /// What it is called with.
        arguments: Value,
    },
    /// What a tool answered.
    ToolResult {
        /// The id of the call.
        id: Option<String>,
        /// The answer.
        content: Value,
    },
    /// A picture, sound or file; only what it is, not itself.
    Media {
        /// Its type, such as `image/png`.
        mime: String,
        /// How large it is, if it is there.
        bytes: Option<usize>,
        /// What it can be recognised by, if it is there.
        sha256: Option<String>,
    },
}

/// A tool that a model could call.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// JSON schema of its arguments.
    pub parameters: Option<Value>,
}

/// Reads a list of messages, or an object that has one under `messages`; `None` if it is neither.
#[must_use]
pub fn messages(value: &Value) -> Option<Vec<Message>> {
    let list = match value {
        Value::Array(list) => list,
        Value::Object(object) => {
            let list = object.get("messages").and_then(Value::as_array)?;
            // LangChain has a list for each prompt of a batch.
            let list = list.first().and_then(Value::as_array).unwrap_or(list);
            let mut messages: Vec<_> = list.iter().filter_map(message).collect();
            if messages.is_empty() && !list.is_empty() {
                return None;
            }
            messages.splice(0..0, object.get("system").and_then(system));
            return Some(messages);
        }
        _ => return None,
    };
    if list.is_empty() || !list.iter().all(is_message) {
        return None;
    }
    Some(
        list.iter()
            .filter(|item| tool_among_messages(item).is_none())
            .filter_map(message)
            .collect(),
    )
}

/// Reads a tool that Langfuse's handler for LangChain has among the messages.
#[must_use]
pub fn tool_among_messages(value: &Value) -> Option<Tool> {
    let is_of_tool = value.get("role")?.as_str()? == "tool";
    let content = value.get("content")?;
    content.get("function").filter(|_| is_of_tool)?;
    tool(content)
}

/// Reads a message; `None` if it has no shape that is known.
#[must_use]
pub fn message(value: &Value) -> Option<Message> {
    let object = value.as_object()?;
    if let Some(inner) = object.get("message").filter(|inner| inner.is_object()) {
        return message(inner);
    }
    let Some((role, object)) = speaker(object) else {
        return item(value);
    };
    let mut parts = Vec::new();
    let reasoning =
        ["reasoning_content", "reasoning"].iter().find_map(|key| object.get(*key)?.as_str());
    if let Some(text) = reasoning.filter(|text| !text.is_empty()) {
        parts.push(Part::Reasoning { text: text.to_owned() });
    }
    let tool_call_id = text_of(object, &["tool_call_id", "tool_use_id", "toolCallId"]);
    match object.get("parts").or_else(|| object.get("content")).or_else(|| object.get("contents")) {
        Some(content) if role == "tool" && !has_typed_items(content) => {
            parts.push(Part::ToolResult { id: tool_call_id, content: parsed(content) });
        }
        Some(Value::String(text)) if !text.is_empty() => {
            parts.push(Part::Text { text: text.clone() })
        }
        Some(Value::Array(items)) => parts.extend(items.iter().filter_map(part)),
        Some(other @ Value::Object(_)) => parts.extend(part(other)),
        _ => (),
    }
    let calls =
        object.get("tool_calls").or_else(|| object.get("toolCalls")).and_then(Value::as_array);
    parts.extend(calls.into_iter().flatten().filter_map(tool_call));
    if let Some(call) = object.get("function_call").filter(|call| call.is_object()) {
        parts.extend(tool_call(call));
    }
    let only_results = parts.iter().all(|part| matches!(part, Part::ToolResult { .. }));
    let role = if role == "user" && !parts.is_empty() && only_results { "tool" } else { role };
    Some(Message { role, parts })
}

/// Who speaks, and the fields in which stands what: LangChain has names of its own for both.
fn speaker(object: &Map<String, Value>) -> Option<(&'static str, &Map<String, Value>)> {
    if let Some(name) = object.get("role").and_then(Value::as_str) {
        return Some((role(name), object));
    }
    let inner = ["kwargs", "data"].iter().find_map(|key| object.get(*key)?.as_object());
    let fields = inner.unwrap_or(object);
    let kind = fields.get("type")?.as_str()?;
    let speaks = matches!(kind, "human" | "ai" | "AIMessageChunk" | "system" | "tool");
    (speaks && fields.contains_key("content")).then(|| (role(kind), fields))
}

/// Reads an item of OpenAI's responses that is no message.
fn item(value: &Value) -> Option<Message> {
    let object = value.as_object()?;
    let (role, part) = match object.get("type")?.as_str()? {
        "function_call" => ("assistant", tool_call(value)?),
        "function_call_output" => {
            let content = object.get("output").map(parsed).unwrap_or_default();
            ("tool", Part::ToolResult { id: text_of(object, &["call_id"]), content })
        }
        "reasoning" => {
            let summary = object.get("summary")?.as_array()?.iter();
            let texts: Vec<_> = summary.filter_map(|item| item.get("text")?.as_str()).collect();
            ("assistant", Part::Reasoning { text: texts.join("\n") })
        }
        _ => return None,
    };
    Some(Message { role, parts: vec![part] })
}

/// Reads the system's instructions: a text, or a list of parts.
#[must_use]
pub fn system(value: &Value) -> Option<Message> {
    let parts = match value {
        Value::String(text) => vec![Part::Text { text: text.clone() }],
        Value::Array(items) => items.iter().filter_map(part).collect(),
        _ => return None,
    };
    Some(Message { role: "system", parts })
}

/// Reads what a model answered: a message, a list of them, choices, or a text.
#[must_use]
pub fn reply(value: &Value) -> Option<Message> {
    match value {
        Value::String(text) => {
            Some(Message { role: "assistant", parts: vec![Part::Text { text: text.clone() }] })
        }
        // Items of one answer, and not answers to choose from.
        Value::Array(list) if list.iter().any(|value| item(value).is_some()) => {
            let parts = list.iter().filter_map(message).flat_map(|message| message.parts);
            Some(Message { role: "assistant", parts: parts.collect() })
        }
        Value::Array(list) => list.first().and_then(message),
        Value::Object(object) => {
            let first = |key: &str| object.get(key).and_then(|list| list.get(0)).and_then(message);
            first("choices").or_else(|| first("messages")).or_else(|| message(value)).or_else(
                || {
                    let candidate = object.get("candidates")?.get(0)?.get("content")?;
                    message(candidate)
                },
            )
        }
        _ => None,
    }
}

/// Reads the tools that a model could call.
#[must_use]
pub fn tools(value: &Value) -> Vec<Tool> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(tool).collect()
}

/// Reads a tool, or a JSON text of one.
#[must_use]
pub fn tool(value: &Value) -> Option<Tool> {
    let value = parsed(value);
    let object = value.get("function").unwrap_or(&value).as_object()?;
    let parameters =
        ["parameters", "input_schema", "inputSchema"].iter().find_map(|key| object.get(*key));
    Some(Tool {
        name: text_of(object, &["name"])?,
        description: text_of(object, &["description"]),
        parameters: parameters.map(parsed),
    })
}

/// Puts flattened attributes such as `0.message.role` and `0.message.tool_calls.0.tool_call.id` together.
#[must_use]
pub fn unflattened<'a>(fields: impl Iterator<Item = (&'a str, Value)>) -> Option<Vec<Message>> {
    let messages: Vec<_> = objects(fields)?.iter().filter_map(message).collect();
    (!messages.is_empty()).then_some(messages)
}

/// Puts the answers among flattened attributes together, which need not say that they are the assistant's.
#[must_use]
pub fn unflattened_reply<'a>(fields: impl Iterator<Item = (&'a str, Value)>) -> Option<Message> {
    let mut answers = objects(fields)?;
    let answer = answers.first_mut()?;
    answer.as_object_mut()?.entry("role").or_insert_with(|| "assistant".into());
    message(answer)
}

/// Puts tools that are flattened as `0.name` and `0.parameters` together.
#[must_use]
pub fn unflattened_tools<'a>(fields: impl Iterator<Item = (&'a str, Value)>) -> Vec<Tool> {
    objects(fields).unwrap_or_default().iter().filter_map(tool).collect()
}

fn is_message(value: &Value) -> bool {
    let inner = value.get("message").unwrap_or(value);
    inner.as_object().is_some_and(|object| speaker(object).is_some()) || item(inner).is_some()
}

fn role(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "system" | "developer" => "system",
        "assistant" | "model" | "ai" | "aimessagechunk" => "assistant",
        "tool" | "function" => "tool",
        _ => "user",
    }
}

fn has_typed_items(content: &Value) -> bool {
    content.as_array().is_some_and(|items| items.iter().any(|item| item.get("type").is_some()))
}

fn part(value: &Value) -> Option<Part> {
    let object = match value {
        Value::String(text) => return Some(Part::Text { text: text.clone() }),
        Value::Object(object) => object,
        _ => return None,
    };
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    let said = text_of(object, &["text", "content", "thinking", "reasoning"]);
    match kind {
        "reasoning" | "thinking" => return Some(Part::Reasoning { text: said? }),
        "tool_call" | "tool_use" | "tool-call" | "function_call" | "function"
        | "server_tool_call" => {
            return tool_call(value);
        }
        "tool_call_response" | "tool_result" | "tool-result" | "server_tool_call_response" => {
            let content = ["response", "result", "content", "output", "server_tool_call_response"]
                .iter()
                .find_map(|key| object.get(*key));
            return Some(Part::ToolResult {
                id: text_of(object, &["id", "tool_use_id", "toolCallId"]),
                content: content.map(|content| parsed(of_vercel(content))).unwrap_or_default(),
            });
        }
        "image" | "image_url" | "input_image" | "blob" | "file" | "uri" | "audio"
        | "input_audio" | "document" => {
            return Some(media(object));
        }
        _ => (),
    }
    if let Some(call) = object.get("functionCall") {
        return tool_call(call);
    }
    if let Some(answer) = object.get("functionResponse") {
        let content = answer.get("response").cloned().unwrap_or_default();
        return Some(Part::ToolResult { id: None, content });
    }
    if object.contains_key("inlineData") || object.contains_key("inline_data") {
        return Some(media(object));
    }
    let text = said.unwrap_or_else(|| value.to_string());
    let is_thought = object.get("thought").and_then(Value::as_bool) == Some(true);
    Some(if is_thought { Part::Reasoning { text } } else { Part::Text { text } })
}

fn tool_call(value: &Value) -> Option<Part> {
    let call = value.as_object()?;
    let function = call.get("function").and_then(Value::as_object).unwrap_or(call);
    let arguments = ["arguments", "args", "input"].iter().find_map(|key| function.get(*key));
    Some(Part::ToolCall {
        id: text_of(call, &["call_id", "toolCallId", "id"]),
        name: text_of(function, &["name", "toolName"])?,
        arguments: arguments.map(parsed).unwrap_or_default(),
    })
}

/// The value that Vercel's SDK has in a wrapper that says what it is.
fn of_vercel(output: &Value) -> &Value {
    let kind = output.get("type").and_then(Value::as_str).unwrap_or_default();
    let is_wrapper = matches!(kind, "text" | "json" | "error-text" | "error-json" | "content");
    output.get("value").filter(|_| is_wrapper).unwrap_or(output)
}

/// Tells of what kind something is that is no text; its data is not handed on.
fn media(object: &Map<String, Value>) -> Part {
    let inner = ["image_url", "source", "inlineData", "inline_data", "input_audio", "image"]
        .iter()
        .find_map(|key| object.get(*key));
    let fields = inner.and_then(Value::as_object).unwrap_or(object);
    let url = inner.and_then(Value::as_str).map(str::to_owned);
    let data = url.or_else(|| text_of(fields, &["url", "uri", "data", "content"]));
    let declared = text_of(object, &["mime_type", "mediaType"])
        .or_else(|| text_of(fields, &["mime_type", "mimeType", "media_type", "format"]));
    let (of_url, base64) = match data.as_deref().and_then(|url| url.strip_prefix("data:")) {
        Some(rest) => match rest.split_once(";base64,") {
            Some((mime, base64)) => (Some(mime.to_owned()), Some(base64.to_owned())),
            None => (None, None),
        },
        None => (None, data.filter(|data| !data.contains("://"))),
    };
    let modality = text_of(object, &["modality"]);
    let raw = base64.and_then(|base64| {
        use base64::Engine as _;
        base64::prelude::BASE64_STANDARD.decode(base64).ok()
    });
    let hash = raw.as_ref().map(|raw| {
        Sha256::digest(raw).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    Part::Media {
        mime: declared
            .or(of_url)
            .or(modality)
            .unwrap_or_else(|| "application/octet-stream".to_owned()),
        bytes: raw.map(|raw| raw.len()),
        sha256: hash,
    }
}

fn text_of(object: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| object.get(*key)?.as_str()).map(str::to_owned)
}

/// A value, read once more if it is a JSON text of an object or a list.
#[must_use]
pub fn parsed(value: &Value) -> Value {
    match value {
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text).unwrap_or_else(|_| value.clone())
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_that_go_deep_are_not_followed() {
        let deep = format!("0.message.{}", "a.".repeat(1_000_000));
        let fields = [
            (deep.as_str(), json!(1)),
            ("0.message.role", json!("user")),
            ("0.message.content", json!("hi")),
        ];
        let messages = unflattened(fields.into_iter()).unwrap();
        assert_eq!(messages[0].parts, [Part::Text { text: "hi".to_owned() }]);
    }
}

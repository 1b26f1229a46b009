//! Gemini `generateContent`. Field names are accepted in both of the spellings that protobuf JSON allows.

use http::HeaderMap;
use serde_json::{Value, json};

use crate::answer::{Content, Finish};
use crate::ask::{Ask, Choice, Shape, Stream, Tool, Turn};
use crate::tokens;

use super::problem::Problem;
use super::read::{Key, add_line, content, header, list, string};
use super::reply::{Frame, Reply};

pub(super) const MODELS: &[(&str, &str)] = &[
    ("gemini-2.0-flash", "gemini-2.0-flash"),
    ("gemini-2.5-flash", "gemini-2.5-flash"),
    ("gemini-2.5-flash-lite", "gemini-2.5-flash-lite"),
    ("gemini-2.5-pro", "gemini-2.5-pro"),
    ("gemini-flash-latest", "gemini-2.5-flash"),
];

pub(super) fn key(headers: &HeaderMap, query: &str) -> Key {
    let in_query = || query.split('&').find_map(|pair| pair.strip_prefix("key="));
    Key::of(header(headers, "x-goog-api-key").or_else(in_query))
}

pub(super) fn read(body: &Value) -> Result<Ask, Problem> {
    let contents =
        body.get("contents").and_then(Value::as_array).filter(|contents| !contents.is_empty());
    let Some(contents) = contents else {
        return Err(Problem::invalid(
            "* GenerateContentRequest.contents: contents is not specified\n",
        ));
    };
    let mut turns = Vec::new();
    for message in contents {
        read_message(message, &mut turns);
    }
    let system =
        either(body, "systemInstruction", "system_instruction").map(parts_text).unwrap_or_default();
    let config = either(body, "generationConfig", "generation_config").unwrap_or(&Value::Null);
    let tools = list(body, "tools").filter_map(|tool| {
        either(tool, "functionDeclarations", "function_declarations")?.as_array()
    });
    Ok(Ask {
        model: String::new(),
        stream: None,
        system,
        turns,
        shape: shape(config),
        tools: tools.flatten().filter_map(tool).collect(),
        choice: choice(body),
        max_tokens: either(config, "maxOutputTokens", "max_output_tokens").and_then(Value::as_u64),
        marks_cache: false,
    })
}

fn either<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

fn parts_text(message: &Value) -> String {
    content(message.get("parts").unwrap_or(&Value::Null))
}

fn read_message(message: &Value, turns: &mut Vec<Turn>) {
    let mut text = parts_text(message);
    let (mut called, mut results) = (false, 0);
    for part in list(message, "parts") {
        if let Some(call) = either(part, "functionCall", "function_call") {
            called = true;
            add_line(&mut text, &call.get("args").map(Value::to_string).unwrap_or_default());
        }
        if let Some(result) = either(part, "functionResponse", "function_response") {
            results += 1;
            turns
                .push(Turn::Tool(result.get("response").map(Value::to_string).unwrap_or_default()));
        }
    }
    if message.get("role").and_then(Value::as_str) == Some("model") {
        turns.push(Turn::Model { text, called });
    } else if results == 0 || !text.is_empty() {
        turns.push(Turn::User(text));
    }
}

fn shape(config: &Value) -> Shape {
    let schema = either(config, "responseJsonSchema", "response_json_schema")
        .or_else(|| either(config, "responseSchema", "response_schema"));
    if let Some(schema) = schema {
        return Shape::Schema { schema: schema.clone(), strict: false };
    }
    match either(config, "responseMimeType", "response_mime_type").and_then(Value::as_str) {
        Some("application/json") => Shape::Json,
        _ => Shape::Text,
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let schema = either(tool, "parametersJsonSchema", "parameters_json_schema")
        .or_else(|| tool.get("parameters"));
    Some(Tool {
        name: string(tool, "name")?,
        description: string(tool, "description").unwrap_or_default(),
        schema: schema.cloned().unwrap_or_else(|| json!({"type": "object", "properties": {}})),
        strict: false,
    })
}

fn choice(body: &Value) -> Choice {
    let config = either(body, "toolConfig", "tool_config")
        .and_then(|config| either(config, "functionCallingConfig", "function_calling_config"))
        .unwrap_or(&Value::Null);
    let mode = config.get("mode").and_then(Value::as_str).unwrap_or_default();
    let only = either(config, "allowedFunctionNames", "allowed_function_names")
        .and_then(|names| names.get(0)?.as_str());
    match (mode.to_ascii_uppercase().as_str(), only) {
        ("NONE", _) => Choice::None,
        ("ANY", Some(name)) => Choice::Named(name.to_owned()),
        ("ANY", None) => Choice::Required,
        _ => Choice::Auto,
    }
}

pub(super) fn whole(reply: &Reply<'_>) -> Value {
    let parts = match &reply.answer.content {
        Content::Text(text) if text.is_empty() => Vec::new(),
        Content::Text(text) => vec![json!({"text": text})],
        Content::Refusal(_) => Vec::new(),
        Content::Calls { .. } => calls(reply),
    };
    envelope(reply, &parts, true, reply.answer.tokens())
}

pub(super) fn stream(reply: &Reply<'_>) -> Vec<Frame> {
    let end = reply.answer.tokens();
    let mut chunks: Vec<(u64, Value)> = Vec::new();
    match &reply.answer.content {
        Content::Text(text) => {
            let mut written = String::new();
            chunks.extend(reply.pieces(text).map(|(after, piece)| {
                written.push_str(piece);
                (after, envelope(reply, &[json!({"text": piece})], false, tokens::count(&written)))
            }));
            chunks.push((end, envelope(reply, &[], true, end)));
        }
        Content::Refusal(_) => chunks.push((end, envelope(reply, &[], true, end))),
        Content::Calls { .. } => chunks.push((end, envelope(reply, &calls(reply), true, end))),
    }
    if reply.ask.stream != Some(Stream::Array) {
        return chunks.iter().map(|(after, chunk)| Frame::data(*after, chunk)).collect();
    }
    let last = chunks.len() - 1; // There is at least the chunk with the finish reason.
    let frame = |(index, (after, chunk)): (usize, (u64, Value))| {
        let opening = if index == 0 { "[" } else { ",\r\n" };
        let closing = if index == last { "]" } else { "" };
        Frame { after, bytes: format!("{opening}{chunk}{closing}").into() }
    };
    chunks.into_iter().enumerate().map(frame).collect()
}

fn calls(reply: &Reply<'_>) -> Vec<Value> {
    let Content::Calls { text, calls } = &reply.answer.content else { return Vec::new() };
    // A call whose arguments were cut is no JSON: Gemini then sends no part at all.
    let part = |call: &crate::answer::Call| {
        let args: Value = serde_json::from_str(&call.arguments).ok()?;
        Some(json!({"functionCall": {"name": call.name, "args": args}}))
    };
    let text = Some(json!({"text": text})).filter(|_| !text.is_empty());
    text.into_iter().chain(calls.iter().filter_map(part)).collect()
}

fn envelope(reply: &Reply<'_>, parts: &[Value], is_last: bool, written: u64) -> Value {
    let mut content = json!({"role": "model"});
    if !parts.is_empty() {
        content["parts"] = json!(parts);
    }
    let mut candidate = json!({"content": content, "index": 0});
    if is_last {
        candidate["finishReason"] = json!(finish(reply.answer.finish));
    }
    if reply.answer.finish == Finish::Filtered {
        candidate = json!({
            "finishReason": "SAFETY",
            "index": 0,
            "safetyRatings": [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": true}],
        });
    }
    let mut body = json!({"candidates": [candidate]});
    if let Some(usage) = reply.usage {
        let mut counts = json!({"promptTokenCount": usage.input});
        // What was filtered is neither sent nor counted.
        let written = if reply.answer.finish == Finish::Filtered { 0 } else { written };
        if written > 0 {
            counts["candidatesTokenCount"] = json!(written);
        }
        if usage.cached > 0 {
            counts["cachedContentTokenCount"] = json!(usage.cached);
        }
        counts["totalTokenCount"] = json!(usage.input + written);
        counts["promptTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": usage.input}]);
        body["usageMetadata"] = counts;
    }
    body["modelVersion"] = json!(reply.model);
    body["responseId"] = json!(&reply.id[..23]);
    body
}

/// Gemini has no finish reason of its own for calls.
fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
    }
}

pub(super) fn error(problem: &Problem) -> (u16, Value) {
    let (code, status, message) = match problem {
        Problem::MissingKey => {
            let message = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
                           other form of API consumer identity to call this API.";
            (403, "PERMISSION_DENIED", message.to_owned())
        }
        Problem::WrongKey => {
            (401, "UNAUTHENTICATED", "API key not valid. Please pass a valid API key.".to_owned())
        }
        Problem::UnknownModel(model) => {
            let message = format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to \
                 see the list of available models and their supported methods."
            );
            (404, "NOT_FOUND", message)
        }
        Problem::UnknownPath { path, .. } => (404, "NOT_FOUND", format!("{path} was not found")),
        Problem::NotJson(why) => {
            (400, "INVALID_ARGUMENT", format!("Invalid JSON payload received. {why}"))
        }
        Problem::Invalid { message, .. } => (400, "INVALID_ARGUMENT", message.clone()),
        Problem::TooLarge => {
            (413, "INVALID_ARGUMENT", "Request payload size exceeds the limit.".to_owned())
        }
        Problem::RateLimited { retry_after } => {
            let message = format!(
                "You exceeded your current quota. Please retry in {}s.",
                retry_after.as_secs_f64()
            );
            (429, "RESOURCE_EXHAUSTED", message)
        }
        Problem::Broken(status) => (
            *status,
            "INTERNAL",
            "An internal error has occurred. Please retry or report the error.".to_owned(),
        ),
        Problem::Overloaded => {
            (503, "UNAVAILABLE", "The model is overloaded. Please try again later.".to_owned())
        }
    };
    let mut error = json!({"code": code, "message": message, "status": status});
    if let Some(wait) = problem.retry_after() {
        let delay = format!("{}s", wait.as_secs_f64());
        error["details"] =
            json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]);
    }
    (code, json!({"error": error}))
}

pub(super) fn models() -> Value {
    let model = |(name, version): &(&str, &str)| {
        json!({
            "name": format!("models/{name}"),
            "version": version,
            "displayName": name,
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        })
    };
    json!({"models": MODELS.iter().map(model).collect::<Vec<_>>()})
}

//! Anthropic messages.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::answer::{Content, Finish};
use crate::ask::{Ask, Choice, Shape, Stream, Tool, Turn};

use super::problem::Problem;
use super::read::{Key, add_line, content, header, list, string};
use super::reply::{Frame, Reply, Usage};

pub(super) const MODELS: &[(&str, &str)] = &[
    ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
    ("claude-3-7-sonnet-latest", "claude-3-7-sonnet-20250219"),
    ("claude-sonnet-4-0", "claude-sonnet-4-20250514"),
    ("claude-opus-4-0", "claude-opus-4-20250514"),
    ("claude-opus-4-1", "claude-opus-4-1-20250805"),
    ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("claude-haiku-4-5", "claude-haiku-4-5-20251001"),
    ("claude-opus-4-5", "claude-opus-4-5-20251101"),
];

pub(super) fn key(headers: &HeaderMap) -> Key {
    // Its own client for Python has it as a bearer's, since version 2.
    let of_bearer = || header(headers, "authorization")?.strip_prefix("Bearer ");
    Key::of(header(headers, "x-api-key").or_else(of_bearer))
}

pub(super) fn read(headers: &HeaderMap, body: &Value) -> Result<Ask, Problem> {
    if header(headers, "anthropic-version").is_none() {
        return Err(Problem::invalid("anthropic-version: header is required"));
    }
    let required = |field: &str| Problem::invalid(format!("{field}: Field required"));
    let model = string(body, "model").ok_or_else(|| required("model"))?;
    let messages =
        body.get("messages").and_then(Value::as_array).ok_or_else(|| required("messages"))?;
    if messages.is_empty() {
        return Err(Problem::invalid("messages: at least one message is required"));
    }
    let max_tokens =
        body.get("max_tokens").and_then(Value::as_u64).ok_or_else(|| required("max_tokens"))?;

    let mut turns = Vec::new();
    for message in messages {
        let parts = message.get("content").unwrap_or(&Value::Null);
        match message.get("role").and_then(Value::as_str) {
            Some("user") => read_user(parts, &mut turns),
            Some("assistant") => turns.push(assistant(message, parts)),
            _ => {
                return Err(Problem::invalid(
                    "messages: Unexpected role. Allowed roles are \"user\" or \"assistant\"",
                ));
            }
        }
    }
    let schema = body
        .pointer("/output_config/format/schema")
        .or_else(|| body.pointer("/output_format/schema"));
    let streamed = body.get("stream") == Some(&Value::Bool(true));
    Ok(Ask {
        model,
        stream: streamed.then_some(Stream::Events { usage: true }),
        system: content(body.get("system").unwrap_or(&Value::Null)),
        turns,
        shape: schema
            .map_or(Shape::Text, |schema| Shape::Schema { schema: schema.clone(), strict: true }),
        tools: list(body, "tools").filter_map(tool).collect(),
        choice: choice(body),
        max_tokens: Some(max_tokens),
        marks_cache: marks_cache(body),
    })
}

/// A user's message can hold tool results, text, or both.
fn read_user(parts: &Value, turns: &mut Vec<Turn>) {
    let mut results = 0;
    for part in parts.as_array().into_iter().flatten() {
        if part.get("type").and_then(Value::as_str) == Some("tool_result") {
            results += 1;
            turns.push(Turn::Tool(content(part.get("content").unwrap_or(&Value::Null))));
        }
    }
    let text = content(parts);
    if results == 0 || !text.is_empty() {
        turns.push(Turn::User(text));
    }
}

fn assistant(message: &Value, parts: &Value) -> Turn {
    let mut text = content(parts);
    let mut called = false;
    for part in list(message, "content").filter(|part| part.get("type") == Some(&json!("tool_use")))
    {
        called = true;
        add_line(&mut text, &part.get("input").map(Value::to_string).unwrap_or_default());
    }
    Turn::Model { text, called }
}

fn tool(tool: &Value) -> Option<Tool> {
    Some(Tool {
        name: string(tool, "name")?,
        description: string(tool, "description").unwrap_or_default(),
        schema: tool
            .get("input_schema")
            .cloned()
            .unwrap_or_else(|| json!({"type": "object", "properties": {}})),
        strict: tool.get("strict") == Some(&Value::Bool(true)),
    })
}

fn choice(body: &Value) -> Choice {
    let Some(choice) = body.get("tool_choice") else { return Choice::Auto };
    match choice.get("type").and_then(Value::as_str) {
        Some("none") => Choice::None,
        Some("any") => Choice::Required,
        Some("tool") => string(choice, "name").map_or(Choice::Auto, Choice::Named),
        _ => Choice::Auto,
    }
}

/// Tells whether a block of the prompt carries `cache_control`.
fn marks_cache(body: &Value) -> bool {
    let marked =
        |block: &Value| block.get("cache_control").is_some_and(|control| !control.is_null());
    marked(body)
        || list(body, "system").any(marked)
        || list(body, "tools").any(marked)
        || list(body, "messages").any(|message| list(message, "content").any(marked))
}

pub(super) fn whole(reply: &Reply<'_>) -> Value {
    let content: Vec<Value> = match &reply.answer.content {
        Content::Text(text) if text.is_empty() => Vec::new(),
        Content::Text(text) | Content::Refusal(text) => vec![json!({"type": "text", "text": text})],
        Content::Calls { text, calls } => {
            let text = Some(json!({"type": "text", "text": text})).filter(|_| !text.is_empty());
            let block = |(id, call): (String, &crate::answer::Call)| {
                // Arguments that were cut are no JSON, and the API has no other place for them.
                let input = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
                json!({"type": "tool_use", "id": id, "name": call.name, "input": input})
            };
            let calls = reply.calls(calls, "toolu_01").into_iter().map(block);
            text.into_iter().chain(calls).collect()
        }
    };
    message(reply, &content, Some(finish(reply.answer.finish)), reply.usage)
}

pub(super) fn stream(reply: &Reply<'_>) -> Vec<Frame> {
    let end = reply.answer.tokens();
    // The first count of the output is what has been written when the stream begins.
    let first_usage = reply.usage.map(|usage| Usage { output: usage.output.min(1), ..usage });
    let start = json!({"type": "message_start", "message": message(reply, &[], None, first_usage)});
    let mut frames = vec![
        Frame::event(0, "message_start", &start),
        Frame::event(0, "ping", &json!({"type": "ping"})),
    ];
    match &reply.answer.content {
        Content::Text(text) | Content::Refusal(text) => text_block(reply, text, &mut frames, end),
        Content::Calls { text, calls } => {
            text_block(reply, text, &mut frames, end);
            let before = usize::from(!text.is_empty());
            for (index, (id, call)) in reply.calls(calls, "toolu_01").into_iter().enumerate() {
                let opening = json!({"type": "tool_use", "id": id, "name": call.name, "input": {}});
                let pieces = reply.pieces(&call.arguments);
                let pieces = pieces.map(|(after, piece)| {
                    (after, json!({"type": "input_json_delta", "partial_json": piece}))
                });
                block(&mut frames, before + index, &opening, pieces, end);
            }
        }
    }
    let delta = json!({"stop_reason": finish(reply.answer.finish), "stop_sequence": null});
    let mut last = json!({"type": "message_delta", "delta": delta});
    if let Some(usage) = reply.usage {
        last["usage"] = self::usage(usage);
    }
    frames.push(Frame::event(end, "message_delta", &last));
    frames.push(Frame::event(end, "message_stop", &json!({"type": "message_stop"})));
    frames
}

/// A block of text, unless there is none.
fn text_block(reply: &Reply<'_>, text: &str, frames: &mut Vec<Frame>, end: u64) {
    if text.is_empty() {
        return;
    }
    let pieces = reply
        .pieces(text)
        .map(|(after, piece)| (after, json!({"type": "text_delta", "text": piece})));
    block(frames, 0, &json!({"type": "text", "text": ""}), pieces, end);
}

fn block(
    frames: &mut Vec<Frame>,
    index: usize,
    opening: &Value,
    deltas: impl Iterator<Item = (u64, Value)>,
    end: u64,
) {
    let start = json!({"type": "content_block_start", "index": index, "content_block": opening});
    frames.push(Frame::event(0, "content_block_start", &start));
    frames.extend(deltas.map(|(after, delta)| {
        Frame::event(
            after,
            "content_block_delta",
            &json!({"type": "content_block_delta", "index": index, "delta": delta}),
        )
    }));
    frames.push(Frame::event(
        end,
        "content_block_stop",
        &json!({"type": "content_block_stop", "index": index}),
    ));
}

fn message(
    reply: &Reply<'_>,
    content: &[Value],
    stop: Option<&str>,
    usage: Option<Usage>,
) -> Value {
    let mut message = Map::from_iter([
        ("id".to_owned(), json!(format!("msg_01{}", &reply.id[..22]))),
        ("type".to_owned(), json!("message")),
        ("role".to_owned(), json!("assistant")),
        ("model".to_owned(), json!(reply.model)),
        ("content".to_owned(), json!(content)),
        ("stop_reason".to_owned(), json!(stop)),
        ("stop_sequence".to_owned(), Value::Null),
    ]);
    if let Some(usage) = usage {
        message.insert("usage".to_owned(), self::usage(usage));
    }
    Value::Object(message)
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered => "refusal",
    }
}

/// Unlike the others, Anthropic counts cached input apart from `input_tokens`.
fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input - usage.cached - usage.written,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output,
        "service_tier": "standard",
    })
}

pub(super) fn error(problem: &Problem, request_id: &str) -> (u16, Value) {
    let (status, kind, message) = match problem {
        Problem::MissingKey => {
            (401, "authentication_error", "x-api-key header is required".to_owned())
        }
        Problem::WrongKey => (401, "authentication_error", "invalid x-api-key".to_owned()),
        Problem::UnknownModel(model) => (404, "not_found_error", format!("model: {model}")),
        Problem::UnknownPath { .. } => (404, "not_found_error", "Not found".to_owned()),
        Problem::NotJson(why) => {
            (400, "invalid_request_error", format!("The request body is not valid JSON: {why}"))
        }
        Problem::Invalid { message, .. } => (400, "invalid_request_error", message.clone()),
        Problem::TooLarge => {
            (413, "request_too_large", "Request exceeds the maximum size".to_owned())
        }
        Problem::RateLimited { .. } => {
            let message =
                "This request would exceed your organization's rate limit. Please try again later.";
            (429, "rate_limit_error", message.to_owned())
        }
        Problem::Broken(status) => (*status, "api_error", "Internal server error".to_owned()),
        Problem::Overloaded => (529, "overloaded_error", "Overloaded".to_owned()),
    };
    (
        status,
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}),
    )
}

pub(super) fn models() -> Value {
    let model = |(_, dated): &(&str, &str)| json!({"type": "model", "id": dated, "display_name": dated, "created_at": "2025-01-01T00:00:00Z"});
    let models: Vec<_> = MODELS.iter().map(model).collect();
    let id = |model: Option<&Value>| model.map(|model| model["id"].clone());
    json!({"first_id": id(models.first()), "last_id": id(models.last()), "has_more": false, "data": models})
}

//! OpenAI chat completions.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::answer::{Content, Finish};
use crate::ask::{Ask, Choice, Shape, Stream, Tool, Turn};

use super::problem::Problem;
use super::read::{Key, add_line, content, header, list, string};
use super::reply::{Frame, Reply, Usage};

pub(super) const MODELS: &[(&str, &str)] = &[
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4.1", "gpt-4.1-2025-04-14"),
    ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    ("gpt-5", "gpt-5-2025-08-07"),
    ("gpt-5-mini", "gpt-5-mini-2025-08-07"),
    ("gpt-5-nano", "gpt-5-nano-2025-08-07"),
    ("o3", "o3-2025-04-16"),
    ("o3-mini", "o3-mini-2025-01-31"),
    ("o4-mini", "o4-mini-2025-04-16"),
];

pub(super) fn key(headers: &HeaderMap) -> Key {
    Key::of(header(headers, "authorization").and_then(|value| value.strip_prefix("Bearer ")))
}

pub(super) fn read(body: &Value) -> Result<Ask, Problem> {
    let Some(model) = string(body, "model") else {
        return Err(Problem::invalid("you must provide a model parameter"));
    };
    let messages =
        body.get("messages").ok_or_else(|| missing("Missing required parameter: 'messages'."))?;
    let messages = messages
        .as_array()
        .filter(|messages| !messages.is_empty())
        .ok_or_else(|| missing("Invalid 'messages': expected an array with minimum length 1."))?;

    let mut system = String::new();
    let mut turns = Vec::new();
    for message in messages {
        let text = content(message.get("content").unwrap_or(&Value::Null));
        match message.get("role").and_then(Value::as_str) {
            Some("system" | "developer") => add_line(&mut system, &text),
            Some("user") => turns.push(Turn::User(text)),
            Some("tool" | "function") => turns.push(Turn::Tool(text)),
            Some("assistant") => turns.push(assistant(message, text)),
            role => {
                let role = role.unwrap_or("null");
                return Err(Problem::invalid(format!(
                    "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
                )));
            }
        }
    }
    let usage = body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    let streamed = body.get("stream") == Some(&Value::Bool(true));
    let limit = body.get("max_completion_tokens").or_else(|| body.get("max_tokens"));
    Ok(Ask {
        model,
        stream: streamed.then_some(Stream::Events { usage }),
        system,
        turns,
        shape: shape(body)?,
        tools: list(body, "tools").filter_map(tool).collect(),
        choice: choice(body),
        max_tokens: limit.and_then(Value::as_u64),
        marks_cache: false,
    })
}

fn missing(message: &str) -> Problem {
    Problem::Invalid {
        message: message.to_owned(),
        parameter: Some("messages"),
        code: Some("missing_required_parameter"),
    }
}

fn assistant(message: &Value, mut text: String) -> Turn {
    let mut called = false;
    for call in list(message, "tool_calls") {
        called = true;
        add_line(
            &mut text,
            call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default(),
        );
    }
    Turn::Model { text, called }
}

fn shape(body: &Value) -> Result<Shape, Problem> {
    let format = body.get("response_format").unwrap_or(&Value::Null);
    match format.get("type").and_then(Value::as_str) {
        Some("json_object") => Ok(Shape::Json),
        Some("json_schema") => {
            let schema = format.pointer("/json_schema/schema").cloned();
            let strict = format.pointer("/json_schema/strict") == Some(&Value::Bool(true));
            let schema = schema.ok_or_else(|| {
                Problem::invalid(
                    "Missing required parameter: 'response_format.json_schema.schema'.",
                )
            })?;
            Ok(Shape::Schema { schema, strict })
        }
        _ => Ok(Shape::Text),
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let function = tool.get("function")?;
    Some(Tool {
        name: string(function, "name")?,
        description: string(function, "description").unwrap_or_default(),
        schema: function
            .get("parameters")
            .cloned()
            .unwrap_or_else(|| json!({"type": "object", "properties": {}})),
        strict: function.get("strict") == Some(&Value::Bool(true)),
    })
}

fn choice(body: &Value) -> Choice {
    match body.get("tool_choice") {
        Some(Value::String(choice)) if choice == "none" => Choice::None,
        Some(Value::String(choice)) if choice == "required" => Choice::Required,
        Some(choice @ Value::Object(_)) => choice
            .get("function")
            .and_then(|function| string(function, "name"))
            .map_or(Choice::Auto, Choice::Named),
        _ => Choice::Auto,
    }
}

pub(super) fn whole(reply: &Reply<'_>) -> Value {
    let message = match &reply.answer.content {
        Content::Text(text) => {
            json!({"role": "assistant", "content": text, "refusal": null, "annotations": []})
        }
        Content::Refusal(text) => {
            json!({"role": "assistant", "content": null, "refusal": text, "annotations": []})
        }
        Content::Calls { text, calls } => {
            let content = Some(text).filter(|text| !text.is_empty());
            let call = |(id, call): (String, &crate::answer::Call)| json!({"id": id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}});
            let calls: Vec<_> = reply.calls(calls, "call_").into_iter().map(call).collect();
            json!({"role": "assistant", "content": content, "tool_calls": calls, "refusal": null, "annotations": []})
        }
    };
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish(reply.answer.finish)});
    let mut body = envelope(reply, "chat.completion", &[choice]);
    if let Some(usage) = reply.usage {
        body["usage"] = self::usage(usage);
    }
    body["service_tier"] = json!("default");
    body
}

pub(super) fn stream(reply: &Reply<'_>) -> Vec<Frame> {
    let sends_usage = reply.ask.stream == Some(Stream::Events { usage: true });
    let chunk = |after: u64, delta: Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        let mut chunk = envelope(reply, "chat.completion.chunk", &[choice]);
        if sends_usage {
            chunk["usage"] = Value::Null;
        }
        Frame::data(after, &chunk)
    };
    let end = reply.answer.tokens();
    let mut frames = Vec::new();
    match &reply.answer.content {
        Content::Text(text) => {
            frames.push(chunk(
                0,
                json!({"role": "assistant", "content": "", "refusal": null}),
                None,
            ));
            frames.extend(
                reply
                    .pieces(text)
                    .map(|(after, piece)| chunk(after, json!({"content": piece}), None)),
            );
        }
        Content::Refusal(text) => {
            frames.push(chunk(
                0,
                json!({"role": "assistant", "content": null, "refusal": ""}),
                None,
            ));
            frames.extend(
                reply
                    .pieces(text)
                    .map(|(after, piece)| chunk(after, json!({"refusal": piece}), None)),
            );
        }
        Content::Calls { text, calls } => {
            frames.push(chunk(0, json!({"role": "assistant", "content": null}), None));
            frames.extend(
                reply
                    .pieces(text)
                    .map(|(after, piece)| chunk(after, json!({"content": piece}), None)),
            );
            for (index, (id, call)) in reply.calls(calls, "call_").into_iter().enumerate() {
                let function = json!({"name": call.name, "arguments": ""});
                let opening =
                    json!({"index": index, "id": id, "type": "function", "function": function});
                frames.push(chunk(0, json!({"tool_calls": [opening]}), None));
                frames.extend(reply.pieces(&call.arguments).map(|(after, piece)| {
                    let part = json!({"index": index, "function": {"arguments": piece}});
                    chunk(after, json!({"tool_calls": [part]}), None)
                }));
            }
        }
    }
    frames.push(chunk(end, json!({}), Some(finish(reply.answer.finish))));
    if let (true, Some(usage)) = (sends_usage, reply.usage) {
        let mut last = envelope(reply, "chat.completion.chunk", &[]);
        last["usage"] = self::usage(usage);
        frames.push(Frame::data(end, &last));
    }
    frames.push(Frame { after: end, bytes: Bytes::from_static(b"data: [DONE]\n\n") });
    frames
}

fn envelope(reply: &Reply<'_>, object: &str, choices: &[Value]) -> Value {
    json!({
        "id": format!("chatcmpl-{}", reply.id),
        "object": object,
        "created": reply.created,
        "model": reply.model,
        "choices": choices,
        "system_fingerprint": "fp_44709d6fcb",
    })
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

pub(super) fn error(problem: &Problem) -> (u16, Value) {
    let body = |message: &str, kind: &str, parameter: Option<&str>, code: Option<&str>| json!({"error": {"message": message, "type": kind, "param": parameter, "code": code}});
    let invalid = "invalid_request_error";
    match problem {
        Problem::MissingKey => {
            let message = "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer \
                           auth (i.e. Authorization: Bearer YOUR_KEY).";
            (401, body(message, invalid, None, None))
        }
        Problem::WrongKey => (
            401,
            body("Incorrect API key provided: invalid.", invalid, None, Some("invalid_api_key")),
        ),
        Problem::UnknownModel(model) => {
            let message =
                format!("The model `{model}` does not exist or you do not have access to it.");
            (404, body(&message, invalid, None, Some("model_not_found")))
        }
        Problem::UnknownPath { method, path } => {
            let message =
                format!("Unknown request URL: {method} {path}. Please check the URL for typos.");
            (404, body(&message, invalid, None, Some("unknown_url")))
        }
        Problem::NotJson(why) => {
            let message = format!("We could not parse the JSON body of your request: {why}");
            (400, body(&message, invalid, None, None))
        }
        Problem::Invalid { message, parameter, code } => {
            (400, body(message, invalid, *parameter, *code))
        }
        Problem::TooLarge => (413, body("The request body is too large.", invalid, None, None)),
        Problem::RateLimited { retry_after } => {
            let message = format!(
                "Rate limit reached for requests. Please try again in {}ms.",
                retry_after.as_millis()
            );
            (429, body(&message, "requests", None, Some("rate_limit_exceeded")))
        }
        Problem::Broken(status) => {
            let message =
                "The server had an error while processing your request. Sorry about that!";
            (*status, body(message, "server_error", None, None))
        }
        Problem::Overloaded => {
            let message = "The engine is currently overloaded, please try again later.";
            (503, body(message, "server_error", None, Some("overloaded")))
        }
    }
}

pub(super) fn models() -> Value {
    let model = |id: &str| json!({"id": id, "object": "model", "created": 1_715_367_049, "owned_by": "system"});
    let ids = MODELS.iter().flat_map(|(alias, dated)| [*alias, *dated]);
    json!({"object": "list", "data": ids.map(model).collect::<Vec<_>>()})
}

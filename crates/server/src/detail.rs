//! A span with all that there is to see of it, read from its payload when somebody looks.

use crate::message::{self, Message, Tool, parsed};
use crate::received::{self, INPUT, OUTPUT, RESPONSE_ID, RESPONSE_MODEL};
use crate::view::{RawSpan, SpanSummary};
use crate::wire::{Any, Attributes, Group, WireSpan};
use glassbox_trace::vocabulary::dialects::{
    gen_ai_old, openinference, pydantic_ai, traceloop, vercel,
};
use glassbox_trace::vocabulary::langfuse::{self, metadata};
use glassbox_trace::vocabulary::{gen_ai, openinference as conventions};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// A span with its payload.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SpanDetail {
    /// What lists show of it.
    #[serde(flatten)]
    pub summary: SpanSummary,
    /// What went in, read as JSON if it is.
    pub input: Option<Value>,
    /// What came out, read as JSON if it is.
    pub output: Option<Value>,
    /// The messages that were sent to a model.
    pub messages: Option<Vec<Message>>,
    /// The message that came back.
    pub reply: Option<Message>,
    /// The tools that the model could call.
    pub tools: Vec<Tool>,
    /// What was asked of the model besides.
    pub parameters: Map<String, Value>,
    /// Why the model stopped.
    pub finish_reasons: Vec<String>,
    /// The model that answered.
    pub response_model: Option<String>,
    /// The provider's id of the answer.
    pub response_id: Option<String>,
    /// All attributes, as they arrived.
    pub attributes: Map<String, Value>,
    /// Who made the span, as it arrived.
    pub resource: Map<String, Value>,
    /// The instrumentation.
    pub scope: Scope,
    /// What happened meanwhile.
    pub events: Vec<Event>,
    /// Spans of other traces that it refers to.
    pub links: Vec<Link>,
    /// Facts on the trace, as this span carries them, and on the span.
    pub metadata: Map<String, Value>,
    /// What was cut by whoever sent it.
    pub truncated: Vec<&'static str>,
}

/// An instrumentation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Something that happened during a span.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Event {
    /// When, microseconds since the epoch.
    pub at_us: u64,
    /// What.
    pub name: String,
    /// Its attributes.
    pub attributes: Map<String, Value>,
}

/// A span of another trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Link {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
}

impl SpanDetail {
    /// Reads a span's payload.
    #[must_use]
    pub fn read(raw: RawSpan) -> Self {
        let wire = WireSpan::read(&raw.bytes).unwrap_or_default();
        let group = Group { resource: &raw.resource, scope: &raw.scope, spans: Vec::new() };
        let attributes = &wire.attributes;
        let (scope, version) = group.scope_name();
        let input = received::input(&wire).map(|value| parsed(&value.to_json()));
        let output = received::output(&wire).map(|value| parsed(&value.to_json()));
        let is_model_call = raw.summary.kind == "generation";
        let (messages, reply) = if is_model_call {
            (messages(&wire, input.as_ref()), reply(attributes, output.as_ref()))
        } else {
            let told = of_agent(&wire, output.as_ref());
            told.map_or((None, None), |(messages, reply)| (Some(messages), reply))
        };
        let mut metadata = raw.context.metadata;
        metadata.extend(received::object(attributes, conventions::METADATA).unwrap_or_default());
        metadata.extend(attributes.prefixed(langfuse::OBSERVATION_METADATA).map(json));
        Self {
            messages,
            reply,
            tools: tools(attributes, input.as_ref()),
            parameters: parameters(attributes),
            finish_reasons: finish_reasons(attributes),
            response_model: attributes.text(RESPONSE_MODEL),
            response_id: attributes.text(RESPONSE_ID),
            attributes: attributes.to_json(),
            resource: group.resource_attributes().map(|found| found.to_json()).unwrap_or_default(),
            scope: Scope { name: scope.into_owned(), version: version.into_owned() },
            events: wire
                .events
                .iter()
                .map(|event| Event {
                    at_us: event.at_ns / 1000,
                    name: event.name.clone().into_owned(),
                    attributes: event.attributes.to_json(),
                })
                .collect(),
            links: wire.links.iter().map(link).collect(),
            metadata,
            truncated: [("input", &input), ("output", &output)]
                .into_iter()
                .filter(|(_, value)| value.as_ref().is_some_and(is_cut))
                .map(|(name, _)| name)
                .collect(),
            input,
            output,
            summary: raw.summary,
        }
    }
}

fn json((key, value): (&str, &Any<'_>)) -> (String, Value) {
    (key.to_owned(), received::structured(value))
}

fn link((trace_id, span_id): &([u8; 16], [u8; 8])) -> Link {
    Link {
        trace_id: glassbox_trace::id::TraceId::from_bytes(*trace_id).to_string(),
        span_id: glassbox_trace::id::SpanId::from_bytes(*span_id).to_string(),
    }
}

/// Tells whether a text was cut where it was made: Glassbox marks that with `…[+123 bytes]`.
fn is_cut(value: &Value) -> bool {
    match value {
        Value::String(text) => text.ends_with(" bytes]") && text.contains("…[+"),
        Value::Array(items) => items.iter().any(is_cut),
        Value::Object(fields) => fields.values().any(is_cut),
        _ => false,
    }
}

fn messages(wire: &WireSpan<'_>, input: Option<&Value>) -> Option<Vec<Message>> {
    let attributes = &wire.attributes;
    let said = |key: &str| attributes.get(key).map(|value| parsed(&value.to_json()));
    let flattened = |prefix: &str| {
        message::unflattened(attributes.prefixed(prefix).map(|(key, value)| (key, value.to_json())))
    };
    let dotted = format!("{}.", gen_ai_old::PROMPT);
    let whole = INPUT.iter().find_map(|key| message::messages(&said(key)?));
    let mut messages = whole
        .or_else(|| flattened(openinference::INPUT_MESSAGES))
        .or_else(|| flattened(&dotted))
        .or_else(|| of_events(wire))
        .or_else(|| match input? {
            Value::String(text) => {
                message::messages(&serde_json::json!([{ "role": "user", "content": text }]))
            }
            Value::Object(object) => {
                let prompt = object.get("prompt")?.as_str()?;
                message::messages(&serde_json::json!([{ "role": "user", "content": prompt }]))
            }
            _ => None,
        })?;
    instruct(&mut messages, attributes);
    Some(messages)
}

/// Puts the system's instructions first, where they are told apart from the messages.
fn instruct(messages: &mut Vec<Message>, attributes: &Attributes<'_>) {
    let said = attributes.get(gen_ai_old::SYSTEM_INSTRUCTIONS);
    let said = said.map(|value| parsed(&value.to_json()));
    let has_system = messages.first().is_some_and(|message| message.role == "system");
    if let Some(system) = said.as_ref().and_then(message::system)
        && !has_system
    {
        messages.insert(0, system);
    }
}

/// What an agent was told and said, where that is told as messages are.
fn of_agent(
    wire: &WireSpan<'_>,
    output: Option<&Value>,
) -> Option<(Vec<Message>, Option<Message>)> {
    let attributes = &wire.attributes;
    let keys = [gen_ai::INPUT_MESSAGES, pydantic_ai::ALL_MESSAGES];
    let told = keys.iter().find_map(|key| attributes.get(key))?;
    let mut messages = message::messages(&parsed(&told.to_json()))?;
    let reply = reply(attributes, output);
    // Pydantic AI tells of a whole run, with what it came to.
    if messages.last().is_some_and(|last| reply.as_ref() == Some(last)) {
        messages.pop();
    }
    instruct(&mut messages, attributes);
    Some((messages, reply))
}

/// Messages as older conventions have them, one event each.
fn of_events(wire: &WireSpan<'_>) -> Option<Vec<Message>> {
    let messages = wire.events.iter().filter_map(|event| {
        let role = event.name.strip_prefix(gen_ai_old::EVENT_PREFIX)?;
        let role = role.strip_suffix(gen_ai_old::MESSAGE_EVENT_SUFFIX)?;
        let mut fields = event.attributes.to_json();
        fields.entry("role").or_insert_with(|| role.into());
        message::message(&Value::Object(fields))
    });
    let messages: Vec<_> = messages.collect();
    (!messages.is_empty()).then_some(messages)
}

fn reply(attributes: &Attributes<'_>, output: Option<&Value>) -> Option<Message> {
    let flattened = |prefix: &str| {
        let fields = attributes.prefixed(prefix).map(|(key, value)| (key, value.to_json()));
        message::unflattened_reply(fields)
    };
    let dotted = format!("{}.", gen_ai_old::COMPLETION);
    let whole = || {
        OUTPUT.iter().find_map(|key| {
            let value = parsed(&attributes.get(key)?.to_json());
            message::reply(&value).filter(|_| !value.is_string())
        })
    };
    let candidates: [&dyn Fn() -> Option<Message>; 5] = [
        &|| of_vercel(attributes),
        &whole,
        &|| flattened(openinference::OUTPUT_MESSAGES),
        &|| flattened(&dotted),
        &|| output.and_then(message::reply),
    ];
    let mut is_known = false;
    for candidate in candidates {
        if let Some(message) = candidate() {
            // LiteLLM has calls of tools in but one of two places.
            if !message.parts.is_empty() {
                return Some(message);
            }
            is_known = true;
        }
    }
    // An answer that was asked for as JSON, such as a module's fields.
    let answer = output.filter(|answer| !is_known && (answer.is_object() || answer.is_array()))?;
    message::reply(&Value::String(answer.to_string()))
}

/// The answer that Vercel's SDK has in several attributes.
fn of_vercel(attributes: &Attributes<'_>) -> Option<Message> {
    let calls = attributes.get(vercel::RESPONSE_TOOL_CALLS);
    let reasoning = attributes.text(&[vercel::RESPONSE_REASONING]);
    if calls.is_none() && reasoning.is_none() {
        return None;
    }
    message::message(&serde_json::json!({
        "role": "assistant",
        "reasoning": reasoning,
        "content": attributes.text(&[vercel::RESPONSE_TEXT, vercel::RESPONSE_OBJECT]),
        "tool_calls": calls.map(|calls| parsed(&calls.to_json())),
    }))
}

fn tools(attributes: &Attributes<'_>, input: Option<&Value>) -> Vec<Tool> {
    let list =
        |key: &str| attributes.get(key).map(|value| message::tools(&parsed(&value.to_json())));
    let flattened = || {
        let schemas = attributes.prefixed(openinference::TOOLS);
        schemas.filter_map(|(_, value)| message::tool(&value.to_json())).collect()
    };
    let fields = |prefix| {
        let fields = attributes.prefixed(prefix).map(|(key, value)| (key, value.to_json()));
        message::unflattened_tools(fields)
    };
    let among_parameters = || {
        let parameters = attributes.get(openinference::INVOCATION_PARAMETERS);
        let parameters = parameters.map(|value| parsed(&value.to_json()));
        parameters.and_then(|all| all.get("tools").map(message::tools)).unwrap_or_default()
    };
    let among_messages = || -> Vec<Tool> {
        let items = input.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(message::tool_among_messages).collect()
    };
    let told = list(gen_ai::TOOL_DEFINITIONS)
        .or_else(|| list(vercel::PROMPT_TOOLS))
        .or_else(|| input?.get("tools").map(message::tools));
    let found = [
        &flattened as &dyn Fn() -> Vec<Tool>,
        &|| fields(openinference::TOOLS),
        &|| fields(traceloop::FUNCTIONS),
        &among_messages,
        &among_parameters,
    ];
    told.or_else(|| found.iter().map(|find| find()).find(|tools| !tools.is_empty()))
        .unwrap_or_default()
}

fn parameters(attributes: &Attributes<'_>) -> Map<String, Value> {
    let mut parameters = Map::new();
    for key in [langfuse::OBSERVATION_MODEL_PARAMETERS, openinference::INVOCATION_PARAMETERS] {
        if let Some(Value::Object(object)) =
            attributes.get(key).map(|value| parsed(&value.to_json()))
        {
            parameters.extend(object);
        }
    }
    for prefix in [gen_ai_old::REQUEST, vercel::SETTINGS] {
        parameters.extend(attributes.prefixed(prefix).map(json));
    }
    // The model and the tools are told beside them, and Vercel's context is the trace's.
    let is_beside = |key: &str| {
        matches!(key, "model" | "model_name" | "tools" | "_type") || key.starts_with("context.")
    };
    parameters.retain(|key, value| !is_beside(key) && !value.is_null());
    parameters
}

fn finish_reasons(attributes: &Attributes<'_>) -> Vec<String> {
    let keys = [
        gen_ai::RESPONSE_FINISH_REASONS,
        metadata::FINISH_REASONS,
        openinference::FINISH_REASON,
        vercel::FINISH_REASON,
    ];
    keys.iter().find_map(|key| attributes.get(key)).map(Any::to_texts).unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! What only one kind of span has, taken from the attributes of a received span.

use super::attributes::Attributes;
use super::usage;
use crate::message::Message;
use crate::otlp::field::{
    AGENT_NAME, ATTEMPT, ATTEMPTS, BACKOFF_WAIT, CACHE_HIT, DIMENSIONS, EVALUATION, FINISH_REASONS,
    FIRST_CHUNK, Field, GUARDRAIL, HTTP_STATUS, LABEL, LANGFUSE_MODEL, LIMITER_WAIT, MAX_TOKENS,
    MESSAGES, OUTPUT_MESSAGE, OUTPUT_TYPE, PARAMETERS, PASSED, PROMPT_NAME, PROMPT_VERSION,
    PROVIDER, REASONING_EFFORT, REQUEST_MODEL, RESEND_COUNT, RESPONSE_ID, RESPONSE_MODEL,
    RETRY_AFTER, RETRY_AFTER_WAIT, SCORE, SEED, SERVER_ADDRESS, SERVER_PORT, SERVICE_TIER, SHAPES,
    SIGNATURE, SOURCE, STOP_SEQUENCES, STREAM, Shape, TEMPERATURE, TIME_TO_FIRST_CHUNK,
    TOKENS_PER_SECOND, TOOL_CALL_ID, TOOL_DESCRIPTION, TOOL_NAME, TOOLS, TOP_K, TOP_P,
};
use crate::otlp::{Profile, chat, parts};
use crate::span::{
    Agent, Attempt, Chain, Detail, Embedding, Evaluator, Generation, Guardrail, Kind, OutputType,
    Parameters, PromptLink, Retriever, Tool,
};
use crate::time::Timestamp;
use crate::vocabulary::{gen_ai, glassbox, langfuse, openinference};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Takes what a span of its kind has.
pub(super) fn detail(attributes: &mut Attributes, start: Timestamp) -> Detail {
    let kind = match shape(attributes) {
        Shape::Attempt => return Detail::Attempt(attempt(attributes, None)),
        Shape::Kind(kind) => kind,
    };
    match kind {
        Kind::Span => match attributes.count(&ATTEMPT) {
            Some(number) => Detail::Attempt(attempt(attributes, Some(number))),
            None => Detail::Span,
        },
        Kind::Event => Detail::Event,
        Kind::Generation => Detail::Generation(Box::new(generation(attributes, start))),
        Kind::Agent => Detail::Agent(Agent {
            name: attributes.text(&AGENT_NAME).unwrap_or_default(),
            signature: attributes.text(&SIGNATURE),
        }),
        Kind::Tool => {
            attributes.drop_equal(gen_ai::TOOL_TYPE, Some("function"));
            Detail::Tool(Tool {
                name: attributes.text(&TOOL_NAME).unwrap_or_default(),
                call_id: attributes.text(&TOOL_CALL_ID),
                description: attributes.text(&TOOL_DESCRIPTION),
            })
        }
        Kind::Chain => Detail::Chain(Chain { signature: attributes.text(&SIGNATURE) }),
        Kind::Retriever => Detail::Retriever(Retriever {
            source: attributes.text(&SOURCE),
            top_k: attributes.count(&TOP_K),
        }),
        Kind::Embedding => Detail::Embedding(Box::new(embedding(attributes))),
        Kind::Evaluator => Detail::Evaluator(Evaluator {
            name: attributes.text(&EVALUATION).unwrap_or_default(),
            score: attributes.number(&SCORE),
            label: attributes.text(&LABEL),
        }),
        Kind::Guardrail => Detail::Guardrail(Guardrail {
            name: attributes.text(&GUARDRAIL).unwrap_or_default(),
            passed: attributes.flag(&PASSED),
        }),
    }
}

/// Finds out what a span is. Keys that say nothing more are taken away, those that do are kept.
fn shape(attributes: &mut Attributes) -> Shape {
    let named = |(key, names): &(&str, &[(&str, Shape)])| {
        let value = attributes.peek(key)?;
        names.iter().find(|(name, _)| *name == value).map(|(_, shape)| *shape)
    };
    let shape = SHAPES.iter().find_map(named).unwrap_or_else(|| {
        // A model is asked by nobody but model calls.
        let has_model = [gen_ai::REQUEST_MODEL, gen_ai::RESPONSE_MODEL]
            .iter()
            .any(|key| attributes.peek(key).is_some());
        Shape::Kind(if has_model { Kind::Generation } else { Kind::Span })
    });
    attributes.drop_equal(glassbox::KIND, shape.own_name());
    attributes.drop_equal(openinference::SPAN_KIND, shape.openinference());
    attributes.drop_equal(gen_ai::OPERATION_NAME, shape.operation());
    if let Shape::Kind(kind) = shape {
        attributes.drop_equal(langfuse::OBSERVATION_TYPE, Some(kind.as_str()));
    }
    shape
}

fn attempt(attributes: &mut Attributes, number: Option<u32>) -> Attempt {
    let resent = attributes.count::<u32>(&RESEND_COUNT).unwrap_or(0);
    Attempt {
        number: number.unwrap_or(resent.saturating_add(1)),
        http_status: attributes.count(&HTTP_STATUS),
        retry_after: attributes.seconds(&RETRY_AFTER),
    }
}

fn embedding(attributes: &mut Attributes) -> Embedding {
    let (request_model, response_model) = models(attributes);
    Embedding {
        provider: attributes.text(&PROVIDER).unwrap_or_default(),
        request_model,
        response_model,
        dimensions: attributes.count(&DIMENSIONS),
        usage: usage::usage(attributes),
        cost: usage::cost(attributes),
    }
}

fn generation(attributes: &mut Attributes, start: Timestamp) -> Generation {
    let (request_model, response_model) = models(attributes);
    let (messages, tools) = messages(attributes);
    Generation {
        provider: attributes.text(&PROVIDER).unwrap_or_default(),
        request_model,
        response_model,
        response_id: attributes.text(&RESPONSE_ID),
        finish_reasons: attributes.texts(&FINISH_REASONS).unwrap_or_default(),
        parameters: parameters(attributes),
        output_type: attributes.take(&OUTPUT_TYPE, |value| match value {
            Any::StringValue(name) if name == "text" => Some(OutputType::Text),
            Any::StringValue(name) if name == "json" => Some(OutputType::Json),
            _ => None,
        }),
        messages,
        output: output(attributes),
        tools,
        usage: usage::usage(attributes),
        cost: usage::cost(attributes),
        first_chunk: first_chunk(attributes, start),
        attempts: attributes.count(&ATTEMPTS).unwrap_or_default(),
        limiter_wait: attributes.seconds(&LIMITER_WAIT).unwrap_or_default(),
        backoff_wait: attributes.seconds(&BACKOFF_WAIT).unwrap_or_default(),
        retry_after_wait: attributes.seconds(&RETRY_AFTER_WAIT).unwrap_or_default(),
        cache_hit: attributes.flag(&CACHE_HIT).unwrap_or_default(),
        server_address: attributes.text(&SERVER_ADDRESS),
        server_port: attributes.count(&SERVER_PORT),
        prompt: prompt(attributes),
    }
}

/// The model that was asked for and the one that answered. Langfuse has one name, the one whose price counts.
fn models(attributes: &mut Attributes) -> (Arc<str>, Option<Arc<str>>) {
    let request = attributes.text(&REQUEST_MODEL);
    match (attributes.text(&LANGFUSE_MODEL), request) {
        (Some(model), Some(request)) => (request, Some(model)),
        (Some(model), None) => (model, attributes.text(&RESPONSE_MODEL)),
        (None, request) => (request.unwrap_or_default(), attributes.text(&RESPONSE_MODEL)),
    }
}

/// Messages and tools, if we have types for all of them; else they stay and become a payload.
fn messages(
    attributes: &mut Attributes,
) -> (Arc<[Message]>, Arc<[crate::message::ToolDefinition]>) {
    let chat = Field::only(MESSAGES.key(Profile::Langfuse));
    if let Some((messages, tools)) = attributes.take(&chat, |value| chat::read_input(text(value)?))
    {
        return (messages.into(), tools.into());
    }
    let parts = Field::only(MESSAGES.key(Profile::OpenTelemetry));
    let messages =
        attributes.take(&parts, |value| parts::read_messages(text(value)?)).unwrap_or_default();
    let tools =
        attributes.take(&TOOLS, |value| parts::read_tools(text(value)?)).unwrap_or_default();
    (messages.into(), tools.into())
}

fn output(attributes: &mut Attributes) -> Option<Message> {
    let chat = Field::only(OUTPUT_MESSAGE.key(Profile::Langfuse));
    let parts = Field::only(OUTPUT_MESSAGE.key(Profile::OpenTelemetry));
    // Several choices stay as they are: our generations have one.
    let only =
        |messages: Vec<Message>| <[Message; 1]>::try_from(messages).ok().map(|[message]| message);
    attributes.take(&chat, |value| chat::read_output(text(value)?)).or_else(|| {
        attributes.take(&parts, |value| parts::read_messages(text(value)?).and_then(only))
    })
}

fn prompt(attributes: &mut Attributes) -> Option<PromptLink> {
    attributes
        .peek(PROMPT_NAME.key(Profile::Langfuse))
        .or(attributes.peek(PROMPT_NAME.key(Profile::OpenTelemetry)))?;
    let version = attributes.count(&PROMPT_VERSION)?;
    attributes.text(&PROMPT_NAME).map(|name| PromptLink { name, version })
}

fn first_chunk(attributes: &mut Attributes, start: Timestamp) -> Option<Timestamp> {
    // The rate follows from the rest, so it is not kept apart.
    let _ = attributes.number(&TOKENS_PER_SECOND);
    let told = attributes.take(&FIRST_CHUNK, |value| timestamp(text(value)?));
    told.or_else(|| attributes.seconds(&TIME_TO_FIRST_CHUNK).map(|wait| start.after(wait)))
}

/// Reads an instant of ISO 8601, also in the quotes that Langfuse's own SDKs put around it.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim_matches('"');
    let utc =
        text.strip_suffix("+00:00").map_or_else(|| text.to_owned(), |time| format!("{time}Z"));
    let time = humantime::parse_rfc3339(&utc).ok()?;
    let nanos = time.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    u64::try_from(nanos).ok().map(Timestamp::from_unix_nanos)
}

fn parameters(attributes: &mut Attributes) -> Parameters {
    let Some(mut object) = attributes.object(&PARAMETERS) else {
        return Parameters {
            temperature: attributes.number(&TEMPERATURE),
            top_p: attributes.number(&TOP_P),
            max_tokens: attributes.count(&MAX_TOKENS),
            seed: attributes.count(&SEED),
            stop_sequences: attributes.texts(&STOP_SEQUENCES).unwrap_or_default(),
            reasoning_effort: attributes.text(&REASONING_EFFORT),
            service_tier: attributes.text(&SERVICE_TIER),
            stream: attributes.flag(&STREAM).unwrap_or_default(),
        };
    };
    let parameters = Parameters {
        temperature: take(&mut object, "temperature", Value::as_f64),
        top_p: take(&mut object, "top_p", Value::as_f64),
        max_tokens: take(&mut object, "max_tokens", Value::as_u64),
        seed: take(&mut object, "seed", Value::as_u64),
        stop_sequences: take(&mut object, "stop", stop_sequences).unwrap_or_default(),
        reasoning_effort: take(&mut object, "reasoning_effort", |value| {
            value.as_str().map(Arc::from)
        }),
        service_tier: take(&mut object, "service_tier", |value| value.as_str().map(Arc::from)),
        stream: take(&mut object, "stream", Value::as_bool).unwrap_or_default(),
    };
    attributes.put_back(langfuse::OBSERVATION_MODEL_PARAMETERS, object);
    parameters
}

fn stop_sequences(value: &Value) -> Option<Vec<Arc<str>>> {
    value.as_array()?.iter().map(|text| text.as_str().map(Arc::from)).collect()
}

/// Takes a parameter that can be read.
fn take<T>(
    object: &mut Map<String, Value>,
    key: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Option<T> {
    let taken = read(object.get(key)?)?;
    object.shift_remove(key);
    Some(taken)
}

fn text(value: &Any) -> Option<&str> {
    match value {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

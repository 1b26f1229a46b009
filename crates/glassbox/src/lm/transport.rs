//! The way to a provider over HTTP, by `genai`; nothing of it shows outside.

use crate::error::{Error, ErrorKind};
use crate::lm::classify::{classify, no_stream};
use crate::lm::clients::Clients;
use crate::lm::failure::Failure;
use crate::lm::provider::Provider;
use crate::lm::request::Request;
use crate::lm::stream::{Delta, Deltas, ToolCallsSoFar};
use crate::lm::wire::{AnswerFacts, Wire};
use futures::StreamExt;
use genai::chat::{self, ChatOptions, ChatRequest, ChatStreamEvent, ContentPart, MessageContent};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use glassbox_telemetry::loopback::is_loopback;
use glassbox_trace::message::{Message, Part, Role, ToolCall};
use glassbox_trace::span::Parameters;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A provider's model, ready to be called.
pub(crate) struct Transport {
    pub(super) clients: Clients,
    pub(super) target: ServiceTarget,
    pub(crate) wire: Wire,
    pub(crate) base_url: Url,
}

/// A model's answer, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) message: Message,
    pub(crate) facts: AnswerFacts,
}

/// What has come of an answer so far. It outlives an attempt that is cut off.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) text: String,
    pub(crate) facts: AnswerFacts,
    pub(crate) chunks: u64,
}

impl Transport {
    pub(crate) fn new(
        provider: &Provider,
        model: &str,
        key: &SecretString,
        base_url: Url,
    ) -> Result<Self, Error> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .user_agent(concat!("glassbox/", env!("CARGO_PKG_VERSION")));
        // A proxy cannot reach what listens on this machine alone.
        if base_url.host_str().is_some_and(is_loopback) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| {
            Error::new(ErrorKind::Config, "the HTTP client cannot be built").because(error)
        })?;
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(base_url.as_str()),
            auth: AuthData::from_single(key.expose_secret()),
            model: ModelIden::new(provider.kind, model),
        };
        let clients = Clients::new(http, provider.kind);
        let clients = clients.map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
        Ok(Self { clients, target, wire: Wire::of(provider.kind), base_url })
    }

    /// Makes one attempt. `first_chunk` is called when the first chunk of a streamed answer has come, and its pieces go
    /// to `deltas`.
    pub(crate) async fn send(
        &self,
        request: &Request,
        parameters: &Parameters,
        headers: Vec<(&'static str, String)>,
        progress: &mut Progress,
        first_chunk: impl Fn(),
        deltas: Option<&Deltas>,
    ) -> Result<Answer, Failure> {
        let chat = chat_request(request);
        let options = chat_options(parameters).with_extra_headers(headers);
        let client = self.clients.of(request.schema.as_ref());
        let client = client.map_err(|error| Failure::new(ErrorKind::Config, error.to_string()))?;
        if parameters.stream {
            self.send_streaming(&client, chat, options, progress, first_chunk, deltas).await
        } else {
            self.send_plain(&client, chat, &options, progress).await
        }
    }

    async fn send_plain(
        &self,
        client: &Client,
        chat: ChatRequest,
        options: &ChatOptions,
        progress: &mut Progress,
    ) -> Result<Answer, Failure> {
        let response = client.exec_chat(self.target.clone(), chat, Some(options)).await;
        let response = response.map_err(|error| classify(&error, self.wire, &self.base_url))?;
        let body = response.captured_raw_body.as_ref();
        progress.facts.read(self.wire, body.unwrap_or(&serde_json::Value::Null));
        let message = message(response.content, response.reasoning_content.as_deref());
        Ok(Answer { message, facts: std::mem::take(&mut progress.facts) })
    }

    async fn send_streaming(
        &self,
        client: &Client,
        chat: ChatRequest,
        options: ChatOptions,
        progress: &mut Progress,
        first_chunk: impl Fn(),
        deltas: Option<&Deltas>,
    ) -> Result<Answer, Failure> {
        let frames = Arc::new(Mutex::new(AnswerFacts::default()));
        let (heard, wire) = (Arc::clone(&frames), self.wire);
        let options = options.with_raw_frame_fn(move |_, frame| {
            if let Some(body) = frame.json() {
                heard.lock().unwrap_or_else(PoisonError::into_inner).read(wire, &body);
            }
        });
        let failed = |error: &genai::Error| classify(error, self.wire, &self.base_url);

        let started = client.exec_chat_stream(self.target.clone(), chat, Some(&options)).await;
        let mut stream = started.map_err(|error| failed(&error))?.stream;
        let mut end = None;
        let mut calls = ToolCallsSoFar::default();
        while let Some(event) = stream.next().await {
            let delta = match event.map_err(|error| failed(&error))? {
                ChatStreamEvent::Chunk(chunk) => Delta::Text(chunk.content),
                ChatStreamEvent::ReasoningChunk(chunk) => Delta::Reasoning(chunk.content),
                ChatStreamEvent::ToolCallChunk(chunk) => {
                    let call = chunk.tool_call;
                    calls.news(&call.call_id, &call.fn_name, &call.fn_arguments)
                }
                ChatStreamEvent::End(stream_end) => {
                    end = Some(stream_end);
                    continue;
                }
                _ => continue,
            };
            if progress.chunks == 0 {
                first_chunk();
            }
            progress.chunks += 1;
            if let Delta::Text(text) = &delta {
                progress.text.push_str(text);
            }
            progress.facts = frames.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(deltas) = deltas {
                deltas.tell(delta).await;
            }
        }

        progress.facts = frames.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if progress.chunks == 0 && progress.facts.is_empty() {
            return Err(no_stream(&self.base_url));
        }
        let is_complete =
            progress.facts.finish_reason.is_some() || progress.facts.refusal.is_some();
        let Some(end) = end.filter(|_| is_complete) else {
            return Err(Failure::new(
                ErrorKind::Network,
                "the stream ended before the answer was complete",
            ));
        };
        let content = end.captured_content.unwrap_or_default();
        let message = message(content, end.captured_reasoning_content.as_deref());
        Ok(Answer { message, facts: std::mem::take(&mut progress.facts) })
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("base_url", &self.base_url.as_str())
            .field("wire", &self.wire)
            .finish()
    }
}

/// Everything but the schema, which the client has.
fn chat_options(parameters: &Parameters) -> ChatOptions {
    let mut options = ChatOptions::default().with_capture_raw_body(true);
    if parameters.stream {
        options = options
            .with_capture_usage(true)
            .with_capture_content(true)
            .with_capture_reasoning_content(true);
        options = options.with_capture_tool_calls(true);
    }
    options.temperature = parameters.temperature;
    options.top_p = parameters.top_p;
    options.max_tokens =
        parameters.max_tokens.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
    options.seed = parameters.seed;
    options.stop_sequences = parameters.stop_sequences.iter().map(ToString::to_string).collect();
    // What these two do not understand has been refused when the model was made.
    options.reasoning_effort =
        parameters.reasoning_effort.as_ref().and_then(|effort| effort.parse().ok());
    options.service_tier = parameters.service_tier.as_ref().and_then(|tier| tier.parse().ok());
    options
}

fn chat_request(request: &Request) -> ChatRequest {
    let messages = request.messages.iter().map(chat_message).collect();
    let chat = ChatRequest::new(messages);
    if request.tools.is_empty() {
        return chat;
    }
    chat.with_tools(request.tools.iter().map(|tool| {
        chat::Tool::new(tool.name.to_string())
            .with_description(tool.description.to_string())
            .with_schema(tool.parameters.clone())
    }))
}

fn chat_message(message: &Message) -> chat::ChatMessage {
    let parts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(ContentPart::Text(text.to_string())),
        // A provider's own thinking is told, never sent back: it is signed, and other providers refuse it.
        Part::Reasoning(_) => None,
        Part::ToolCall(call) => Some(ContentPart::ToolCall(chat::ToolCall {
            call_id: call.id.to_string(),
            fn_name: call.name.to_string(),
            fn_arguments: call.arguments.clone(),
            thought_signatures: None,
        })),
        Part::ToolResult(result) => {
            let text =
                result.result.as_str().map_or_else(|| result.result.to_string(), str::to_owned);
            Some(ContentPart::ToolResponse(chat::ToolResponse::new(result.id.to_string(), text)))
        }
    });
    let role = match message.role {
        Role::System => chat::ChatRole::System,
        Role::User => chat::ChatRole::User,
        Role::Assistant => chat::ChatRole::Assistant,
        Role::Tool => chat::ChatRole::Tool,
    };
    chat::ChatMessage::new(role, MessageContent::from_parts(parts.collect::<Vec<_>>()))
}

fn message(content: MessageContent, reasoning: Option<&str>) -> Message {
    let mut parts = Vec::new();
    parts
        .extend(reasoning.filter(|text| !text.is_empty()).map(|text| Part::Reasoning(text.into())));
    parts.extend(content.into_parts().into_iter().filter_map(|part| match part {
        ContentPart::Text(text) if !text.is_empty() => Some(Part::Text(text.into())),
        ContentPart::ToolCall(call) => Some(Part::ToolCall(ToolCall {
            id: call.call_id.into(),
            name: call.fn_name.into(),
            arguments: call.fn_arguments,
        })),
        _ => None,
    }));
    Message { role: Role::Assistant, parts }
}

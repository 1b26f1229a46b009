//! A server on free ports, spans to send, and what it answers.

use glassbox_server::{Options, Running, Server};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Stage {
    pub(crate) running: Running,
    pub(crate) client: reqwest::Client,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::local(folder.path().join("traces.db"));
        change(&mut options);
        let running = Server::bind(options).await.unwrap();
        let client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Self { running, client: client.build().unwrap(), _folder: folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.otlp)
    }

    pub(crate) async fn send(&self, spans: Vec<Span>) -> reqwest::Response {
        let request = self
            .client
            .post(self.url("/v1/traces"))
            .header("content-type", "application/x-protobuf");
        request.body(request_of(spans).encode_to_vec()).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response =
            self.client.get(self.url(path)).bearer_auth(&self.running.token).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.unwrap()
    }
}

pub(crate) fn request_of(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource =
        Resource { attributes: vec![text("service.name", "coffee-shop")], ..Resource::default() };
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans =
        ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

pub(crate) fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Any::IntValue(value))
}

/// A span from one millisecond to another, after the first second of 2026.
pub(crate) fn span(trace: u8, id: u8, parent: u8, name: &str, from_ms: u64, to_ms: u64) -> Span {
    let nanos = |ms: u64| 1_767_225_600_000_000_000 + ms * 1_000_000;
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
        name: name.to_owned(),
        start_time_unix_nano: nanos(from_ms),
        end_time_unix_nano: nanos(to_ms),
        ..Span::default()
    }
}

pub(crate) fn failed(mut span: Span, message: &str) -> Span {
    span.status = Some(Status { message: message.to_owned(), code: 2 });
    span
}

pub(crate) fn call(trace: u8, id: u8, parent: u8, from_ms: u64, to_ms: u64) -> Span {
    let mut span = span(trace, id, parent, "chat gpt-4o-mini", from_ms, to_ms);
    span.attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o-mini"),
        int("gen_ai.usage.input_tokens", 1200),
        int("gen_ai.usage.cache_read.input_tokens", 1000),
        int("gen_ai.usage.output_tokens", 100),
        text(
            "gen_ai.input.messages",
            r#"[{"role":"user","parts":[{"type":"text","content":"An iced latte\nplease"}]}]"#,
        ),
        text(
            "gen_ai.output.messages",
            r#"[{"role":"assistant","parts":[{"type":"text","content":"With oat milk?"}],"finish_reason":"stop"}]"#,
        ),
    ];
    span
}

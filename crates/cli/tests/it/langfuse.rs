//! A receiver in Langfuse's place: it takes what Langfuse's endpoint takes, and keeps the spans as they are on the wire.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Received {
    spans: Arc<Mutex<Vec<Span>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
    looks: Arc<AtomicUsize>,
}

/// The running receiver.
pub(crate) struct Langfuse {
    pub(crate) url: String,
    received: Received,
    _runtime: tokio::runtime::Runtime,
}

impl Langfuse {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let received = Received::default();
        let router = Router::new()
            .route("/api/public/otel/v1/traces", post(take))
            .route("/api/public/projects", get(projects))
            .route("/api/public/v2/observations", get(observations))
            .with_state(received.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, received, _runtime: runtime }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.received.spans.lock().unwrap().clone()
    }

    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.received.headers.lock().unwrap().clone()
    }
}

async fn take(
    State(received): State<Received>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    assert_eq!(headers["content-encoding"], "gzip");
    let mut plain = Vec::new();
    GzDecoder::new(body.as_ref()).read_to_end(&mut plain).unwrap();
    let request = ExportTraceServiceRequest::decode(plain.as_slice()).unwrap();
    let spans = request
        .resource_spans
        .into_iter()
        .flat_map(|r| r.scope_spans)
        .flat_map(|scope| scope.spans);
    received.spans.lock().unwrap().extend(spans);
    received.headers.lock().unwrap().push(headers);
    // Langfuse answers with a dump of its job and not with OTLP.
    (StatusCode::OK, r#"{"name":"otel-ingestion-job","data":{}}"#)
}

async fn projects(headers: HeaderMap) -> (StatusCode, &'static str) {
    match headers.get("authorization") {
        Some(value) if value == "Basic cGstbGYtZGVtbzpzay1sZi1kZW1v" => {
            (StatusCode::OK, r#"{"data":[{"id":"p1","name":"coffee shop"}]}"#)
        }
        _ => (StatusCode::UNAUTHORIZED, r#"{"message":"Invalid credentials."}"#),
    }
}

/// The observations of a trace, a moment later than they came.
async fn observations(State(received): State<Received>, uri: Uri) -> String {
    let looks = received.looks.fetch_add(1, Ordering::Relaxed);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let spans = received.spans.lock().unwrap();
    let asked = |id: &str| uri.query().unwrap().starts_with(&format!("traceId={id}&"));
    let of_trace = spans.iter().filter(|span| looks > 0 && asked(&hex(&span.trace_id)));
    let found = of_trace.map(|span| json!({ "id": hex(&span.span_id), "name": span.name }));
    json!({ "data": found.collect::<Vec<_>>(), "meta": {} }).to_string()
}

/// Returns a text attribute of a span.
pub(crate) fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().filter(|attribute| attribute.key == key).collect::<Vec<_>>();
    assert!(found.len() <= 1, "{key} stands there {} times", found.len());
    match found.first()?.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text),
        other => panic!("{key} is no text: {other:?}"),
    }
}

//! A receiver of OTLP on its own thread, which answers as a test tells it to and remembers what came.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Request, Response};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) export: ExportTraceServiceRequest,
    /// The lines, if it is an announcement.
    pub(crate) lines: Vec<String>,
    pub(crate) status: u16,
}

impl Received {
    pub(crate) fn names(&self) -> Vec<String> {
        let scopes = self.export.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).map(|span| span.name.clone()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What the receiver answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) delay: Duration,
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO }
    }
}

impl Reply {
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub(crate) fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

type Respond = dyn Fn(usize, &Received) -> Reply + Send + Sync;

struct Inner {
    respond: Box<Respond>,
    log: Mutex<Vec<Received>>,
}

/// A receiver. It runs until the process ends.
pub(crate) struct Receiver {
    pub(crate) base: String,
    inner: Arc<Inner>,
}

impl Receiver {
    /// Answers by the number of the request, from 0, and the request.
    pub(crate) fn start(
        respond: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap(), respond)
    }

    pub(crate) fn ok() -> Self {
        Self::start(|_, _| 200.into())
    }

    pub(crate) fn at(
        listener: TcpListener,
        respond: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let base = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner { respond: Box::new(respond), log: Mutex::default() });
        let app = Router::new()
            .fallback(receive)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { base, inner }
    }

    pub(crate) fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.base)
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.inner.log.lock().unwrap().clone()
    }

    /// The names of the spans in requests that were answered with 200.
    pub(crate) fn accepted(&self) -> Vec<String> {
        let requests = self.requests();
        requests.iter().filter(|request| request.status == 200).flat_map(Received::names).collect()
    }
}

async fn receive(State(inner): State<Arc<Inner>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let is_gzip = parts.headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
    let raw = if is_gzip { gunzip(&body) } else { body.to_vec() };
    let is_json = parts.headers.get("content-type").is_some_and(|kind| kind == "application/json");
    let mut lines = Vec::new();
    let export = if !parts.uri.path().ends_with("/v1/traces") {
        // A question, or an announcement.
        lines.extend(String::from_utf8_lossy(&raw).lines().map(str::to_owned));
        ExportTraceServiceRequest::default()
    } else if is_json {
        serde_json::from_slice(&raw).unwrap()
    } else {
        ExportTraceServiceRequest::decode(raw.as_slice()).unwrap()
    };
    let mut received = Received {
        at: Instant::now(),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        export,
        lines,
        status: 0,
    };
    let reply = {
        let mut log = inner.log.lock().unwrap();
        let reply = (inner.respond)(log.len(), &received);
        received.status = reply.status;
        log.push(received);
        reply
    };
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

fn gunzip(body: &Bytes) -> Vec<u8> {
    let mut raw = Vec::new();
    GzDecoder::new(body.as_ref()).read_to_end(&mut raw).unwrap();
    raw
}

/// Finds an address where nothing listens and nothing else will: loopback has 16 million of them, and each process of
/// tests takes one of its own.
pub(crate) fn own_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high.clamp(1, 254), middle, low.max(1));
    TcpListener::bind((own, 0)).unwrap().local_addr().unwrap()
}

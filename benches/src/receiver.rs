//! A receiver of OTLP that counts and discards. It is a process of its own, so that its work is not counted.

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// How long an answer takes.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Decodes the requests and counts the spans.
    #[arg(long)]
    count_spans: bool,
}

/// What came.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    /// Zero, unless they were to be counted.
    pub(crate) spans: u64,
}

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    bytes: AtomicU64,
    spans: AtomicU64,
}

/// A running receiver. It ends when its standard input does, and then tells what came.
#[derive(Debug)]
pub(crate) struct Receiver {
    child: Child,
    answers: BufReader<ChildStdout>,
    /// The address for traces.
    pub(crate) url: String,
}

impl Receiver {
    pub(crate) fn start(latency: Duration, count_spans: bool) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["receiver", "--latency-ms", &latency.as_millis().to_string()]);
        command.args(count_spans.then_some("--count-spans"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut answers =
            BufReader::new(child.stdout.take().context("the receiver has no stdout")?);
        let mut url = String::new();
        answers.read_line(&mut url)?;
        Ok(Self { child, answers, url: url.trim().to_owned() })
    }

    /// Ends the receiver and returns what came.
    pub(crate) fn finish(mut self) -> Result<Received> {
        drop(self.child.stdin.take());
        let mut received = String::new();
        self.answers.read_line(&mut received)?;
        self.child.wait()?;
        serde_json::from_str(&received).context("the receiver did not tell what came")
    }
}

/// Receives until the standard input ends.
pub(crate) fn run(args: &Args) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/v1/traces", listener.local_addr()?);
    std::io::stdout().flush()?;
    let counts = Arc::new(Counts::default());
    let app = Router::new()
        .fallback(receive)
        .layer(DefaultBodyLimit::disable())
        .with_state((Arc::clone(&counts), args.clone()));
    std::thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            listener.set_nonblocking(true)?;
            axum::serve(tokio::net::TcpListener::from_std(listener)?, app).await?;
            Ok(())
        })
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let received = Received {
        requests: load(&counts.requests),
        bytes: load(&counts.bytes),
        spans: load(&counts.spans),
    };
    // Whoever started it may be gone already.
    let _ = writeln!(std::io::stdout(), "{}", serde_json::to_string(&received)?);
    Ok(())
}

async fn receive(
    State((counts, args)): State<(Arc<Counts>, Args)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    counts.requests.fetch_add(1, Ordering::Relaxed);
    counts.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
    if args.count_spans {
        let Some(spans) = count(&headers, &body) else { return StatusCode::BAD_REQUEST };
        counts.spans.fetch_add(spans, Ordering::Relaxed);
    }
    tokio::time::sleep(Duration::from_millis(args.latency_ms)).await;
    StatusCode::OK
}

fn count(headers: &HeaderMap, body: &[u8]) -> Option<u64> {
    let mut raw = Vec::new();
    if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        GzDecoder::new(body).read_to_end(&mut raw).ok()?;
    } else {
        raw.extend_from_slice(body);
    }
    let request = ExportTraceServiceRequest::decode(raw.as_slice()).ok()?;
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    Some(scopes.map(|scope| scope.spans.len() as u64).sum())
}

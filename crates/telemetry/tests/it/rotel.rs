//! A collector that was not written here: `rotel`, which `cargo xtask check` installs. Spans go into one by OTLP over
//! HTTP, from there by gRPC into another, and from there to our receiver, where they are counted.

use crate::receiver::Receiver;
use crate::spans::{end, health, observe, quick, root};
use glassbox_telemetry::destination::{Compression, Destination, OtlpConfig, Protocol};
use glassbox_trace::id::SpanId;
use glassbox_trace::otlp::{DecodeLimits, decode_protobuf};
use glassbox_trace::span::{RemoteParent, Span, Status, TraceAttributes};
use prost::Message;
use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The variable with the path of rotel's program.
const PROGRAM: &str = "GLASSBOX_ROTEL";
const PATIENCE: Duration = Duration::from_secs(20);
const SPANS: usize = 2_000;

/// A running collector, which ends with this.
struct Rotel {
    process: Child,
    http: u16,
    grpc: u16,
    pid_file: PathBuf,
}

impl Rotel {
    /// Starts a collector that exports by `protocol` (`grpc` or `http`) to a port.
    fn start(program: &str, protocol: &str, to: u16) -> Self {
        let (http, grpc) = (free_port(), free_port());
        let pid_file = std::env::temp_dir().join(format!("glassbox-rotel-{http}.pid"));
        let process = Command::new(program)
            .args(["start", "--exporter", "otlp", "--batch-timeout", "20ms"])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .args(["--otlp-exporter-protocol", protocol])
            .args(["--otlp-exporter-endpoint", &format!("http://127.0.0.1:{to}")])
            .arg("--pid-file")
            .arg(&pid_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{PROGRAM} names {program}: {error}"));
        let begun = Instant::now();
        while [http, grpc].iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err()) {
            assert!(begun.elapsed() < PATIENCE, "rotel does not listen");
            sleep(Duration::from_millis(20));
        }
        Self { process, http, grpc, pid_file }
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end, and no file.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.pid_file);
    }
}

/// Rotel takes no port 0, so one is drawn that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The program; `None`, and said so, where it is not installed.
fn program() -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "only the environment knows where rotel is")]
    let program = std::env::var(PROGRAM).ok();
    if program.is_none() {
        #[allow(
            clippy::print_stderr,
            reason = "a test that did not run must not look as if it had"
        )]
        {
            eprintln!(
                "SKIPPED: {PROGRAM} is not set; `cargo xtask check` installs rotel and sets it"
            );
        }
    }
    program
}

/// A span of each sort that matters to others: an error, a remote parent, text beyond ASCII.
fn span(number: usize) -> Span {
    let span = root(&format!("span {number}"));
    let remote = RemoteParent {
        trace_id: span.trace_id,
        span_id: SpanId::from_bytes([9; 8]),
        sampled: true,
        trace_state: Some("a=1,b=2".into()),
    };
    let trace = TraceAttributes {
        session_id: Some(format!("Sitzung – {number}").into()),
        tags: vec!["demo".into()],
        metadata: vec![("number".into(), number.into())],
        remote_parent: number.is_multiple_of(2).then(|| Arc::new(remote)),
        ..TraceAttributes::default()
    };
    let error = || Status::error("429", "too many requests");
    Span {
        parent_id: trace.remote_parent.as_ref().map(|remote| remote.span_id),
        status: if number.is_multiple_of(3) { error() } else { Status::Ok },
        input: Some("a large iced latte ".repeat(number % 50).into()),
        output: Some(serde_json::json!({ "drink": "latte", "number": number }).into()),
        trace: Arc::new(trace),
        ..span
    }
}

fn check(protocol: Protocol, compression: Compression) {
    let Some(program) = program() else { return };
    let receiver = Receiver::ok();
    let port = receiver.base.rsplit(':').next().unwrap().parse().unwrap();
    let second = Rotel::start(&program, "http", port);
    let first = Rotel::start(&program, "grpc", second.grpc);

    let endpoint = format!("http://127.0.0.1:{}/v1/traces", first.http);
    let config = OtlpConfig { protocol, compression, ..OtlpConfig::new(endpoint) };
    let observing = observe(Destination::otlp(config).unwrap().limits(quick()));
    let sent: Vec<_> = (0..SPANS).map(span).collect();
    for span in &sent {
        end(&observing, span.clone());
    }
    observing.flush_blocking(PATIENCE).unwrap();
    let health = health(&observing);
    assert_eq!((health.exported, health.dropped.total()), (SPANS as u64, 0), "{health:?}");

    let begun = Instant::now();
    while receiver.accepted().len() < SPANS && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20));
    }
    let requests = receiver.requests();
    let arrived = requests.iter().flat_map(|request| {
        let bytes = request.export.encode_to_vec();
        decode_protobuf(&bytes, &DecodeLimits::default()).unwrap().spans
    });
    let mut arrived: HashMap<_, _> = arrived.map(|span| (span.span_id, span)).collect();
    assert_eq!(requests.iter().map(|request| request.names().len()).sum::<usize>(), SPANS);
    for span in &sent {
        assert_eq!(arrived.remove(&span.span_id).as_ref(), Some(span));
    }
}

#[test]
fn protobuf() {
    check(Protocol::HttpProtobuf, Compression::Gzip);
}

#[test]
fn protobuf_without_compression() {
    check(Protocol::HttpProtobuf, Compression::None);
}

#[test]
fn json() {
    check(Protocol::HttpJson, Compression::Gzip);
}

#[test]
fn json_without_compression() {
    check(Protocol::HttpJson, Compression::None);
}

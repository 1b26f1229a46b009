//! A receiver of OTLP on loopback, so that the demo's spans travel the whole way even where nobody else listens.
//! What the demo shows and checks is what came out at this end of the wire.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cpu_time::ThreadTime;
use flate2::read::GzDecoder;
use glassbox::trace::id::TraceId;
use glassbox::trace::otlp::{DecodeLimits, decode_protobuf};
use glassbox::trace::span::Span;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// The most bytes of a request, before and after decompression: the sender is ourselves.
const BODY_LIMIT: usize = 64 << 20;

/// The spans of every trace, as they arrived.
pub(crate) type Traces = HashMap<TraceId, Vec<Arc<Span>>>;

/// A running receiver, which stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    traces: Arc<Mutex<Traces>>,
    /// Nanoseconds of processor time.
    cpu: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts on a free port, on a thread of its own.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let traces = Arc::new(Mutex::new(Traces::new()));
        let router = Router::new()
            .route("/v1/traces", post(receive))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(Arc::clone(&traces));
        let (stop, stopped) = oneshot::channel();
        let cpu = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&cpu);
        let count = move || {
            let nanos = u64::try_from(ThreadTime::now().as_duration().as_nanos());
            counted.store(nanos.unwrap_or(u64::MAX), Ordering::Relaxed);
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(count)
            .build()?;
        let thread = std::thread::Builder::new().name("receiver".to_owned()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let serving = axum::serve(listener, router);
                tokio::select! {
                    // It never ends by itself; whether it is told or the handle is gone makes no difference.
                    _ = serving => (),
                    _ = stopped => (),
                }
            });
        })?;
        Ok(Self { address, traces, cpu, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns where to send spans.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    /// Returns the processor time that the receiver has used.
    pub(crate) fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.cpu.load(Ordering::Relaxed))
    }

    /// Forgets what has arrived so far.
    pub(crate) fn forget(&self) {
        self.traces().clear();
    }

    /// Returns what has arrived so far.
    pub(crate) fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The thread may be gone already; then there is nobody to tell or to wait for.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn receive(
    State(traces): State<Arc<Mutex<Traces>>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let mut plain = Vec::new();
    let gzipped = headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip");
    let bytes: &[u8] = if gzipped {
        if let Err(error) =
            GzDecoder::new(body.as_ref()).take(BODY_LIMIT as u64).read_to_end(&mut plain)
        {
            return (StatusCode::BAD_REQUEST, error.to_string());
        }
        &plain
    } else {
        &body
    };
    match decode_protobuf(bytes, &DecodeLimits::default()) {
        Ok(decoded) => {
            let mut traces = traces.lock().unwrap_or_else(PoisonError::into_inner);
            for span in decoded.spans {
                traces.entry(span.trace_id).or_default().push(Arc::new(span));
            }
            (StatusCode::OK, String::new())
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    }
}

/// What is wrong with the traces that arrived.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) traces: usize,
    pub(crate) spans: usize,
    /// Spans whose parent is not in their trace.
    pub(crate) orphans: usize,
    /// Traces with more than one root, or whose spans name more than one user.
    pub(crate) mixed: usize,
}

/// Checks that every span has its parent, and that no trace holds spans of two customers.
pub(crate) fn check<'a>(traces: impl Iterator<Item = &'a Vec<Arc<Span>>>) -> Check {
    let mut check = Check::default();
    for spans in traces {
        let ids: HashSet<_> = spans.iter().map(|span| span.span_id).collect();
        let users: HashSet<_> = spans.iter().map(|span| &span.trace.user_id).collect();
        let roots = spans.iter().filter(|span| span.parent_id.is_none()).count();
        check.traces += 1;
        check.spans += spans.len();
        check.orphans +=
            spans.iter().filter(|span| span.parent_id.is_some_and(|id| !ids.contains(&id))).count();
        check.mixed += usize::from(roots != 1 || users.len() != 1);
    }
    check
}

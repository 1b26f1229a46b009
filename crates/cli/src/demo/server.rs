//! The demo's own server: the one place where its traces go. What the demo shows and checks is what came out there.

use super::threads;
use crate::serve;
use crate::signals::{Signal, Signals};
use anyhow::Context as _;
use glassbox::telemetry::address::{Posted, ServerAddress};
use glassbox::telemetry::destination::Destination;
use glassbox::trace::id::TraceId;
use glassbox_server::Running;
use glassbox_server::store::Store;
use std::future::pending;
use std::process::ExitCode;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What the names of the server's threads begin with: its runtime's, and the one that writes.
const THREADS: [&str; 2] = ["demo-server", "glassbox-store"];

/// The name of the server among the destinations of spans.
pub(super) const NAME: &str = "the demo's server";

/// A server with a store that goes away with it, on threads of its own.
#[derive(Debug)]
pub(super) struct OwnServer {
    /// `None` once it is stopped.
    running: Option<Running>,
    url: String,
    address: ServerAddress,
    /// Where tail, top and other programs find it, unless they find another one.
    posted: Option<Posted>,
    runtime: Runtime,
    folder: TempDir,
}

impl OwnServer {
    /// Starts a server: for everybody to look at on the usual port if it is free, else on any.
    pub(super) fn start(for_everybody: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("there is no place to keep traces in")?;
        let store = folder.path().join("traces.db");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(THREADS[0])
            // The processor time of a thread that ends would be forgotten.
            .thread_keep_alive(Duration::from_secs(24 * 3600))
            .enable_all()
            .build()?;
        let running = runtime.block_on(serve::local(&store, for_everybody))?;
        let address = ServerAddress::new(&running.otlp).with_secret(&running.token);
        let url = running.url.clone();
        Ok(Self { running: Some(running), url, address, posted: None, runtime, folder })
    }

    /// The page, with the token.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Where spans are sent, and how the addresses of its pages begin.
    pub(super) fn otlp(&self) -> &str {
        &self.address.url
    }

    /// Returns where a trace can be looked at, with the token.
    pub(super) fn trace_url(&self, trace_id: TraceId) -> String {
        trace_url(&self.address, trace_id)
    }

    /// The server as a destination. The demo is told of it, so that it need not find it.
    pub(super) fn destination(&self) -> anyhow::Result<Destination> {
        Ok(Destination::server(&self.address)?.named(NAME))
    }

    /// What the server has kept.
    pub(super) fn store(&self) -> Option<&dyn Store> {
        self.running.as_ref().map(|running| &*running.store)
    }

    /// Returns the processor time that the server has used, where the system tells it.
    pub(super) fn cpu_time() -> Option<Duration> {
        threads::cpu_time(&THREADS)
    }

    /// Lets other programs find it.
    pub(super) fn post(&mut self) {
        if let Some(running) = &self.running {
            self.posted = serve::post(running, &self.folder.path().join("traces.db"));
        }
    }

    /// Stays open until somebody has seen enough, while `meanwhile` goes on.
    pub(super) async fn stay(
        &self,
        signals: &mut Signals,
        meanwhile: impl Future<Output = ()>,
    ) -> ExitCode {
        let signal = tokio::select! {
            signal = signals.next() => signal,
            // When that has come to its end, the server is still there.
            signal = async { meanwhile.await; pending::<Signal>().await } => signal,
        };
        eprintln!("\nstopped by {signal}");
        ExitCode::SUCCESS
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // Nobody finds it any more from here on.
        self.posted = None;
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

/// Returns where a server shows a trace, with its token.
pub(super) fn trace_url(server: &ServerAddress, trace_id: TraceId) -> String {
    server.page().replacen("/?", &format!("/trace/{trace_id}?"), 1)
}

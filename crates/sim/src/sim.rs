//! The handle on a running server, and its builder.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cpu_time::ThreadTime;
use tokio::sync::oneshot;

use crate::fault::FaultPlan;
use crate::latency::Latency;
use crate::record::{Counters, Received};
use crate::script::Script;
use crate::seed;
use crate::serve::serve;
use crate::state::{Config, State};

/// A running server, which stops when this is dropped.
///
/// It runs on a thread and a Tokio runtime of its own: it works from synchronous and asynchronous code alike, and does not disturb
/// the runtime of the program. Any key is accepted, except that a missing one and the key `invalid` are refused as the provider
/// would; so is a model whose name contains `no-such-model`.
#[derive(Debug)]
#[must_use = "the server stops when it is dropped"]
pub struct Sim {
    address: SocketAddr,
    state: Arc<State>,
    /// Nanoseconds of processor time.
    cpu: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Sets up a server.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    address: SocketAddr,
    faults: FaultPlan,
    config: Config,
}

/// Tells why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address could not be bound.
    #[error(
        "cannot listen on {address}; stop what uses it, or give another address (port 0 takes any free port)"
    )]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The speed is not a number that can divide a wait.
    #[error(
        "speed {0} makes no sense; give 1 for real time, 4 for four times as fast, or 0 for no waits"
    )]
    Speed(f64),
    /// The thread or its runtime could not be made.
    #[error("cannot start the thread of the simulated provider")]
    Thread(#[source] io::Error),
}

impl Sim {
    /// Starts setting up a server: seed 7, real time, an empty script, no faults, no limits, any free port of 127.0.0.1.
    pub fn builder() -> Builder {
        Builder {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            faults: FaultPlan::none(),
            config: Config {
                seed: seed::DEFAULT,
                speed: 1.0,
                latency: Latency::default(),
                script: Script::new(),
                max_concurrent: None,
                requests_per_minute: None,
                requests_at_once: None,
                lenient_schemas: false,
                kept_requests: 10_000,
            },
        }
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's URL, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL for OpenAI clients, with a slash at the end.
    pub fn openai_url(&self) -> String {
        format!("{}/v1/", self.url())
    }

    /// The base URL for Anthropic clients, with a slash at the end.
    pub fn anthropic_url(&self) -> String {
        format!("{}/v1/", self.url())
    }

    /// The base URL for Gemini clients, with a slash at the end.
    pub fn gemini_url(&self) -> String {
        format!("{}/v1beta/", self.url())
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<Received> {
        self.state.requests()
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.state.counters()
    }

    /// Replaces the plan of faults. What has been counted for it stays: see [`clear`](Self::clear).
    pub fn set_faults(&self, faults: FaultPlan) {
        self.state.set_faults(faults);
    }

    /// Forgets all requests, counts, attempts, cached prompts and limits used up, as if the server had just started.
    ///
    /// Calls that are being answered go on.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// Returns the processor time that the server has used, so that a program can tell its own from it.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.cpu.load(Ordering::Relaxed))
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It fails only if the thread has ended already.
            let _gone = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic on that thread has been printed; it must not become another one here.
            let _panicked = thread.join();
        }
    }
}

impl Builder {
    /// Sets the seed of everything that is random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Divides all waits by this; 0 means no waits at all.
    pub fn speed(mut self, speed: f64) -> Self {
        self.config.speed = speed;
        self
    }

    /// Sets how long answers take.
    pub fn latency(mut self, latency: Latency) -> Self {
        self.config.latency = latency;
        self
    }

    /// Sets what the model answers.
    pub fn script(mut self, script: Script) -> Self {
        self.config.script = script;
        self
    }

    /// Sets what goes wrong.
    pub fn faults(mut self, faults: FaultPlan) -> Self {
        self.faults = faults;
        self
    }

    /// Sets the address to listen on.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Answers at most so many calls at once, and 429 to the others, with a `retry-after` of one second.
    pub fn max_concurrent(mut self, calls: u64) -> Self {
        self.config.max_concurrent = Some(calls);
        self
    }

    /// Lets so many calls through a minute, and answers 429 to the others, with `retry-after`.
    ///
    /// It is a token bucket: that many at once (or [so many](Self::requests_at_once)), then one every `60 / calls` seconds. The minute is divided by the speed.
    pub fn requests_per_minute(mut self, calls: u32) -> Self {
        self.config.requests_per_minute = Some(calls);
        self
    }

    /// Lets at most so many of a minute's calls through at once; without it, all of them. Real providers are closer to a
    /// second's share.
    pub fn requests_at_once(mut self, calls: u32) -> Self {
        self.config.requests_at_once = Some(calls);
        self
    }

    /// Accepts every schema. Without it, strict ones that OpenAI and Anthropic would refuse are refused: objects that are not closed
    /// by `additionalProperties: false`, and for OpenAI `oneOf`, optional properties, and more.
    pub fn lenient_schemas(mut self) -> Self {
        self.config.lenient_schemas = true;
        self
    }

    /// Sets how many requests are remembered; 10,000 if not set.
    pub fn keep_requests(mut self, requests: usize) -> Self {
        self.config.kept_requests = requests;
        self
    }

    /// Starts the server; it accepts connections when this returns.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, the speed is negative or no number, or the thread cannot be made.
    pub fn start(self) -> Result<Sim, StartError> {
        let Self { address, faults, config } = self;
        if !config.speed.is_finite() || config.speed < 0.0 {
            return Err(StartError::Speed(config.speed));
        }
        let cannot_bind = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(cannot_bind)?;
        listener.set_nonblocking(true).map_err(cannot_bind)?;
        let address = listener.local_addr().map_err(cannot_bind)?;
        let state = Arc::new(State::new(config, faults));
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let shared = Arc::clone(&state);
        let cpu = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&cpu);
        let thread = thread::Builder::new()
            .name("glassbox-sim".to_owned())
            .spawn(move || run(listener, shared, counted, stopped, &ready))
            .map_err(StartError::Thread)?;
        // The channel breaks only if the thread panics before it is ready.
        is_ready
            .recv()
            .unwrap_or_else(|gone| Err(io::Error::other(gone)))
            .map_err(StartError::Thread)?;
        Ok(Sim { address, state, cpu, stop: Some(stop), thread: Some(thread) })
    }
}

/// The life of the server's thread. The runtime is made here and not by the caller, whose own runtime would not let it be dropped.
fn run(
    listener: TcpListener,
    state: Arc<State>,
    cpu: Arc<AtomicU64>,
    stop: oneshot::Receiver<()>,
    ready: &mpsc::Sender<io::Result<()>>,
) {
    let count = move || {
        let nanos = u64::try_from(ThreadTime::now().as_duration().as_nanos());
        cpu.store(nanos.unwrap_or(u64::MAX), Ordering::Relaxed);
    };
    let started = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(count)
        .build()
        .and_then(|runtime| {
            let inside = runtime.enter();
            let listener = tokio::net::TcpListener::from_std(listener)?;
            drop(inside);
            Ok((runtime, listener))
        });
    // The caller waits for this, so that sending cannot fail.
    match started {
        Ok((runtime, listener)) => {
            let _received = ready.send(Ok(()));
            runtime.block_on(serve(listener, state, stop));
        }
        Err(error) => {
            let _received = ready.send(Err(error));
        }
    }
}

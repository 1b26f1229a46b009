//! The server as a whole: addresses, connections, the end.

mod accept;
mod options;

pub use options::{BindError, Options};

use crate::http::{Access, App, Connect, Counters, grpc_router, router};
use crate::live::{Hub, Registry};
use crate::store::{SqliteOptions, SqliteStore, Store};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often is looked for processes that went away.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// How long requests that are under way may take when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Receives, keeps and shows traces.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use glassbox_server::{Options, Server};
///
/// # let folder = tempfile::tempdir()?;
/// let running = Server::bind(Options::local(folder.path().join("traces.db"))).await?;
/// println!("send to {}, look at {}", running.otlp, running.url);
/// running.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Server;

/// A server that listens. It goes on until it is stopped; dropping it without that leaves its tasks to the runtime.
pub struct Running {
    /// The page, with the token.
    pub url: String,
    /// Where to send spans over HTTP, without `/v1/traces`.
    pub otlp: String,
    /// Where to send spans over gRPC, if anywhere.
    pub grpc: Option<String>,
    /// What whoever looks has to show.
    pub token: String,
    /// The traces.
    pub store: Arc<dyn Store>,
    /// What changes.
    pub hub: Arc<Hub>,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("otlp", &self.otlp)
            .field("grpc", &self.grpc)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the store and begins to listen.
    ///
    /// # Errors
    ///
    /// If the store cannot be opened, an address is taken, or one that others can reach is asked for without keys.
    pub async fn bind(options: Options) -> Result<Running, BindError> {
        options.check()?;
        let http = listen(options.http).await?;
        let address = http.local_addr()?;
        let grpc = match options.grpc {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let (hub, registry) =
            (Arc::new(Hub::default()), Arc::new(Registry::new(options.live_timeout)));
        let store = open(&options, &hub, &registry).await?;
        // Nobody is left of those that ran when the last server stopped, unless they say so.
        drop(store.abandon_all());
        let token = options.token.clone().map_or_else(random_token, Ok)?;
        let (stop, stopping) = watch::channel(false);
        let app = Arc::new(App {
            store: Arc::clone(&store),
            hub: Arc::clone(&hub),
            registry,
            access: Access::new(&token, &options.keys, &options.hosts),
            counters: Counters::default(),
            limits: options.limits,
            connect: Connect {
                otlp: (!address.ip().is_unspecified()).then(|| format!("http://{address}")),
                token: token.clone(),
            },
            started: Instant::now(),
            stopping,
        });
        let mut running = Running {
            url: format!("http://{address}/?token={token}"),
            otlp: format!("http://{address}"),
            grpc: None,
            token,
            store,
            hub,
            app: Arc::clone(&app),
            stop,
            tasks: vec![tokio::spawn(reap(Arc::clone(&app)))],
        };
        running.tasks.push(tokio::spawn(accept::serve(http, router(&app), Arc::clone(&app))));
        if let Some(grpc) = grpc {
            running.grpc = Some(format!("http://{}", grpc.local_addr()?));
            running.tasks.push(tokio::spawn(accept::serve(grpc, grpc_router(&app), app)));
        }
        Ok(running)
    }
}

impl Running {
    /// Takes no more requests, ends those that are under way, writes what waits, and closes the store.
    pub async fn stop(self) {
        let Self { store, hub, app, stop, tasks, .. } = self;
        // Nobody listens any more only if all tasks have ended.
        let _ = stop.send(true);
        for task in tasks {
            let abort = task.abort_handle();
            if tokio::time::timeout(DRAIN, task).await.is_err() {
                abort.abort();
            }
        }
        drop((hub, app));
        // The store waits for its thread, which writes what is left.
        let _ = tokio::task::spawn_blocking(move || drop(store)).await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|error| BindError::Address { address, error })
}

async fn open(
    options: &Options,
    hub: &Arc<Hub>,
    registry: &Arc<Registry>,
) -> Result<Arc<dyn Store>, BindError> {
    let mut sqlite = SqliteOptions::new(&options.store);
    sqlite.retention = options.retention;
    let (hub, registry) = (Arc::clone(hub), Arc::clone(registry));
    sqlite.listener = Some(Arc::new(move |changes| {
        registry.ended(&changes);
        hub.publish(changes);
    }));
    let opening = tokio::task::spawn_blocking(move || SqliteStore::open(sqlite));
    let store = opening.await.map_err(std::io::Error::other)??;
    Ok(Arc::new(store))
}

/// Gives up the spans of processes that went away.
async fn reap(app: Arc<App>) {
    let mut stopping = app.stopping.clone();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(REAP_EVERY) => (),
        }
        let abandoned = app.registry.abandoned();
        if !abandoned.is_empty() {
            // What cannot be marked now is marked when the server starts again.
            let _ = app.store.abandon(abandoned).await;
        }
    }
}

/// 128 bits that nobody can guess, in hex.
fn random_token() -> Result<String, BindError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| BindError::Io(std::io::Error::other(error.to_string())))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

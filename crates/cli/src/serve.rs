//! `glassbox serve`: the trace server.

use crate::signals::{Signal, Signals};
use anyhow::Context as _;
use clap::Args as ClapArgs;
use glassbox::telemetry::address::{Posted, ServerAddress};
use glassbox::telemetry::config;
use glassbox_server::{BindError, Options, Running, Server};
use settings::Grpc;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod settings;

/// Receive, keep and show traces, until Ctrl-C or SIGTERM
///
/// It speaks OTLP over HTTP and gRPC and Langfuse's API, keeps all in one SQLite file, and shows calls while they run on a
/// page whose address it prints. Glassbox programs of the same user find it by themselves, as tail, top, export, import and
/// doctor do.
///
/// What is set by an argument can be set by a variable too (GLASSBOX_SERVE_HTTP for --http, and so on), or by a line of a
/// TOML file (http = "127.0.0.1:4318"). Arguments go before variables, and those before the file.
#[derive(Debug, Default, ClapArgs)]
#[command(after_help = "Examples:
  glassbox serve
  glassbox serve --http 0 --grpc off --store traces.db        any free port, a file of one's own
  glassbox serve --http 0.0.0.0:4318 --keys-file keys --host traces.example.com --keep-days 30
  glassbox serve --json | jq -r .url")]
pub(crate) struct Args {
    /// Where to answer HTTP: the page, the API and OTLP; port 0 takes a free one [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDRESS", value_parser = settings::address)]
    http: Option<SocketAddr>,
    /// Where to answer OTLP over gRPC, or off [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDRESS|off")]
    grpc: Option<Grpc>,
    /// The file to keep traces in [default: glassbox/traces.db in the user's data folder]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// A TOML file with what is not said here
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file of key pairs that senders have to show: a line public:secret for each
    ///
    /// Langfuse's clients have such pairs. They can stand in GLASSBOX_SERVE_KEYS too, separated by commas. Without keys the
    /// server listens on a loopback address only.
    #[arg(long, value_name = "FILE")]
    keys_file: Option<PathBuf>,
    /// A file with the token that whoever looks has to show [default: a new one at each start]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A name under which the server is asked for, besides localhost; may be given several times
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Remove traces that began so many days ago
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u64>,
    /// Remove the oldest traces when the file has more
    #[arg(long, value_name = "MIB")]
    keep_mib: Option<u64>,
    /// The most that a request may have, and twice as much when it is unpacked [default: 32]
    #[arg(long, value_name = "MIB")]
    max_body_mib: Option<usize>,
    /// The most spans of a request; what is beyond is rejected [default: 50000]
    #[arg(long, value_name = "SPANS")]
    max_spans: Option<usize>,
    /// The most connections at a time; further ones wait [default: 1024]
    #[arg(long, value_name = "CONNECTIONS")]
    max_connections: Option<usize>,
    /// Print one line of JSON with the addresses once it listens
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = settings::options(args)?;
    let store = options.store.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?.with_hangup()?;
        let running = bind(options).await?;
        let posted = post(&running, &store);
        let said = match args.json {
            true => json(&running, &store).to_string(),
            false => tell(&running, &store, posted.is_some()),
        };
        let mut out = std::io::stdout();
        // Whoever read it may have enough, as `head` has, and the server is there all the same.
        let _ = writeln!(out, "{said}").and_then(|()| out.flush());
        let signal = end(&mut signals).await;
        // Nobody finds it any more from here on.
        drop(posted);
        running.stop().await;
        eprintln!("\nstopped by {signal}");
        Ok(signal.exit_code())
    })
}

/// Waits for a reason to end. The terminal that the server was started in is one when it closes; a server without a
/// terminal has nothing to do for it.
async fn end(signals: &mut Signals) -> Signal {
    loop {
        match signals.next().await {
            Signal::Hangup if !std::io::stderr().is_terminal() => {
                eprintln!("SIGHUP changes nothing; to read other settings, start the server again");
            }
            signal => return signal,
        }
    }
}

/// Returns how the server would start without arguments.
pub(crate) fn configured() -> anyhow::Result<Options> {
    settings::options(&Args::default())
}

/// Starts a server, and says what to type if that does not work.
async fn bind(options: Options) -> anyhow::Result<Running> {
    Server::bind(options).await.map_err(|error| match error {
        BindError::Address { address, error } if error.kind() == ErrorKind::AddrInUse => {
            let running = config::server().ok().flatten();
            let who = match running {
                Some(running) if running.url.ends_with(&format!(":{}", address.port())) => {
                    format!("a glassbox server runs there already: {}", running.url)
                }
                _ => "another program listens there, such as an OpenTelemetry collector".to_owned(),
            };
            anyhow::anyhow!(
                "cannot listen on {address}: {who}; stop it, or choose other ports: --http 127.0.0.1:0 --grpc off"
            )
        }
        BindError::Open(_) => anyhow::anyhow!(
            "{error}: write a line public:secret into a file, and name it with --keys-file"
        ),
        error => error.into(),
    })
}

/// Lets this user's programs find the server. One that cannot be found works all the same.
pub(crate) fn post(running: &Running, store: &Path) -> Option<Posted> {
    let folder = config::server_folder()?;
    let store = std::path::absolute(store).unwrap_or_else(|_| store.to_owned());
    // A server that listens everywhere is reached on this machine, too.
    let url = running.otlp.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
    let address = ServerAddress::new(&url).with_secret(&running.token).with_store(store);
    match address.post(&folder) {
        Ok(posted) => Some(posted),
        Err(error) => {
            eprintln!("warning: programs do not find this server by themselves: {error}");
            None
        }
    }
}

fn json(running: &Running, store: &Path) -> serde_json::Value {
    serde_json::json!({
        "url": running.url,
        "otlp": running.otlp,
        "grpc": running.grpc,
        "token": running.token,
        "store": store,
    })
}

fn tell(running: &Running, store: &Path, is_found: bool) -> String {
    let Running { url, otlp, grpc, .. } = running;
    let senders = match is_found {
        true => "Glassbox programs of yours find it by themselves. Others send, for instance with",
        false => "Programs send, for instance with",
    };
    let grpc = grpc.iter().map(|grpc| format!("OTLP over gRPC: {grpc}\n")).collect::<String>();
    let store = store.display();
    format!(
        "Look at traces: {url}\n\n{senders}\n\n  export OTEL_EXPORTER_OTLP_ENDPOINT={otlp}\n  \
         export LANGFUSE_BASE_URL={otlp} LANGFUSE_PUBLIC_KEY=pk LANGFUSE_SECRET_KEY=sk\n\n\
         {grpc}They are kept in {store}. Stop with Ctrl-C."
    )
}

/// Starts a server on loopback that keeps traces in a file: on a free port, or `on_usual_port` on the usual one if it is
/// free.
pub(crate) async fn local(store: &Path, on_usual_port: bool) -> anyhow::Result<Running> {
    let mut options = Options::local(store);
    options.http = SocketAddr::from(([127, 0, 0, 1], if on_usual_port { 4318 } else { 0 }));
    options.grpc = None;
    match Server::bind(options.clone()).await {
        Err(BindError::Address { .. }) => {
            options.http.set_port(0);
            Server::bind(options).await.context("the server cannot be started")
        }
        bound => bound.context("the server cannot be started"),
    }
}

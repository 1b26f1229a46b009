//! `glassbox serve`: the trace server.

use crate::config;
use crate::signals::Signals;
use anyhow::Context;
use clap::Args as ClapArgs;
use glassbox_server::http::Keys;
use glassbox_server::store::Retention;
use glassbox_server::{Options, Running, Server};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Receives, keeps and shows traces until Ctrl-C or SIGTERM.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Where to answer HTTP: the page, the API and OTLP; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:4318", value_name = "ADDRESS")]
    http: SocketAddr,
    /// Where to answer OTLP over gRPC, or off
    #[arg(long, default_value = "127.0.0.1:4317", value_name = "ADDRESS|off", value_parser = address_or_off)]
    grpc: Grpc,
    /// The file to keep traces in [default: glassbox/traces.db in the user's data folder]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// A key pair that senders have to show, as Langfuse's clients do; may be given several times
    #[arg(long = "key", value_name = "PUBLIC:SECRET", value_parser = keys)]
    keys: Vec<Keys>,
    /// A name under which the server is asked for, besides localhost and addresses; may be given several times
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Remove traces that began so many days ago
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u64>,
    /// Remove the oldest traces when the file has more
    #[arg(long, value_name = "MIB")]
    keep_mib: Option<u64>,
    /// Print one line of JSON with the addresses once it listens
    #[arg(long)]
    json: bool,
}

/// Where gRPC is answered, if anywhere.
#[derive(Clone, Copy, Debug)]
struct Grpc(Option<SocketAddr>);

fn address_or_off(text: &str) -> Result<Grpc, String> {
    if text == "off" {
        return Ok(Grpc(None));
    }
    text.parse()
        .map(|address| Grpc(Some(address)))
        .map_err(|error| format!("{error}; type an address such as 127.0.0.1:4317, or off"))
}

/// The secret is not repeated in what is said.
fn keys(text: &str) -> Result<Keys, String> {
    match text.split_once(':') {
        Some((public, secret)) if !public.is_empty() && !secret.is_empty() => {
            Ok(Keys { public: public.to_owned(), secret: secret.to_owned() })
        }
        _ => Err("type the public key, a colon and the secret key".to_owned()),
    }
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let store = match args.store {
        Some(store) => store,
        None => config::store()
            .context("there is no home folder to keep traces in; name a file with --store")?,
    };
    let mut options = Options::local(&store);
    options.http = args.http;
    options.grpc = args.grpc.0;
    options.keys = args.keys;
    options.hosts = args.hosts;
    options.retention = Retention {
        age: args.keep_days.map(|days| Duration::from_secs(days.saturating_mul(86_400))),
        bytes: args.keep_mib.map(|mib| mib.saturating_mul(1 << 20)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let running = Server::bind(options).await?;
        if args.json {
            println!("{}", json(&running, &store));
        } else {
            tell(&running, &store);
        }
        let signal = signals.next().await;
        running.stop().await;
        eprintln!("\nstopped by {signal}");
        Ok(signal.exit_code())
    })
}

fn json(running: &Running, store: &std::path::Path) -> serde_json::Value {
    serde_json::json!({
        "url": running.url,
        "otlp": running.otlp,
        "grpc": running.grpc,
        "token": running.token,
        "store": store,
    })
}

fn tell(running: &Running, store: &std::path::Path) {
    println!("Look at traces: {}\n", running.url);
    println!("Send them from any program, for instance with\n");
    println!("  export OTEL_EXPORTER_OTLP_ENDPOINT={}", running.otlp);
    println!(
        "  export LANGFUSE_BASE_URL={} LANGFUSE_PUBLIC_KEY=pk LANGFUSE_SECRET_KEY=sk\n",
        running.otlp
    );
    if let Some(grpc) = &running.grpc {
        println!("OTLP over gRPC: {grpc}");
    }
    println!("They are kept in {}. Stop with Ctrl-C.", store.display());
}

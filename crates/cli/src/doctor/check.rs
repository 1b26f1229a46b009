//! What can keep `glassbox serve` from starting or from keeping traces: ports, keys, the file, the disk, the clock.

use super::server::Server;
use crate::client::Client;
use crate::{paint, serve};
use glassbox::telemetry::config;
use glassbox_server::Options;
use glassbox_server::store::{StoreError, examine};
use reqwest::header::{CONTENT_TYPE, DATE};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long another program may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Less than that is little.
const LITTLE_DISK: u64 = 1 << 30;

/// A store that is larger wants to be limited.
const LARGE_STORE: u64 = 10 << 30;

/// Clocks that differ by more put spans of one trace in the wrong order.
const SKEW: Duration = Duration::from_secs(2);

/// How one check of the server went.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) check: &'static str,
    /// `ok` or `warning`.
    pub(super) verdict: &'static str,
    pub(super) seen: String,
    pub(super) advice: Option<String>,
}

impl Check {
    fn ok(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, verdict: "ok", seen: seen.into(), advice: None }
    }

    fn warning(check: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: "warning", seen: seen.into(), advice: Some(advice.into()) }
    }
}

/// Checks the server that runs, or what would be in the way of one.
pub(super) async fn checks(server: Option<&Server>) -> Vec<Check> {
    match server.filter(|server| server.version.is_some()) {
        Some(server) => of_running(server).await,
        None => of_settings().await,
    }
}

async fn of_running(server: &Server) -> Vec<Check> {
    let mut checks = Vec::new();
    // One on another machine knows its own disk.
    if let Some(path) = &server.store {
        checks.extend(store(path, true, is_limited().await));
        checks.extend(disk(path));
    }
    checks.extend(clock(&server.url).await);
    checks
}

async fn of_settings() -> Vec<Check> {
    let options = match serve::configured() {
        Ok(options) => options,
        Err(error) => {
            let advice = "correct it; glassbox serve --help tells what can be set";
            return vec![Check::warning("settings", format!("{error:#}"), advice)];
        }
    };
    let mut checks = vec![port("port", options.http).await];
    if let Some(grpc) = options.grpc {
        checks.push(port("grpc port", grpc).await);
    }
    checks.push(keys(&options));
    let is_limited = options.retention.age.is_some() || options.retention.bytes.is_some();
    checks.extend(store(&options.store, false, is_limited));
    checks.extend(disk(&options.store));
    checks
}

/// Who listens where the server would.
async fn port(check: &'static str, address: SocketAddr) -> Check {
    if address.port() == 0 {
        return Check::ok(check, "a free one is taken at each start");
    }
    let bound = tokio::net::TcpListener::bind(address).await;
    let Err(error) = bound else {
        return Check::ok(check, format!("{address} is free"));
    };
    if error.kind() != std::io::ErrorKind::AddrInUse {
        let advice = "choose another address: glassbox serve --http 127.0.0.1:4318";
        return Check::warning(check, format!("{address} cannot be used: {error}"), advice);
    }
    let elsewhere = "stop it, or choose other ports: glassbox serve --http 127.0.0.1:0 --grpc off";
    match who(address).await {
        Who::Glassbox(version) => Check::warning(
            check,
            format!(
                "a glassbox server {version} answers at {address}, and programs do not find it"
            ),
            format!("set GLASSBOX_SERVER=http://{address}, or stop it and start it as this user"),
        ),
        Who::Receiver => Check::warning(
            check,
            format!(
                "another receiver of OTLP answers at {address}, such as an OpenTelemetry collector"
            ),
            elsewhere,
        ),
        Who::Somebody => {
            Check::warning(check, format!("another program listens at {address}"), elsewhere)
        }
    }
}

enum Who {
    Glassbox(String),
    Receiver,
    Somebody,
}

/// Asks who listens at an address.
async fn who(address: SocketAddr) -> Who {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let Ok(http) = http else { return Who::Somebody };
    let url = |path: &str| format!("http://{address}{path}");
    if let Ok(response) = http.get(url("/api/public/health")).send().await
        && let Ok(said) = response.bytes().await
        && let Ok(said) = serde_json::from_slice::<serde_json::Value>(&said)
        && said["name"] == "glassbox"
    {
        return Who::Glassbox(said["version"].as_str().unwrap_or_default().to_owned());
    }
    // An export request without spans.
    let request = http.post(url("/v1/traces")).header(CONTENT_TYPE, "application/x-protobuf");
    match request.body(Vec::new()).send().await {
        Ok(response) if matches!(response.status().as_u16(), 200 | 400 | 401 | 415) => {
            Who::Receiver
        }
        _ => Who::Somebody,
    }
}

/// Whether the address and the keys belong together.
fn keys(options: &Options) -> Check {
    let Options { http, keys, .. } = options;
    match (http.ip().is_loopback(), keys.len()) {
        (true, 0) => {
            Check::ok("keys", "none: programs of this machine may send, who looks needs the token")
        }
        (false, 0) => Check::warning(
            "keys",
            format!(
                "none, and {http} can be reached from other machines: the server does not start"
            ),
            "write a line public:secret into a file, and name it with --keys-file",
        ),
        (_, count) => Check::ok("keys", format!("{count}, which every sender has to show")),
    }
}

/// Whether the file can be used, and how it is limited.
fn store(path: &Path, is_running: bool, is_limited: bool) -> Vec<Check> {
    let shown = path.display();
    let examined = match examine(path) {
        Ok(None) => return vec![Check::ok("store", format!("{shown} is made at the first start"))],
        Ok(Some(examined)) => examined,
        Err(error) => {
            let advice = match &error {
                StoreError::TooNew { .. } => {
                    "use the newer glassbox that wrote it, or choose another file with --store"
                }
                StoreError::Locked(_) => "stop the program that has it open",
                _ => "move the file away, or choose another one with --store",
            };
            return vec![Check::warning("store", error.to_string(), advice)];
        }
    };
    let size = size(examined.bytes);
    let mut checks = vec![match (examined.is_in_use, is_running) {
        (true, false) => Check::warning(
            "store",
            format!("{shown}, {size}, is held by a server that programs do not find"),
            "stop that server, or choose another file with --store",
        ),
        _ => Check::ok("store", format!("{shown}, {size}")),
    }];
    checks.push(match (is_limited, examined.bytes > LARGE_STORE) {
        (true, _) => Check::ok("retention", "old traces are removed"),
        (false, false) => {
            Check::ok("retention", "nothing is removed; --keep-days and --keep-mib do")
        }
        (false, true) => Check::warning(
            "retention",
            "the store is large, and nothing is ever removed",
            "start the server with --keep-days 30, or with --keep-mib 10240",
        ),
    });
    checks
}

/// Whether the server that runs removes old traces, as far as it tells.
async fn is_limited() -> bool {
    let Some(client) = config::server().ok().flatten().map(Client::new) else { return false };
    let Ok(client) = client else { return false };
    let said = client.get("/api/v1/health", &[]).await.unwrap_or_default();
    let retention = &said["store"]["retention"];
    !retention["age_s"].is_null() || !retention["bytes"].is_null()
}

/// How much room there is beside the store.
fn disk(store: &Path) -> Option<Check> {
    let folder = store.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let free = fs4::available_space(folder).ok()?;
    let seen = format!("{} free at {}", size(free), folder.display());
    Some(match free < LITTLE_DISK {
        false => Check::ok("disk", seen),
        true => Check::warning(
            "disk",
            seen,
            "make room, or limit the store with --keep-mib: on a full disk spans are refused",
        ),
    })
}

/// Whether the server's clock is that of the programs here.
async fn clock(url: &str) -> Option<Check> {
    let address = config::server().ok().flatten().filter(|address| address.url == url)?;
    let asked = SystemTime::now();
    let date = Client::new(address).ok()?.header("/healthz", DATE).await.ok()??;
    let answered = SystemTime::now();
    let theirs = httpdate::parse_http_date(&date).ok()?;
    let early = asked.duration_since(theirs).unwrap_or_default();
    let late = theirs.duration_since(answered).unwrap_or_default();
    let skew = early.max(late);
    Some(match skew > SKEW {
        false => Check::ok("clock", "the server's is that of this machine"),
        true => Check::warning(
            "clock",
            format!("the server's differs from this machine's by {}", paint::duration(skew)),
            "set both by NTP, or spans of one trace stand in the wrong order",
        ),
    })
}

fn size(bytes: u64) -> String {
    match bytes.div_ceil(1 << 20) {
        mib if mib >= 10 << 10 => format!("{} GiB", mib >> 10),
        mib => format!("{} MiB", paint::count(mib)),
    }
}

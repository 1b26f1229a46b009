//! How the server is set up: by arguments, else by variables, else by a file, else as is good for one machine.

use super::Args;
use crate::config::{self, ServeVariables};
use anyhow::{Context as _, bail};
use glassbox_server::Options;
use glassbox_server::http::Keys;
use glassbox_server::store::Retention;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4318);
const GRPC: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4317);

/// Where gRPC is answered, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grpc(Option<SocketAddr>);

impl FromStr for Grpc {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        address(text).map(|address| Self(Some(address))).map_err(|error| format!("{error}, or off"))
    }
}

/// Reads an address.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    // The port alone is what is meant most often.
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| "type a port, or an address such as 127.0.0.1:4318".to_owned())
}

/// Reads a key pair. The secret is not repeated in what is said.
pub(super) fn keys(text: &str) -> Result<Keys, String> {
    match text.trim().split_once(':') {
        Some((public, secret)) if !public.is_empty() && !secret.is_empty() => {
            Ok(Keys { public: public.to_owned(), secret: secret.to_owned() })
        }
        _ => Err("type the public key, a colon and the secret key".to_owned()),
    }
}

/// The names of what a file may say.
const KEYS: [&str; 11] = [
    "http",
    "grpc",
    "store",
    "keys_file",
    "token_file",
    "hosts",
    "keep_days",
    "keep_mib",
    "max_body_mib",
    "max_spans",
    "max_connections",
];

/// What a file may say: the same as the arguments.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    http: Option<String>,
    grpc: Option<String>,
    store: Option<PathBuf>,
    keys_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    hosts: Vec<String>,
    keep_days: Option<u64>,
    keep_mib: Option<u64>,
    max_body_mib: Option<usize>,
    max_spans: Option<usize>,
    max_connections: Option<usize>,
}

/// Returns how to start the server.
pub(super) fn options(args: &Args) -> anyhow::Result<Options> {
    let variables = config::serve_variables();
    let file = match args.config.clone().or_else(|| variables.path("GLASSBOX_SERVE_CONFIG")) {
        Some(path) => read(&path)?,
        None => Written::default(),
    };
    resolve(args, &variables, file)
}

fn read(path: &Path) -> anyhow::Result<Written> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    parse(&text).with_context(|| format!("{shown} is no configuration of glassbox serve"))
}

fn parse(text: &str) -> anyhow::Result<Written> {
    let table: toml::Table = toml::from_str(text)?;
    if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let line = text
            .lines()
            .position(|line| line.trim_start().trim_start_matches('[').starts_with(unknown));
        let place = line.map(|at| format!("line {}: ", at + 1)).unwrap_or_default();
        let advice = match config::nearest(unknown, &KEYS) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("type one of {}", KEYS.join(", ")),
        };
        bail!("{place}there is no setting {unknown}; {advice}");
    }
    Ok(toml::from_str(text)?)
}

fn resolve(args: &Args, variables: &ServeVariables, file: Written) -> anyhow::Result<Options> {
    let store = args.store.clone().or_else(|| variables.path("GLASSBOX_SERVE_STORE"));
    let store = store.or(file.store).or_else(config::store).context(
        "there is no home folder to keep traces in; name a file with --store, such as --store traces.db",
    )?;
    let mut options = Options::local(store);
    let http = variables.parsed("GLASSBOX_SERVE_HTTP", address)?;
    options.http = match args.http.or(http) {
        Some(http) => http,
        None => in_file("http", file.http.as_deref(), address)?.unwrap_or(HTTP),
    };
    let grpc = variables.parsed("GLASSBOX_SERVE_GRPC", Grpc::from_str)?;
    options.grpc = match args.grpc.or(grpc) {
        Some(grpc) => grpc.0,
        None => {
            in_file("grpc", file.grpc.as_deref(), Grpc::from_str)?.unwrap_or(Grpc(Some(GRPC))).0
        }
    };
    let keys_file = args.keys_file.clone().or_else(|| variables.path("GLASSBOX_SERVE_KEYS_FILE"));
    if let Some(path) = keys_file.or(file.keys_file) {
        options.keys = keys_of(&path)?;
    }
    if let Some(list) = variables.text("GLASSBOX_SERVE_KEYS") {
        let listed = list.split(',').filter(|pair| !pair.trim().is_empty()).map(keys);
        let listed: Result<Vec<_>, _> = listed.collect();
        options
            .keys
            .extend(listed.map_err(|error| anyhow::anyhow!("GLASSBOX_SERVE_KEYS: {error}"))?);
    }
    let token_file =
        args.token_file.clone().or_else(|| variables.path("GLASSBOX_SERVE_TOKEN_FILE"));
    if let Some(path) = token_file.or(file.token_file) {
        options.token = Some(token_of(&path)?);
    }
    let hosts = variables.text("GLASSBOX_SERVE_HOSTS");
    let hosts = hosts.map(|list| list.split(',').map(|host| host.trim().to_owned()).collect());
    options.hosts = match args.hosts.is_empty() {
        false => args.hosts.clone(),
        true => hosts.unwrap_or(file.hosts),
    };
    let number = |name| {
        variables.parsed(name, |text| text.parse::<u64>().map_err(|error| error.to_string()))
    };
    let days = args.keep_days.or(number("GLASSBOX_SERVE_KEEP_DAYS")?).or(file.keep_days);
    let mib = args.keep_mib.or(number("GLASSBOX_SERVE_KEEP_MIB")?).or(file.keep_mib);
    options.retention = Retention {
        age: days.map(|days| Duration::from_secs(days.saturating_mul(86_400))),
        bytes: mib.map(|mib| mib.saturating_mul(1 << 20)),
    };
    let limits = &mut options.limits;
    let count = |name| {
        variables.parsed(name, |text| text.parse::<usize>().map_err(|error| error.to_string()))
    };
    let body = args.max_body_mib.or(count("GLASSBOX_SERVE_MAX_BODY_MIB")?).or(file.max_body_mib);
    if let Some(mib) = body {
        limits.body_bytes = mib.max(1).saturating_mul(1 << 20);
        limits.plain_bytes = limits.body_bytes.saturating_mul(2);
    }
    let spans = args.max_spans.or(count("GLASSBOX_SERVE_MAX_SPANS")?).or(file.max_spans);
    limits.spans = spans.unwrap_or(limits.spans).max(1);
    let connections = args.max_connections.or(count("GLASSBOX_SERVE_MAX_CONNECTIONS")?);
    limits.connections = connections.or(file.max_connections).unwrap_or(limits.connections).max(1);
    Ok(options)
}

fn in_file<T>(
    name: &str,
    value: Option<&str>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<Option<T>> {
    let Some(value) = value else { return Ok(None) };
    let parsed = parse(value);
    parsed.map(Some).map_err(|error| anyhow::anyhow!("{name} in the configuration: {error}"))
}

/// Reads a key pair a line. Empty lines and those that begin with # are skipped.
fn keys_of(path: &Path) -> anyhow::Result<Vec<Keys>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the keys in {shown} cannot be read"))?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let pairs: anyhow::Result<Vec<_>> = lines
        .map(|(at, line)| {
            keys(line).map_err(|error| anyhow::anyhow!("{shown}, line {at}: {error}"))
        })
        .collect();
    let pairs = pairs?;
    if pairs.is_empty() {
        bail!("{shown} has no key pair; write a line such as pk-lf-me:sk-lf-secret");
    }
    Ok(pairs)
}

/// Reads a token.
fn token_of(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the token in {shown} cannot be read"))?;
    let token = text.trim();
    // It stands in the printed address and in a cookie.
    let is_plain = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if token.len() < 16 || !is_plain {
        bail!("{shown} has no token; write at least 16 letters, digits, hyphens and underscores");
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn options_of(
        arguments: &[&str],
        variables: &[(&str, &str)],
        file: &str,
    ) -> anyhow::Result<Options> {
        let command =
            Command::try_parse_from(["serve", "--store", "t.db"].iter().chain(arguments))?;
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        resolve(&command.args, &ServeVariables::of(pairs), parse(file)?)
    }

    #[test]
    fn arguments_go_first_then_variables_then_the_file() {
        let file = "http = '127.0.0.1:1'\ngrpc = '127.0.0.1:2'\nkeep_days = 3\nmax_spans = 4";
        let variables = [("GLASSBOX_SERVE_GRPC", "off"), ("GLASSBOX_SERVE_KEEP_DAYS", "5")];
        let options = options_of(&["--keep-days", "6"], &variables, file).unwrap();
        assert_eq!((options.http.port(), options.grpc, options.limits.spans), (1, None, 4));
        assert_eq!(options.retention.age, Some(Duration::from_secs(6 * 86_400)));
        let plain = options_of(&[], &[], "").unwrap();
        assert_eq!((plain.http, plain.grpc), (HTTP, Some(GRPC)));
    }

    #[test]
    fn keys_come_from_a_variable_and_are_not_shown() {
        let variables = [("GLASSBOX_SERVE_KEYS", "pk-1:sk-1, pk-2:sk-2")];
        let options = options_of(&[], &variables, "").unwrap();
        assert_eq!(options.keys.len(), 2);
        assert!(!format!("{options:?}").contains("sk-1"));
        let wrong = options_of(&[], &[("GLASSBOX_SERVE_KEYS", "sk-secret")], "").unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "GLASSBOX_SERVE_KEYS: type the public key, a colon and the secret key"
        );
    }

    #[test]
    fn what_makes_no_sense_is_told_with_what_to_type() {
        let check = |variables: &[(&str, &str)], file: &str, expected: &str| {
            let error = format!("{:#}", options_of(&[], variables, file).unwrap_err());
            assert!(error.contains(expected), "{error}");
        };
        check(
            &[("GLASSBOX_SERVE_HTTP", "here")],
            "",
            "GLASSBOX_SERVE_HTTP: type a port, or an address",
        );
        check(&[], "grpc = 'no'", "grpc in the configuration: type a port");
        check(&[], "htpp = 'x'", "line 1: there is no setting htpp; did you mean http?");
        check(
            &[],
            "http = '1'\nkeep-days = 3",
            "line 2: there is no setting keep-days; did you mean keep_days?",
        );
        check(
            &[],
            "[colours]\nred = 1",
            "line 1: there is no setting colours; type one of http, grpc",
        );
        check(&[], "keep_days = 'many'", "invalid type: string \"many\", expected u64");
    }
}

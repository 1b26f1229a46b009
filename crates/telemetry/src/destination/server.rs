//! A glassbox server: OTLP as anywhere, and the spans that begin besides.

use crate::address::ServerAddress;
use crate::destination::otlp::{self, OtlpConfig};
use crate::destination::target::{HttpTarget, parse_url, sensitive};
use crate::destination::whereabouts::{Whereabouts, found_at};
use crate::error::{ConfigError, Kind};
use crate::loopback::is_loopback;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// Where spans are announced when they begin.
#[derive(Clone, Debug)]
pub(crate) enum LiveTarget {
    /// At a server that is known to be one.
    Named(Entrance),
    /// At the server that leaves its address in a folder.
    Found(Arc<Whereabouts>),
    /// At a destination that may be a server, or become one.
    Perhaps(Box<Perhaps>),
}

/// An address that takes announcements, and how to come in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entrance {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

/// A destination that may be a server.
#[derive(Clone, Debug)]
pub(crate) struct Perhaps {
    /// Where it would take announcements, with the credentials that it gets with the spans.
    pub(crate) entrance: Entrance,
    /// Where a server says who it is.
    pub(crate) name: Url,
    /// Where the server of this user leaves its address.
    pub(crate) folder: Option<PathBuf>,
}

impl LiveTarget {
    /// Tells whether the server is there, as far as can be told without asking it.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Named(_) => true,
            Self::Found(whereabouts) => whereabouts.now().is_some(),
            Self::Perhaps(perhaps) => perhaps.found().is_some(),
        }
    }
}

impl Entrance {
    pub(super) fn of(address: &ServerAddress) -> Result<Self, ConfigError> {
        let url = format!("{}{ANNOUNCEMENTS}", address.url);
        let url = parse_url(&url, "GLASSBOX_SERVER", "http://localhost:4318")?;
        Ok(Self { url, headers: authorization(address)? })
    }
}

impl Perhaps {
    /// Returns what a server would be like that takes spans at this address; `None` if none takes them by such a path.
    pub(super) fn at(spans: &Url, headers: &HeaderMap, folder: Option<PathBuf>) -> Option<Self> {
        let taken = ["/api/public/otel/v1/traces", "/v1/traces"];
        let base = taken.iter().find_map(|path| spans.path().strip_suffix(path))?;
        // Langfuse itself would only wonder.
        let host = spans.host_str()?;
        if host == CLOUD || host.ends_with(&format!(".{CLOUD}")) {
            return None;
        }
        let at = |path: &str| {
            let mut url = spans.clone();
            url.set_path(&format!("{base}{path}"));
            url.set_query(None);
            url
        };
        let credentials = headers.get(AUTHORIZATION).map(|value| (AUTHORIZATION, value.clone()));
        let entrance =
            Entrance { url: at(ANNOUNCEMENTS), headers: credentials.into_iter().collect() };
        Some(Self { entrance, name: at("/healthz"), folder })
    }

    /// Returns how to come in if the server of this user is there.
    pub(crate) fn found(&self) -> Option<Entrance> {
        let headers = found_at(&self.entrance.url, self.folder.as_deref()?)?;
        // With keys of one's own one comes in as well, and a server that asks for nothing does not mind.
        let headers = if headers.is_empty() { self.entrance.headers.clone() } else { headers };
        Some(Entrance { url: self.entrance.url.clone(), headers })
    }
}

const ANNOUNCEMENTS: &str = "/api/v1/live";

const CLOUD: &str = "cloud.langfuse.com";

/// Where a server is that has not been seen yet: nothing is sent there.
const NOWHERE: &str = "http://127.0.0.1:4318";

pub(super) fn found_in(
    folder: PathBuf,
    address: Option<&ServerAddress>,
) -> Result<HttpTarget, ConfigError> {
    let mut target = target(address.unwrap_or(&ServerAddress::new(NOWHERE)))?;
    let whereabouts = Arc::new(Whereabouts::new(folder));
    target.live = Some(LiveTarget::Found(Arc::clone(&whereabouts)));
    target.whereabouts = Some(whereabouts);
    Ok(target)
}

pub(super) fn target(address: &ServerAddress) -> Result<HttpTarget, ConfigError> {
    let entrance = Entrance::of(address)?;
    let mut target = otlp::target(OtlpConfig::new(format!("{}/v1/traces", address.url)))?;
    target.headers = entrance.headers.clone();
    target.check = "check GLASSBOX_SERVER_KEY";
    target.live = Some(LiveTarget::Named(entrance));
    Ok(target)
}

/// Returns the header with what the server asks for, if it does.
pub(super) fn authorization(address: &ServerAddress) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    if let Some(secret) = address.authorization() {
        let value = HeaderValue::try_from(secret.expose_secret()).map_err(|_| Kind::Header {
            variable: "GLASSBOX_SERVER_KEY",
            header: "authorization".to_owned(),
            problem: "has a value with letters that a header cannot have",
        })?;
        headers.insert(AUTHORIZATION, sensitive(value));
    }
    Ok(headers)
}

/// Tells whether an address is one of this server's.
pub(crate) fn is_at(url: &Url, address: &ServerAddress) -> bool {
    Url::parse(&address.url).is_ok_and(|server| is_same_host(url, &server))
}

/// Tells whether two addresses are of one host and port.
pub(crate) fn is_same_host(url: &Url, other: &Url) -> bool {
    let ports = (url.port_or_known_default(), other.port_or_known_default());
    let (Some(one), Some(other)) = (url.host_str(), other.host_str()) else { return false };
    let same_host = one.eq_ignore_ascii_case(other) || (is_loopback(one) && is_loopback(other));
    same_host && ports.0 == ports.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_keys_is_told_from_a_token() {
        let check = |secret: &str, expected: &str| {
            let address = ServerAddress::new("http://127.0.0.1:4318").with_secret(secret);
            let target = target(&address).unwrap();
            assert_eq!(target.headers[AUTHORIZATION], expected);
            assert!(!format!("{target:?}").contains(expected));
        };
        check("0123", "Bearer 0123");
        check("pk:sk", "Basic cGs6c2s=");
    }

    #[test]
    fn names_of_this_machine_are_one() {
        let check = |url: &str, expected: bool| {
            let address = ServerAddress::new("http://127.0.0.1:4318");
            assert_eq!(is_at(&Url::parse(url).unwrap(), &address), expected, "{url}");
        };
        check("http://localhost:4318/v1/traces", true);
        check("http://[::1]:4318/api/public/otel/v1/traces", true);
        check("http://localhost:4319/v1/traces", false);
        check("http://example.com:4318/v1/traces", false);
    }

    #[test]
    fn a_receiver_of_spans_may_be_a_server_by_its_path() {
        let check = |url: &str, expected: Option<&str>| {
            let url = Url::parse(url).unwrap();
            let perhaps = Perhaps::at(&url, &HeaderMap::new(), None);
            let at = perhaps.map(|perhaps| perhaps.entrance.url.to_string());
            assert_eq!(at.as_deref(), expected, "{url}");
        };
        check("http://box:4318/v1/traces", Some("http://box:4318/api/v1/live"));
        check("http://box/api/public/otel/v1/traces", Some("http://box/api/v1/live"));
        check("https://a.example/glass/v1/traces?x=1", Some("https://a.example/glass/api/v1/live"));
        check("http://box:4318/spans", None);
        check("https://us.cloud.langfuse.com/api/public/otel/v1/traces", None);
    }
}

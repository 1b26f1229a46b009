//! A glassbox server: OTLP as anywhere, and the spans that begin besides.

use crate::address::ServerAddress;
use crate::destination::otlp::{self, OtlpConfig};
use crate::destination::target::{HttpTarget, parse_url, sensitive};
use crate::destination::whereabouts::{Here, Whereabouts};
use crate::error::{ConfigError, Kind};
use crate::loopback::is_loopback;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// Where spans are announced when they begin.
#[derive(Clone, Debug)]
pub(crate) struct LiveTarget {
    url: Url,
    headers: HeaderMap,
    whereabouts: Option<Arc<Whereabouts>>,
}

impl LiveTarget {
    /// Returns the address and the headers as they are now; `None` if the server has not been seen yet.
    pub(crate) fn now(&self) -> Option<(Url, HeaderMap)> {
        match &self.whereabouts {
            Some(whereabouts) => whereabouts.now().map(|here| (here.live, here.headers)),
            None => Some((self.url.clone(), self.headers.clone())),
        }
    }

    /// Returns how to find the server, if it may be anywhere.
    pub(crate) const fn whereabouts(&self) -> Option<&Arc<Whereabouts>> {
        self.whereabouts.as_ref()
    }
}

/// Where a server is that has not been seen yet: nothing is sent there.
const NOWHERE: &str = "http://127.0.0.1:4318";

pub(super) fn found_in(
    folder: PathBuf,
    address: Option<&ServerAddress>,
) -> Result<HttpTarget, ConfigError> {
    let here = address.map(Here::at).transpose()?;
    let whereabouts = Arc::new(Whereabouts::new(folder, here));
    let mut target = target(address.unwrap_or(&ServerAddress::new(NOWHERE)))?;
    if let Some(live) = &mut target.live {
        live.whereabouts = Some(Arc::clone(&whereabouts));
    }
    target.whereabouts = Some(whereabouts);
    Ok(target)
}

pub(super) fn target(address: &ServerAddress) -> Result<HttpTarget, ConfigError> {
    let live = live(address)?;
    let mut target = otlp::target(OtlpConfig::new(format!("{}/v1/traces", address.url)))?;
    target.headers = live.headers.clone();
    target.check = "check GLASSBOX_SERVER_KEY";
    target.live = Some(Box::new(live));
    Ok(target)
}

pub(super) fn live(address: &ServerAddress) -> Result<LiveTarget, ConfigError> {
    let url = format!("{}/api/v1/live", address.url);
    let url = parse_url(&url, "GLASSBOX_SERVER", "http://localhost:4318")?;
    Ok(LiveTarget { url, headers: authorization(address)?, whereabouts: None })
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
    let Ok(server) = Url::parse(&address.url) else { return false };
    let (Some(one), Some(other)) = (url.host_str(), server.host_str()) else { return false };
    let same_host = one.eq_ignore_ascii_case(other) || (is_loopback(one) && is_loopback(other));
    same_host && url.port_or_known_default() == server.port_or_known_default()
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
}

//! The way to a destination: directly, or through a proxy.

use crate::loopback::is_loopback;
use hyper_util::client::proxy::matcher::Matcher;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::Url;

/// Who is connected to.
#[derive(Debug)]
pub(super) struct Route {
    host: String,
    pub(super) port: u16,
    pub(super) is_proxy: bool,
}

impl Route {
    /// Finds the way as the HTTP client does.
    pub(super) fn to(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        if let Some(proxy) = proxy(url).filter(|_| !is_loopback(host)) {
            let port = proxy.port_u16().unwrap_or(match proxy.scheme_str() {
                Some("https") => 443,
                Some("socks4" | "socks4a" | "socks5" | "socks5h") => 1080,
                _ => 80,
            });
            return Self { host: plain(proxy.host().unwrap_or_default()), port, is_proxy: true };
        }
        let port = url.port_or_known_default().unwrap_or_default();
        Self { host: plain(host), port, is_proxy: false }
    }

    pub(super) async fn resolve(&self, limit: Duration) -> Result<Vec<SocketAddr>, String> {
        match within(limit, lookup_host((self.host.as_str(), self.port))).await {
            Ok(addresses) => {
                let addresses: Vec<_> = addresses.collect();
                if addresses.is_empty() { Err("no address".to_owned()) } else { Ok(addresses) }
            }
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_proxy { write!(f, "the proxy {}", self.host) } else { f.write_str(&self.host) }
    }
}

fn proxy(url: &Url) -> Option<http::Uri> {
    Some(Matcher::from_system().intercept(&url.as_str().parse().ok()?)?.uri().clone())
}

/// An address without the brackets that it has in a URL.
fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// Connects to the first address that lets us.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<SocketAddr, String> {
    let mut errors = Vec::new();
    for address in addresses {
        match within(limit, TcpStream::connect(address)).await {
            Ok(_) => return Ok(*address),
            Err(error) => errors.push(format!("{address}: {error}")),
        }
    }
    Err(errors.join("; "))
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, String> {
    match timeout(limit, work).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_of_this_machine_are_reached_directly() {
        for (url, ip) in [("http://127.0.0.1:9/v1", "127.0.0.1"), ("http://[::1]:9/", "::1")] {
            let route = Route::to(&url.parse().unwrap());
            assert_eq!((route.to_string().as_str(), route.port, route.is_proxy), (ip, 9, false));
            let addresses = route.resolve(Duration::from_secs(1)).await.unwrap();
            assert_eq!(addresses[0].ip().to_string(), ip);
        }
        let route = Route::to(&"https://localhost/".parse().unwrap());
        assert_eq!((route.port, route.is_proxy), (443, false));
    }

    #[tokio::test]
    async fn what_does_not_listen_is_told() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = connect(&[nobody], Duration::from_secs(1)).await.unwrap_err();
        assert!(error.starts_with(&format!("{nobody}: Connection refused")), "{error}");
    }
}

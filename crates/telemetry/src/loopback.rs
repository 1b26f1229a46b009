//! Addresses of this very machine, which no proxy can reach for us.

use std::net::IpAddr;

/// Tells whether a host of a URL is this machine: `localhost`, `127.0.0.1`, `[::1]`.
///
/// ```
/// use glassbox_telemetry::loopback::is_loopback;
/// assert!(is_loopback("localhost") && is_loopback("127.0.0.1") && is_loopback("[::1]"));
/// assert!(!is_loopback("langfuse.example.com"));
/// ```
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

//! What to type when a step does not work.

use super::Reply;
use super::network::Route;
use crate::destination::{HttpTarget, Protocol};
use glassbox_trace::otlp::Profile;
use url::Url;

/// The variables that a destination is set up by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advice {
    address: &'static str,
    authority: &'static str,
    timeout: &'static str,
    profile: Profile,
    protocol: Protocol,
}

/// Tells whether an error of a connection is one of TLS.
pub(super) fn is_about_tls(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    ["certificate", "invalidcontenttype", "corrupt message", "handshake", "tls", "fatal alert"]
        .iter()
        .any(|word| error.contains(word))
}

impl Advice {
    pub(super) const fn for_target(target: &HttpTarget) -> Self {
        let (address, authority, timeout) = match target.profile {
            Profile::OpenTelemetry if target.is_server() => {
                ("GLASSBOX_SERVER", "GLASSBOX_CA_FILE", "OTEL_EXPORTER_OTLP_TIMEOUT")
            }
            Profile::Langfuse => ("LANGFUSE_BASE_URL", "GLASSBOX_CA_FILE", "LANGFUSE_TIMEOUT"),
            Profile::OpenTelemetry => (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                "OTEL_EXPORTER_OTLP_TIMEOUT",
            ),
        };
        Self { address, authority, timeout, profile: target.profile, protocol: target.protocol }
    }

    pub(super) fn name(&self, route: &Route) -> String {
        match route.is_proxy {
            true => "correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or name the host in NO_PROXY"
                .to_owned(),
            false => format!("correct the host in {}", self.address),
        }
    }

    pub(super) fn connection(&self, route: &Route) -> String {
        match route.is_proxy {
            true => format!(
                "nothing answers at the proxy's port {}; start it, or name the host in NO_PROXY",
                route.port
            ),
            false => format!(
                "nothing answers at port {}; start the receiver, open the firewall, or correct {}",
                route.port, self.address
            ),
        }
    }

    pub(super) fn https(&self) -> String {
        format!("write https:// in {}, if the server speaks it", self.address)
    }

    pub(super) fn authority(&self) -> String {
        format!("correct the file in {}", self.authority)
    }

    pub(super) fn tls(&self, error: &str) -> String {
        let has = |word: &str| error.contains(word);
        if has("UnknownIssuer") || has("CaUsedAsEndEntity") {
            format!(
                "the certificate is by an authority that this system does not know; set {}=/path/to/authority.pem",
                self.authority
            )
        } else if has("not valid for name") || has("NotValidForName") {
            format!(
                "the certificate is for another host; write the host that it names in {}",
                self.address
            )
        } else if has("xpired") || has("NotValidYet") || has("not valid yet") {
            "renew the server's certificate, or set the clock of this machine right".to_owned()
        } else if has("InvalidContentType") || has("corrupt message") {
            format!("the server does not speak TLS there; write http:// in {}", self.address)
        } else {
            "see to the server's certificate and its versions of TLS".to_owned()
        }
    }

    /// No answer came.
    pub(super) fn silence(&self, error: &str) -> String {
        if error.starts_with("no answer") {
            format!("something listens and does not answer; see to it, or raise {}", self.timeout)
        } else {
            format!(
                "the connection broke before an answer; is that an HTTP server? If it speaks TLS, write https:// in {}",
                self.address
            )
        }
    }

    /// The destination answered, and did not take the span.
    pub(super) fn refusal(&self, reply: &Reply, url: &Url) -> String {
        match (reply.status.as_u16(), self.profile) {
            (200..300 | 404 | 405 | 410, _) => self.address(url),
            (300..400, _) => {
                let place = reply.headers.get("location").and_then(|place| place.to_str().ok());
                format!(
                    "the server has moved; write {} in {}",
                    place.unwrap_or("its new address"),
                    self.address
                )
            }
            (400 | 415, Profile::OpenTelemetry) => {
                let other = match self.protocol {
                    Protocol::HttpProtobuf => "http/json",
                    Protocol::HttpJson => "http/protobuf",
                };
                format!(
                    "the server does not read it; try OTEL_EXPORTER_OTLP_PROTOCOL={other}, or \
                     OTEL_EXPORTER_OTLP_COMPRESSION=none"
                )
            }
            (429, _) => "the server has had enough for now; try again later".to_owned(),
            (500..600, _) => {
                "the server is in trouble; spans wait and are sent when it is back, see its log"
                    .to_owned()
            }
            _ => "see the server's log".to_owned(),
        }
    }

    /// Something answers that is not the destination.
    pub(super) fn address(&self, url: &Url) -> String {
        match self.profile {
            Profile::Langfuse => {
                "no Langfuse is there; write the address of its user interface in LANGFUSE_BASE_URL".to_owned()
            }
            Profile::OpenTelemetry if url.path().ends_with("/v1/traces") => format!(
                "no OTLP is taken there; correct the host and port in {}, the port is usually 4318",
                self.address
            ),
            Profile::OpenTelemetry => {
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used as it is; let it end in /v1/traces, or write it without \
                 a path in OTEL_EXPORTER_OTLP_ENDPOINT"
                    .to_owned()
            }
        }
    }
}

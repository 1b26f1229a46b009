//! OTLP over HTTP, as OpenTelemetry's specification has it.

use crate::destination::target::{HttpTarget, parse_url, sensitive};
use crate::error::{ConfigError, Kind};
use crate::loopback::is_loopback;
use glassbox_trace::otlp::Profile;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// An endpoint that takes OTLP over HTTP.
#[derive(Clone, Debug)]
pub struct OtlpConfig {
    /// The whole address, used as it is; it usually ends in `/v1/traces`.
    pub endpoint: String,
    /// Further headers, such as an API key.
    pub headers: Vec<(String, SecretString)>,
    /// The encoding of the body.
    pub protocol: Protocol,
    /// The compression of the body.
    pub compression: Compression,
}

impl OtlpConfig {
    /// Makes a configuration without further headers: protobuf, and gzip unless the endpoint is on this
    /// machine. Every receiver understands both.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            headers: Vec::new(),
            protocol: Protocol::default(),
            compression: Compression::default(),
        }
    }
}

/// The encoding of a request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `http/protobuf`
    #[default]
    HttpProtobuf,
    /// `http/json`
    HttpJson,
}

/// The compression of a request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// `gzip`, but none to an address of this machine: there, sending costs less than compressing.
    #[default]
    Auto,
    /// None.
    None,
    /// `gzip`
    Gzip,
}

pub(super) fn target(config: OtlpConfig) -> Result<HttpTarget, ConfigError> {
    let url = parse_url(&config.endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")?;
    let mut headers = HeaderMap::new();
    for (name, value) in config.headers {
        let error = |problem| Kind::Header {
            variable: "OTEL_EXPORTER_OTLP_HEADERS",
            header: name.clone(),
            problem,
        };
        let value = HeaderValue::try_from(value.expose_secret());
        let value =
            value.map_err(|_| error("has a value with letters that a header cannot have"))?;
        let name = HeaderName::try_from(&name).map_err(|_| error("is not a header's name"))?;
        headers.append(name, sensitive(value));
    }
    let check = "check OTEL_EXPORTER_OTLP_HEADERS";
    let gzip = match config.compression {
        Compression::Auto => !url.host_str().is_some_and(is_loopback),
        Compression::None => false,
        Compression::Gzip => true,
    };
    Ok(HttpTarget {
        url,
        headers,
        protocol: config.protocol,
        gzip,
        profile: Profile::OpenTelemetry,
        uploads_media: false,
        certificates: Vec::new(),
        live: None,
        whereabouts: None,
        check,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_on_this_machine_is_not_compressed() {
        let check = |endpoint: &str, expected| {
            assert_eq!(target(OtlpConfig::new(endpoint)).unwrap().gzip, expected, "{endpoint}");
        };
        check("http://localhost:4318/v1/traces", false);
        check("http://[::1]:4318/v1/traces", false);
        check("https://otlp.example.com/v1/traces", true);
        let forced = OtlpConfig {
            compression: Compression::Gzip,
            ..OtlpConfig::new("http://localhost:4318/v1/traces")
        };
        assert!(target(forced).unwrap().gzip);
    }

    #[test]
    fn headers_are_checked_and_not_shown() {
        let with_header = |name: &str, value: &str| {
            let headers = vec![(name.to_owned(), value.to_owned().into())];
            target(OtlpConfig { headers, ..OtlpConfig::new("http://localhost:4318/v1/traces") })
        };
        let shown = format!("{:?}", with_header("x-api-key", "verysecret").unwrap());
        assert!(shown.contains("x-api-key") && !shown.contains("verysecret"), "{shown}");

        let error = with_header("x-api-key", "very\nsecret").unwrap_err().to_string();
        assert!(error.contains("x-api-key") && !error.contains("secret"), "{error}");
        let error = with_header("x api key", "v").unwrap_err().to_string();
        assert!(error.contains(r#"header "x api key" is not a header's name"#), "{error}");
    }
}

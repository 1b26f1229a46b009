//! Langfuse: OTLP with its own path, headers and attributes.

use crate::destination::otlp::Protocol;
use crate::destination::target::{HttpTarget, parse_url, sensitive};
use crate::error::{ConfigError, Kind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glassbox_trace::otlp::Profile;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

const PATH: &str = "/api/public/otel/v1/traces";

/// Asks for the direct write path, on which traces appear at once; Langfuse otherwise goes by the SDK's name.
const INGESTION_VERSION: HeaderName = HeaderName::from_static("x-langfuse-ingestion-version");
const SDK_NAME: HeaderName = HeaderName::from_static("x-langfuse-sdk-name");
const SDK_VERSION: HeaderName = HeaderName::from_static("x-langfuse-sdk-version");

/// A Langfuse project.
#[derive(Clone, Debug)]
pub struct LangfuseConfig {
    /// The public key, which begins with `pk-lf-`.
    pub public_key: String,
    /// The secret key, which begins with `sk-lf-`.
    pub secret_key: SecretString,
    /// The address of the user interface, such as `https://us.cloud.langfuse.com`, with or without a path.
    pub base_url: String,
    /// Whether pictures and sound, which are base64 in inputs and outputs, are uploaded as media. Otherwise their type,
    /// size and hash are all that is left of them.
    pub upload_media: bool,
}

impl LangfuseConfig {
    /// Langfuse's cloud in the EU.
    pub const DEFAULT_BASE_URL: &str = "https://cloud.langfuse.com";

    /// Makes a configuration for Langfuse's cloud in the EU; change `base_url` for any other place.
    #[must_use]
    pub fn new(public_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            public_key: public_key.into(),
            secret_key: secret_key.into().into(),
            base_url: Self::DEFAULT_BASE_URL.to_owned(),
            upload_media: false,
        }
    }

    /// Sets whether pictures and sound are uploaded as media.
    #[must_use]
    pub const fn upload_media(mut self, upload: bool) -> Self {
        self.upload_media = upload;
        self
    }
}

/// Returns the base URL without a slash at its end, and the target.
pub(super) fn target(config: LangfuseConfig) -> Result<(String, HttpTarget), ConfigError> {
    let LangfuseConfig { public_key, secret_key, base_url: written, upload_media } = config;
    let (public, secret) = (public_key.trim(), secret_key.expose_secret().trim());
    check_pair(public, secret)?;
    let base_url = base_url(&written)?;
    let url = parse_base(&format!("{base_url}{PATH}"))?;

    let credentials = format!("Basic {}", STANDARD.encode(format!("{public}:{secret}")));
    // Base64 is always a valid header value.
    let authorization = HeaderValue::try_from(credentials).unwrap_or(HeaderValue::from_static(""));
    let headers = HeaderMap::from_iter([
        (AUTHORIZATION, sensitive(authorization)),
        (INGESTION_VERSION, HeaderValue::from_static("4")),
        (SDK_NAME, HeaderValue::from_static("glassbox")),
        (SDK_VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION"))),
    ]);
    let check = "check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and that LANGFUSE_BASE_URL is the region or host \
                 that the keys were made in";
    let target = HttpTarget {
        url,
        headers,
        protocol: Protocol::HttpProtobuf,
        gzip: true,
        profile: Profile::Langfuse,
        uploads_media: upload_media,
        certificates: Vec::new(),
        live: None,
        whereabouts: None,
        check,
    };
    Ok((base_url, target))
}

fn check_pair(public: &str, secret: &str) -> Result<(), ConfigError> {
    const PUBLIC: &str = "LANGFUSE_PUBLIC_KEY";
    const SECRET: &str = "LANGFUSE_SECRET_KEY";
    let kind = match (public, secret) {
        ("", _) => Kind::HalfPair { set: SECRET, missing: PUBLIC },
        (_, "") => Kind::HalfPair { set: PUBLIC, missing: SECRET },
        (public, _) if public.starts_with("sk-lf-") => {
            Kind::WrongKey { variable: PUBLIC, found: "secret" }
        }
        (_, secret) if secret.starts_with("pk-lf-") => {
            Kind::WrongKey { variable: SECRET, found: "public" }
        }
        _ => return Ok(()),
    };
    Err(kind.into())
}

/// Takes the base out of whatever address of Langfuse was written: many guides show the API's.
fn base_url(text: &str) -> Result<String, ConfigError> {
    let mut url = parse_base(text)?;
    url.set_query(None);
    url.set_fragment(None);
    let mut base = url.as_str().trim_end_matches('/');
    for end in ["/v1/traces", "/otel", "/api/public"] {
        base = base.strip_suffix(end).unwrap_or(base).trim_end_matches('/');
    }
    Ok(base.to_owned())
}

fn parse_base(text: &str) -> Result<url::Url, ConfigError> {
    parse_url(text, "LANGFUSE_BASE_URL", LangfuseConfig::DEFAULT_BASE_URL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str) -> Result<String, String> {
        let config = LangfuseConfig {
            base_url: base.to_owned(),
            ..LangfuseConfig::new("pk-lf-1", "sk-lf-2")
        };
        target(config).map(|(_, target)| target.url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_address_is_found_however_the_base_is_written() {
        let expected = Ok("https://cloud.langfuse.com/api/public/otel/v1/traces".to_owned());
        for path in [
            "",
            "/",
            "//",
            "/api/public",
            "/api/public/otel",
            "/api/public/otel/",
            "/api/public/otel/v1/traces",
        ] {
            assert_eq!(url(&format!("https://cloud.langfuse.com{path}")), expected, "{path}");
        }
        assert_eq!(
            url("http://localhost:3000/lf/"),
            Ok("http://localhost:3000/lf/api/public/otel/v1/traces".into())
        );
    }

    #[test]
    fn what_is_no_address_is_told() {
        let check = |base, problem: &str| {
            let expected =
                format!("LANGFUSE_BASE_URL is {problem}; write it as https://cloud.langfuse.com");
            assert_eq!(url(base), Err(expected));
        };
        check("cloud.langfuse.com", "not a URL");
        check("localhost:3000", "not an http or https URL");
        check("sk-lf-1234", "not a URL");
        check(
            "https://pk:sk@localhost",
            "a URL with a user name or password, which belong into a header",
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let (_, target) = target(LangfuseConfig::new("pk-lf-1", "sk-lf-verysecret")).unwrap();
        let shown = format!("{target:?} {:?}", LangfuseConfig::new("pk-lf-1", "sk-lf-verysecret"));
        assert!(!shown.contains("verysecret") && !shown.contains("Basic"), "{shown}");
    }
}

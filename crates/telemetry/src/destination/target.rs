//! What both HTTP destinations come down to: an address, headers, and how the body is made.

use crate::destination::otlp::Protocol;
use crate::destination::server::LiveTarget;
use crate::destination::whereabouts::Whereabouts;
use crate::error::{ConfigError, Kind};
use crate::parcel::Format;
use crate::spool::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_trace::otlp::Profile;
use reqwest::Certificate;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use url::Url;

/// An address that takes OTLP, and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) struct HttpTarget {
    pub(crate) url: Url,
    /// Those that do not depend on the body. Values that may be secret are marked sensitive, which hides them from `Debug`.
    pub(crate) headers: HeaderMap,
    pub(crate) protocol: Protocol,
    pub(crate) gzip: bool,
    pub(crate) profile: Profile,
    /// Pictures and sound are uploaded, as Langfuse takes them.
    pub(crate) uploads_media: bool,
    /// Authorities that are trusted besides the system's.
    pub(crate) certificates: Vec<Certificate>,
    /// Where spans are announced when they begin, if anywhere.
    pub(crate) live: Option<LiveTarget>,
    /// Where it is now, if it may be anywhere.
    pub(crate) whereabouts: Option<Arc<Whereabouts>>,
    /// What to check when the destination does not accept the credentials.
    pub(crate) check: &'static str,
}

impl HttpTarget {
    /// Returns how requests are made.
    pub(crate) fn format(&self) -> Format {
        Format { gzip: self.gzip, json: self.protocol == Protocol::HttpJson }
    }

    /// Tells whether it is a glassbox server, and not only perhaps.
    pub(crate) const fn is_server(&self) -> bool {
        matches!(self.live, Some(LiveTarget::Named(_) | LiveTarget::Found(_)))
    }

    /// Returns the address and the headers as they are now; `None` if the server that may be anywhere is not there.
    pub(crate) fn now(&self) -> Option<(Url, HeaderMap)> {
        match &self.whereabouts {
            Some(whereabouts) => whereabouts.now().map(|here| (here.spans, here.headers)),
            None => Some((self.url.clone(), self.headers.clone())),
        }
    }

    /// Tells who the destination is, so that spans on disk go to no other one: by its address, and by the public part of
    /// its credentials. A key can be corrected without another identity, so keys count by their name alone, and a user
    /// with a password by the user.
    ///
    /// A server that is found by its file is the user's own, wherever it listens this time.
    pub(crate) fn identity(&self) -> Identity {
        if self.whereabouts.is_some() {
            return Identity(*b"glassbox");
        }
        let given = self.headers.iter().filter(|(_, value)| value.is_sensitive());
        let mut lines: Vec<_> = given.map(|(name, value)| public_part(name, value)).collect();
        lines.sort();
        let digest = Sha256::digest(format!("{}\n{}", self.url, lines.join("\n")));
        let mut identity = [0; 8];
        identity.copy_from_slice(&digest[..8]);
        Identity(identity)
    }
}

fn public_part(name: &HeaderName, value: &HeaderValue) -> String {
    const SECRET: [&str; 6] = ["auth", "key", "token", "secret", "password", "cookie"];
    let value = value.to_str().unwrap_or_default();
    let user = || {
        let credentials = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
        Some(String::from_utf8(credentials).ok()?.split_once(':')?.0.to_owned())
    };
    let public = match name.as_str() {
        "authorization" => user().unwrap_or_default(),
        name if SECRET.iter().any(|word| name.contains(word)) => String::new(),
        _ => value.to_owned(),
    };
    format!("{name}: {public}")
}

/// Reads an address. The variable and the example are what an error tells.
pub(crate) fn parse_url(
    text: &str,
    variable: &'static str,
    expected: &'static str,
) -> Result<Url, ConfigError> {
    let error = |problem| ConfigError::from(Kind::Url { variable, problem, expected });
    let url = Url::parse(text.trim()).map_err(|_| error("not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(error("not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(error("a URL with a user name or password, which belong into a header"));
    }
    Ok(url)
}

/// Marks a header's value as secret.
pub(crate) fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use crate::destination::{Destination, LangfuseConfig, OtlpConfig, Target};

    fn identity(destination: Destination) -> [u8; 8] {
        match destination.into_parts().1 {
            Target::Http(target) => target.identity().0,
            _ => unreachable!("only addresses have one"),
        }
    }

    fn langfuse(public: &str, secret: &str) -> [u8; 8] {
        identity(Destination::langfuse(LangfuseConfig::new(public, secret)).unwrap())
    }

    fn otlp(url: &str, header: &str, value: &str) -> [u8; 8] {
        let headers = vec![(header.to_owned(), value.to_owned().into())];
        identity(Destination::otlp(OtlpConfig { headers, ..OtlpConfig::new(url) }).unwrap())
    }

    #[test]
    fn a_destination_keeps_its_identity_when_its_secret_changes() {
        assert_eq!(langfuse("pk-lf-1", "sk-lf-1"), langfuse("pk-lf-1", "sk-lf-2"));
        assert_ne!(langfuse("pk-lf-1", "sk-lf-1"), langfuse("pk-lf-2", "sk-lf-1"));

        const URL: &str = "http://localhost:4318/v1/traces";
        assert_eq!(otlp(URL, "x-api-key", "a"), otlp(URL, "x-api-key", "b"));
        assert_eq!(otlp(URL, "authorization", "Bearer a"), otlp(URL, "authorization", "Bearer b"));
        assert_ne!(otlp(URL, "x-scope-orgid", "a"), otlp(URL, "x-scope-orgid", "b"));
        assert_ne!(otlp(URL, "x-api-key", "a"), otlp("http://localhost:4319/", "x-api-key", "a"));
    }
}

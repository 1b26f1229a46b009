//! What both HTTP destinations come down to: an address, headers, and how the body is made.

use crate::destination::otlp::Protocol;
use crate::error::{ConfigError, Kind};
use glassbox_trace::otlp::Profile;
use reqwest::header::{HeaderMap, HeaderValue};
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
    /// What to check when the destination does not accept the credentials.
    pub(crate) check: &'static str,
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

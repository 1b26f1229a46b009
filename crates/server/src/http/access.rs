//! Who may ask for what.
//!
//! Whoever looks needs the token: once in the address, then as a cookie, as `Authorization: Bearer`, or as the secret key of
//! Langfuse's clients. Whoever sends needs a key pair where there are any; on a loopback address without keys any local
//! program may send. Web pages of others may do neither: a request has to name this server as its host, and must not come
//! from another origin.

use super::App;
use super::error::ApiError;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What the names of cookies begin with; the port follows, for a browser sends cookies to all ports of a host.
const COOKIE: &str = "glassbox_token";

/// What the page may load: what is its own, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A pair of keys as Langfuse's clients have it.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The public key.
    pub public: String,
    /// The secret key.
    pub secret: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Who may come in. Secrets are kept as hashes, and so compared in the same time whatever is sent.
#[derive(Clone)]
pub struct Access {
    token: [u8; 32],
    keys: Vec<[u8; 32]>,
    hosts: Vec<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl Access {
    /// Lets in whoever has the token or one of the keys, and asks for one of these hosts or for an address.
    #[must_use]
    pub fn new(token: &str, keys: &[Keys], hosts: &[String]) -> Self {
        let pair = |keys: &Keys| hash(&format!("{}:{}", keys.public, keys.secret));
        Self {
            token: hash(token),
            keys: keys.iter().map(pair).collect(),
            hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        }
    }

    fn is_token(&self, token: &str) -> bool {
        hash(token) == self.token
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let bearer = authorization(headers, "bearer").is_some_and(|token| self.is_token(token));
        // Langfuse's clients can only send a pair of keys: the token is taken as the secret one.
        let secret = || {
            basic(headers).is_some_and(|pair| {
                pair.split_once(':').is_some_and(|(_, secret)| self.is_token(secret))
            })
        };
        bearer || secret() || cookies(headers).any(|token| self.is_token(token))
    }

    fn has_keys(&self, headers: &HeaderMap) -> bool {
        basic(headers).is_some_and(|pair| self.keys.contains(&hash(&pair)))
    }

    /// Tells whether this may send.
    pub(super) fn is_sender(&self, headers: &HeaderMap) -> bool {
        self.keys.is_empty() || self.has_keys(headers) || self.has_token(headers)
    }

    /// Tells whether a host is this server. A name that resolves to an address of ours but is not ours is how pages of
    /// others get past the origin; an address cannot be taken over like that.
    fn is_host(&self, host: &str) -> bool {
        let name = host_name(host);
        name == "localhost" || name.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A host without its port, and an IPv6 address without its brackets.
fn host_name(host: &str) -> String {
    let host = host.trim().to_ascii_lowercase();
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default().to_owned();
    }
    host.rsplit_once(':').map_or(host.clone(), |(name, _)| name.to_owned())
}

fn authorization<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let (name, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// A pair of keys with a colon between them.
fn basic(headers: &HeaderMap) -> Option<String> {
    let pair = BASE64_STANDARD.decode(authorization(headers, "basic")?).ok()?;
    String::from_utf8(pair).ok()
}

/// The tokens of all servers on this host.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let cookies =
        headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.starts_with(COOKIE).then_some(value)
    })
}

/// Lets nobody in who asks for another host or comes from another origin, and turns a token in the address into a cookie.
pub(super) async fn front(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match checked(&app.access, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(redirect)) => redirect,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn checked(access: &Access, request: &Request) -> Result<Option<Response>, ApiError> {
    let forbidden = |message: &str| Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::HOST).or_else(|| request.uri().authority().map(|host| host.as_str()));
    let Some(host) = host.filter(|host| access.is_host(host)) else {
        return forbidden(
            "this host is not known here; ask for the address, or name the host with --host",
        );
    };
    if let Some(origin) = text(header::ORIGIN)
        && origin.split_once("://").is_none_or(|(_, from)| !from.eq_ignore_ascii_case(host))
    {
        return forbidden("pages of other origins may not ask here");
    }
    let token = request
        .uri()
        .query()
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("token=")));
    let Some(token) = token.filter(|_| request.method() == Method::GET && !is_api(request)) else {
        return Ok(None);
    };
    if !access.is_token(token) {
        return forbidden(
            "the token is not the one of this server; take the address that it printed",
        );
    }
    // It is the token of this server: random hex, or what a file has, in which nothing needs an escape.
    let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).unwrap_or(0);
    let set =
        format!("{COOKIE}_{port}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000");
    let to = [(header::LOCATION, request.uri().path().to_owned()), (header::SET_COOKIE, set)];
    Ok(Some((StatusCode::SEE_OTHER, to).into_response()))
}

fn is_api(request: &Request) -> bool {
    request.uri().path().starts_with("/api/")
}

/// Lets in who may send.
pub(super) async fn sender(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.access.is_sender(request.headers()) {
        return next.run(request).await;
    }
    app.counters.reject("not authorized", 1);
    let message = "send with the keys of this server: Authorization: Basic base64(public:secret)";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).at_path(request.uri().path())
}

/// Lets in who may look.
pub(super) async fn viewer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.access.has_token(request.headers()) || app.access.has_keys(request.headers()) {
        return next.run(request).await;
    }
    let message = "open the address with the token that the server printed, or send Authorization: Bearer TOKEN";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).at_path(request.uri().path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_that_were_told_and_addresses() {
        let access = Access::new("t", &[], &["box.example".to_owned()]);
        for host in ["localhost:4318", "127.0.0.1", "[::1]:4318", "192.168.1.7:80", "BOX.example:1"]
        {
            assert!(access.is_host(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:4318", "", "127.0.0.1.nip.io"] {
            assert!(!access.is_host(host), "{host}");
        }
    }
}

//! One request over HTTP, and what its answer means.

use crate::destination::HttpTarget;
use crate::loopback::is_loopback;
use crate::parcel::{Format, Parcel};
use bytes::Bytes;
use glassbox_trace::otlp::Profile;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use url::Url;

/// What became of a request. The texts are for people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The spans were taken, but for some that the destination rejects.
    Accepted { rejected: u64, why: String },
    /// It may work later, after a pause that the destination asked for.
    Later { error: String, after: Option<Duration> },
    /// It may work with fewer spans.
    TooLarge(String),
    /// A span is malformed: it may work without it.
    Malformed(String),
    /// The credentials are not accepted.
    Unauthorized(String),
    /// It will not work.
    Refused(String),
}

/// A client for one address. Copies share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Arc<LazyClient>,
    target: HttpTarget,
}

/// A client that is made when it is needed: reading the certificates that the system trusts takes time and memory.
#[derive(Debug)]
struct LazyClient {
    client: OnceLock<Client>,
    timeout: Duration,
    has_proxy: bool,
    certificates: Vec<Certificate>,
}

impl LazyClient {
    fn get(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let mut client = Client::builder()
            .timeout(self.timeout)
            .user_agent(concat!("glassbox/", env!("CARGO_PKG_VERSION")))
            // A redirect turns most POSTs into GETs; it is a mistake in the address, and is told as such.
            .redirect(Policy::none())
            .tls_certs_merge(self.certificates.clone());
        if !self.has_proxy {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| in_words(&error))?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// As much of an answer is read: enough for a message, whatever a server sends.
const MAX_ANSWER: usize = 64 << 10;
/// As much of it is told.
const MAX_EXCERPT: usize = 300;

impl Http {
    /// Makes a client, which it is an error to be unable to.
    pub(crate) fn new(target: HttpTarget, timeout: Duration) -> Result<Self, String> {
        let http = Self::lazy(target, timeout);
        http.client.get()?;
        Ok(http)
    }

    /// Makes a client when the first request is made. What prevents it is told as the failure of the request.
    pub(crate) fn lazy(target: HttpTarget, timeout: Duration) -> Self {
        let is_near =
            target.whereabouts.is_some() || target.url.host_str().is_some_and(is_loopback);
        let certificates = target.certificates.clone();
        let client =
            LazyClient { client: OnceLock::new(), timeout, has_proxy: !is_near, certificates };
        Self { client: Arc::new(client), target }
    }

    pub(crate) const fn target(&self) -> &HttpTarget {
        &self.target
    }

    /// Returns a request that is sent as those with spans are.
    pub(crate) fn get(&self, url: Url) -> Result<RequestBuilder, String> {
        Ok(self.client.get()?.get(url).headers(self.target.headers.clone()))
    }

    /// Returns a request to another address than that of the spans. The headers for the destination are not in it.
    pub(crate) fn elsewhere(&self, method: Method, url: Url) -> Result<RequestBuilder, String> {
        Ok(self.client.get()?.request(method, url))
    }

    /// Sends a request and returns the body of the answer; or its status, zero if there was none, and what it means.
    pub(crate) async fn call(
        &self,
        request: Result<RequestBuilder, String>,
    ) -> Result<Vec<u8>, (u16, Answer)> {
        let later = |error| (0, Answer::Later { error, after: None });
        let response = request
            .map_err(later)?
            .send()
            .await
            .map_err(|error| later(in_words(&error.without_url())))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response).await.map_err(later)?;
        if status.is_success() {
            return Ok(body);
        }
        Err((status.as_u16(), classify(status, &headers, &body)))
    }

    /// Posts a parcel, in the format that it has: it may be from a process with other settings.
    pub(crate) async fn post(&self, parcel: &Parcel) -> Answer {
        let request = match self.request_in(parcel.format, parcel.bytes.clone()) {
            Ok(request) => request,
            Err(error) => return Answer::Later { error, after: None },
        };
        match request.send().await {
            Ok(response) => self.understand(response).await,
            Err(error) => Answer::Later { error: in_words(&error.without_url()), after: None },
        }
    }

    /// Returns a request with encoded spans.
    pub(crate) fn request(&self, body: Bytes) -> Result<RequestBuilder, String> {
        self.request_in(self.target.format(), body)
    }

    fn request_in(&self, format: Format, body: Bytes) -> Result<RequestBuilder, String> {
        let content_type = if format.json { "application/json" } else { "application/x-protobuf" };
        let (url, headers) = self.target.now().ok_or("no glassbox server runs")?;
        let client = self.client.get()?;
        let mut request =
            client.post(url).headers(headers).header(CONTENT_TYPE, content_type).body(body);
        if format.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        Ok(request)
    }

    async fn understand(&self, response: Response) -> Answer {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match read(response).await {
            Ok(body) => body,
            // What was accepted is accepted, even if the answer breaks off.
            Err(_) if status.is_success() => Vec::new(),
            Err(error) => error.into_bytes(),
        };
        if status.is_success() {
            // A portal or a user interface answers everything with its page: nothing was taken.
            if is_page(&headers, &body) {
                return Answer::Refused("answered with a web page; check the address".to_owned());
            }
            return match self.target.profile {
                // Langfuse answers with its own job and never in part.
                Profile::Langfuse => Answer::Accepted { rejected: 0, why: String::new() },
                Profile::OpenTelemetry => partial_success(&headers, &body),
            };
        }
        classify(status, &headers, &body)
    }
}

fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    let said = excerpt(body);
    let error = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
    match status.as_u16() {
        408 | 429 | 500 | 502 | 503 | 504 => {
            Answer::Later { error, after: retry_after(headers, SystemTime::now()) }
        }
        413 => Answer::TooLarge(error),
        400 => Answer::Malformed(error),
        401 | 403 => Answer::Unauthorized(error),
        300..400 => {
            let place = headers
                .get(LOCATION)
                .and_then(|place| place.to_str().ok())
                .unwrap_or("another address");
            Answer::Refused(format!("{status} to {}; write that address instead", cut(place)))
        }
        _ => Answer::Refused(error),
    }
}

/// Reads seconds or an HTTP date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

pub(crate) fn partial_success(headers: &HeaderMap, body: &[u8]) -> Answer {
    let is_json = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let told = if is_json { partial_success_json(body) } else { partial_success_protobuf(body) };
    // A receiver that answers in its own words has accepted all.
    let (rejected, why) = told.unwrap_or_default();
    Answer::Accepted { rejected, why: cut(&why).to_owned() }
}

fn partial_success_protobuf(body: &[u8]) -> Option<(u64, String)> {
    let told = ExportTraceServiceResponse::decode(body).ok()?.partial_success?;
    Some((u64::try_from(told.rejected_spans).unwrap_or(0), told.error_message))
}

fn partial_success_json(body: &[u8]) -> Option<(u64, String)> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let told = body.get("partialSuccess")?;
    // JSON has 64-bit integers as strings; some receivers write numbers.
    let rejected = told.get("rejectedSpans").map_or(Some(0), |count| match count.as_str() {
        Some(text) => text.parse().ok(),
        None => count.as_u64(),
    });
    let why = told.get("errorMessage").and_then(|why| why.as_str()).unwrap_or_default();
    Some((rejected.unwrap_or(0), why.to_owned()))
}

pub(crate) async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| in_words(&error.without_url()))?
    {
        body.extend_from_slice(&chunk);
        if body.len() >= MAX_ANSWER {
            break;
        }
    }
    Ok(body)
}

/// Tells whether an answer is a web page.
pub(crate) fn is_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let is_html = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html"));
    is_html && body.trim_ascii_start().starts_with(b"<")
}

pub(crate) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_EXCERPT)]);
    let words: Vec<_> = text.split_whitespace().collect();
    cut(&words.join(" ")).to_owned()
}

pub(crate) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_EXCERPT)]
}

/// Joins an error and its causes, since the cause is what people need: `connection refused`.
pub(crate) fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.ends_with(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn answer(status: u16) -> Answer {
        classify(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"")
    }

    #[test]
    fn statuses_are_classed() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(matches!(answer(status), Answer::Later { after: None, .. }), "{status}");
        }
        for status in [404, 405, 410, 415, 422, 501] {
            assert!(matches!(answer(status), Answer::Refused(_)), "{status}");
        }
        assert!(matches!(answer(400), Answer::Malformed(_)));
        assert!(matches!(answer(413), Answer::TooLarge(_)));
        assert!(matches!(answer(401), Answer::Unauthorized(_)));
        assert!(matches!(answer(403), Answer::Unauthorized(_)));
    }

    #[test]
    fn a_redirect_tells_where_to() {
        let headers =
            HeaderMap::from_iter([(LOCATION, HeaderValue::from_static("https://a.example/"))]);
        let answer = classify(StatusCode::MOVED_PERMANENTLY, &headers, b"");
        let expected = "301 Moved Permanently to https://a.example/; write that address instead";
        assert_eq!(answer, Answer::Refused(expected.to_owned()));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let check = |text: &'static str, seconds: Option<u64>| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        };
        check("7", Some(7));
        check("Sun, 06 Nov 1994 08:50:07 GMT", Some(30));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        check("soon", None);
        check("-1", None);
    }

    #[test]
    fn partial_success_is_read_from_json() {
        let check = |body: &str, rejected| {
            let read = partial_success_json(body.as_bytes()).map(|(rejected, _)| rejected);
            assert_eq!(read, rejected, "{body}");
        };
        check(r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#, Some(3));
        check(r#"{"partialSuccess":{"rejectedSpans":3}}"#, Some(3));
        check(r#"{"partialSuccess":{}}"#, Some(0));
        check("{}", None);
        check("<html>", None);
    }

    #[test]
    fn a_web_page_is_told_from_an_answer() {
        let check = |kind: &'static str, body: &[u8], expected| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(is_page(&headers, body), expected, "{kind}");
        };
        check("text/html; charset=utf-8", b"\n<!doctype html>", true);
        check("Text/HTML", b"<html>", true);
        // Frameworks that call an empty answer a page.
        check("text/html", b"", false);
        check("text/html", b"OK", false);
        check("application/json", b"<", false);
    }

    #[test]
    fn answers_are_told_in_one_short_line() {
        assert_eq!(excerpt(b" a\n\n  b\xff "), "a b\u{fffd}");
        assert_eq!(excerpt("é".repeat(1000).as_bytes()).len(), MAX_EXCERPT);
    }
}

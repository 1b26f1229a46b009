//! One request over HTTP, and what its answer means.

use crate::body::Body;
use crate::destination::{HttpTarget, Protocol};
use crate::loopback::is_loopback;
use glassbox_trace::otlp::Profile;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use std::error::Error;
use std::time::{Duration, SystemTime};

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

/// A client for one address.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    target: HttpTarget,
}

/// As much of an answer is read: enough for a message, whatever a server sends.
const MAX_ANSWER: usize = 64 << 10;
/// As much of it is told.
const MAX_EXCERPT: usize = 300;

impl Http {
    pub(crate) fn new(target: HttpTarget, timeout: Duration) -> Result<Self, String> {
        let mut client = Client::builder()
            .timeout(timeout)
            .user_agent(concat!("glassbox/", env!("CARGO_PKG_VERSION")))
            // A redirect turns most POSTs into GETs; it is a mistake in the address, and is told as such.
            .redirect(Policy::none());
        if target.url.host_str().is_some_and(is_loopback) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| in_words(&error))?;
        Ok(Self { client, target })
    }

    pub(crate) const fn target(&self) -> &HttpTarget {
        &self.target
    }

    /// Posts a body.
    pub(crate) async fn post(&self, body: &Body) -> Answer {
        let content_type = match self.target.protocol {
            Protocol::HttpProtobuf => "application/x-protobuf",
            Protocol::HttpJson => "application/json",
        };
        let mut request = self
            .client
            .post(self.target.url.clone())
            .headers(self.target.headers.clone())
            .header(CONTENT_TYPE, content_type)
            .body(body.bytes.clone());
        if self.target.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        match request.send().await {
            Ok(response) => self.understand(response).await,
            Err(error) => Answer::Later { error: in_words(&error.without_url()), after: None },
        }
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

fn partial_success(headers: &HeaderMap, body: &[u8]) -> Answer {
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

async fn read(mut response: Response) -> Result<Vec<u8>, String> {
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

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_EXCERPT)]);
    let words: Vec<_> = text.split_whitespace().collect();
    cut(&words.join(" ")).to_owned()
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_EXCERPT)]
}

/// Joins an error and its causes, since the cause is what people need: `connection refused`.
fn in_words(error: &dyn Error) -> String {
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
    fn answers_are_told_in_one_short_line() {
        assert_eq!(excerpt(b" a\n\n  b\xff "), "a b\u{fffd}");
        assert_eq!(excerpt("é".repeat(1000).as_bytes()).len(), MAX_EXCERPT);
    }
}

//! Sorts what can go wrong on the way to a provider: what it is, whether to try again, what to type.

use crate::error::ErrorKind;
use crate::lm::failure::Failure;
use crate::lm::wire::{AnswerFacts, Wire};
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use url::Url;

/// Turns an error of the transport into a failure of ours.
pub(crate) fn classify(error: &genai::Error, wire: Wire, base_url: &Url) -> Failure {
    use genai::{Error, webc};
    match error {
        Error::HttpError { status, body, headers, .. } => {
            of_status(status.as_u16(), body, headers, base_url)
        }
        Error::WebModelCall { webc_error, .. } | Error::WebAdapterCall { webc_error, .. } => {
            match webc_error {
                webc::Error::ResponseFailedStatus { status, body, headers } => {
                    of_status(status.as_u16(), body, headers, base_url)
                }
                webc::Error::ResponseFailedNotJson { content_type, body } => {
                    not_json(content_type, body, base_url)
                }
                webc::Error::ResponseFailedInvalidJson { body, cause } => partial(
                    Failure::new(
                        ErrorKind::Malformed,
                        format!("the provider's answer is no valid JSON: {cause}"),
                    ),
                    body,
                ),
                webc::Error::Reqwest(error) => of_connection(error, base_url),
                other => Failure::new(ErrorKind::Malformed, excerpt(&other.to_string())),
            }
        }
        // A stream's own errors come in a box, among them the refusal to begin one.
        Error::WebStream { error, cause, .. } => {
            match (error.downcast_ref::<Error>(), error.downcast_ref::<reqwest::Error>()) {
                (Some(error), _) => classify(error, wire, base_url),
                (None, Some(error)) => of_connection(error, base_url),
                (None, None) => Failure::new(
                    ErrorKind::Network,
                    format!("the stream broke off: {}", excerpt(cause)),
                ),
            }
        }
        Error::ChatResponse { body, .. } => of_error_event(body),
        Error::StreamParse { serde_error, .. } => Failure::new(
            ErrorKind::Malformed,
            format!("a chunk of the stream is no valid JSON: {serde_error}"),
        ),
        Error::ChatResponseGeneration { response_body, cause, .. } => {
            unreadable(response_body, cause, wire)
        }
        other => Failure::new(ErrorKind::BadRequest, excerpt(&other.to_string())).final_(),
    }
}

/// Sorts an answer with an HTTP status of an error.
fn of_status(status: u16, body: &str, headers: &HeaderMap, base_url: &Url) -> Failure {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let said = provider_message(&json).unwrap_or_else(|| excerpt(body));
    let code =
        ["code", "type", "status"].map(|key| json["error"][key].as_str().unwrap_or_default());
    let has_code = |wanted: &str| code.contains(&wanted);
    let lower = said.to_ascii_lowercase();

    // Gemini says so with 400.
    let refuses_key =
        matches!(status, 401 | 403) || status == 400 && lower.contains("api key not valid");
    let mut failure = match status {
        _ if refuses_key => Failure::new(
            ErrorKind::Auth,
            format!("the provider refused the key ({status}): {said}; check the key that you use"),
        ),
        402 => Failure::new(
            ErrorKind::RateLimited,
            format!("no credit left ({status}): {said}; add credit at the provider"),
        )
        .final_(),
        404 => Failure::new(
            ErrorKind::NotFound,
            format!(
                "the provider does not know the model or the address {base_url} (404): {said}; check the model's name and the base URL"
            ),
        ),
        408 => {
            Failure::new(ErrorKind::Timeout, format!("the provider gave up waiting (408): {said}"))
        }
        429 if has_code("insufficient_quota") => Failure::new(
            ErrorKind::RateLimited,
            format!("the quota is used up (429): {said}; add credit at the provider"),
        )
        .final_(),
        429 => Failure::new(
            ErrorKind::RateLimited,
            format!("too many requests (429): {said}; lower the concurrency or wait"),
        ),
        400 | 413
            if has_code("context_length_exceeded")
                || lower.contains("context length")
                || lower.contains("prompt is too long") =>
        {
            Failure::new(
                ErrorKind::ContextLength,
                format!(
                    "the prompt is too long for the model ({status}): {said}; shorten the input"
                ),
            )
        }
        // 498 is Groq's "capacity exceeded", 529 is Anthropic's "overloaded".
        498 | 500.. => {
            Failure::new(ErrorKind::Server, format!("the provider failed ({status}): {said}"))
        }
        _ => Failure::new(
            ErrorKind::BadRequest,
            format!("the provider refused the request ({status}): {said}"),
        ),
    };
    failure.status = Some(status);
    failure.overloaded |= failure.retryable
        && (matches!(status, 498 | 503 | 529) || code.iter().any(|code| is_overload(code)));
    failure.rejects_schema = matches!(status, 400 | 422)
        && [
            "response_format",
            "json_schema",
            "output_config",
            "output_format",
            "responsejsonschema",
            "structured output",
        ]
        .iter()
        .any(|word| lower.contains(word));
    failure.rejects_tools = matches!(status, 400 | 404 | 422 | 501)
        && NO_TOOLS.iter().any(|words| lower.contains(words));
    failure.retry_after = retry_after(headers, SystemTime::now()).or_else(|| retry_info(&json));
    failure.request_id = ["x-request-id", "request-id", "x-goog-request-id"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .map(Arc::from);
    failure
}

/// How providers say that a model cannot call tools: Ollama, OpenRouter, vLLM, and others in their words.
const NO_TOOLS: [&str; 9] = [
    "does not support tools",
    "support tool use",
    "tool choice requires",
    "tool-call-parser",
    "tools is not supported",
    "tools are not supported",
    "tool use is not supported",
    "function calling is not",
    "does not support function calling",
];

/// An error that a provider sends within a stream that had begun well.
fn of_error_event(body: &Value) -> Failure {
    let kind = body["error"]["type"].as_str().or_else(|| body["type"].as_str()).unwrap_or_default();
    let said = provider_message(body).unwrap_or_else(|| excerpt(&body.to_string()));
    let overloaded = is_overload(kind);
    let kind = if kind.contains("rate_limit") { ErrorKind::RateLimited } else { ErrorKind::Server };
    let failure = Failure::new(kind, format!("the provider broke off the stream: {said}"));
    Failure { overloaded: failure.overloaded || overloaded, ..failure }
}

/// Tells whether a provider's word for an error says that it has too much to do: Anthropic's `overloaded_error`, OpenAI's
/// `server_overloaded` and `slow_down`, Gemini's `UNAVAILABLE` and `RESOURCE_EXHAUSTED`, Groq's `capacity_exceeded`.
fn is_overload(code: &str) -> bool {
    let code = code.to_ascii_lowercase();
    ["overloaded", "slow_down", "unavailable", "resource_exhausted", "capacity_exceeded"]
        .iter()
        .any(|word| code.contains(word))
}

/// An answer that is no answer of the protocol; perhaps the provider refused in its own way.
fn unreadable(body: &Value, cause: &str, wire: Wire) -> Failure {
    let mut facts = AnswerFacts::default();
    facts.read(wire, body);
    let mut failure = match &facts.refusal {
        Some(reason) => Failure::new(
            ErrorKind::Filtered,
            format!("the provider blocked the prompt: {reason}; change the input"),
        ),
        None => match provider_message(body) {
            Some(said) => Failure::new(
                ErrorKind::Server,
                format!("the provider answered with an error: {said}"),
            ),
            None => Failure::new(
                ErrorKind::Malformed,
                format!(
                    "the provider's answer lacks what its protocol demands: {}",
                    excerpt(cause)
                ),
            ),
        },
    };
    failure.usage = facts.usage(wire);
    partial(failure, &body.to_string())
}

fn not_json(content_type: &str, body: &str, base_url: &Url) -> Failure {
    let content_type = if content_type.is_empty() { "no content type" } else { content_type };
    let message = format!(
        "{base_url} answered with {content_type} instead of JSON: {}; check the base URL, OpenAI's protocol usually ends in /v1",
        excerpt(body)
    );
    partial(Failure::new(ErrorKind::Malformed, message).final_(), body)
}

/// An answer that worked, but was no stream of the protocol: a web page, or another protocol.
pub(crate) fn no_stream(base_url: &Url) -> Failure {
    let message = format!(
        "{base_url} answered with something else than a stream of its protocol; check the base URL, OpenAI's protocol \
         usually ends in /v1"
    );
    Failure::new(ErrorKind::Malformed, message).final_()
}

fn of_connection(error: &reqwest::Error, base_url: &Url) -> Failure {
    let cause = root_cause(error);
    if error.is_timeout() {
        return Failure::new(
            ErrorKind::Timeout,
            format!("{base_url} did not answer in time: {cause}"),
        );
    }
    if error.is_connect() {
        let message =
            format!("{base_url} cannot be reached: {cause}; check the base URL and the network");
        return Failure { may_have_cost: false, ..Failure::new(ErrorKind::Network, message) };
    }
    if error.is_builder() {
        return Failure::new(
            ErrorKind::Config,
            format!("the request cannot be built: {cause}; check the key and the base URL"),
        )
        .final_();
    }
    Failure::new(ErrorKind::Network, format!("the connection to {base_url} broke: {cause}"))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Finds the message in a provider's error body; the shapes differ by provider.
fn provider_message(body: &Value) -> Option<String> {
    let candidates = [
        &body["error"]["message"],
        &body["message"],
        &body["error"],
        &body["detail"],
        &body[0]["error"]["message"],
    ];
    candidates.iter().find_map(|value| value.as_str()).map(excerpt)
}

/// Reads how long the server asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(number) {
        return Some(at_most_a_day(millis / 1000.0));
    }
    let after = text("retry-after")?;
    match number(after) {
        Some(number) => Some(at_most_a_day(number)),
        None => {
            Some(httpdate::parse_http_date(after).ok()?.duration_since(now).unwrap_or_default())
        }
    }
}

/// Reads how long Gemini asks to wait, which it tells in the body alone: a `google.rpc.RetryInfo` such as `"34s"`.
fn retry_info(body: &Value) -> Option<Duration> {
    let delay = body["error"]["details"]
        .as_array()?
        .iter()
        .find_map(|detail| detail["retryDelay"].as_str())?;
    number(delay.strip_suffix('s')?).map(at_most_a_day)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

/// A day is more than anybody waits; the bound keeps the arithmetic safe.
fn at_most_a_day(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.min(86_400.0))
}

fn partial(mut failure: Failure, body: &str) -> Failure {
    failure.partial = Some(excerpt_of(body, 4096).into());
    failure
}

fn excerpt(text: &str) -> String {
    excerpt_of(text, 300)
}

fn excerpt_of(text: &str, limit: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "no message".to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        rows.iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let now = SystemTime::UNIX_EPOCH;
        let check = |rows: &[_], expected| {
            assert_eq!(retry_after(&headers(rows), now), expected, "{rows:?}")
        };
        check(&[("retry-after", "2")], Some(Duration::from_secs(2)));
        check(&[("retry-after", "2"), ("retry-after-ms", "150")], Some(Duration::from_millis(150)));
        check(&[("retry-after", "Thu, 01 Jan 1970 00:00:07 GMT")], Some(Duration::from_secs(7)));
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-1")], None);
        check(&[("retry-after", "1e300")], Some(Duration::from_secs(86_400)));
    }

    #[test]
    fn gemini_asks_in_the_body() {
        let url = Url::parse("http://127.0.0.1/v1beta/").unwrap();
        let body = r#"{"error":{"code":429,"details":[{"@type":"Help"},{"@type":"RetryInfo","retryDelay":"34.5s"}]}}"#;
        let asked = |headers: &HeaderMap| of_status(429, body, headers, &url).retry_after;
        assert_eq!(asked(&HeaderMap::new()), Some(Duration::from_millis(34_500)));
        assert_eq!(asked(&headers(&[("retry-after", "2")])), Some(Duration::from_secs(2)));
    }

    #[test]
    fn overload_is_told_from_other_failures() {
        let url = Url::parse("http://127.0.0.1/v1/").unwrap();
        let check = |status, body: &str, overloaded| {
            let failure = of_status(status, body, &HeaderMap::new(), &url);
            assert_eq!(failure.overloaded, overloaded, "{status} {body}");
        };
        check(429, "{}", true);
        check(429, r#"{"error":{"code":"insufficient_quota"}}"#, false);
        check(529, r#"{"error":{"type":"overloaded_error"}}"#, true);
        check(503, r#"{"error":{"status":"UNAVAILABLE"}}"#, true);
        check(500, r#"{"error":{"code":"server_overloaded"}}"#, true);
        check(500, "{}", false);
        check(400, r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#, false);
        let within = |kind| of_error_event(&serde_json::json!({ "error": { "type": kind } }));
        assert!(within("overloaded_error").overloaded && !within("api_error").overloaded);
    }

    #[test]
    fn statuses_are_sorted() {
        let url = Url::parse("http://127.0.0.1/v1/").unwrap();
        let check = |status, body: &str, kind, retryable| {
            let failure = of_status(status, body, &HeaderMap::new(), &url);
            assert_eq!((failure.kind, failure.retryable), (kind, retryable), "{status} {body}");
        };
        check(401, "{}", ErrorKind::Auth, false);
        check(
            400,
            r#"{"error":{"message":"API key not valid. Please pass a valid API key."}}"#,
            ErrorKind::Auth,
            false,
        );
        check(404, "", ErrorKind::NotFound, false);
        check(429, r#"{"error":{"message":"slow down"}}"#, ErrorKind::RateLimited, true);
        check(429, r#"{"error":{"code":"insufficient_quota"}}"#, ErrorKind::RateLimited, false);
        check(
            400,
            r#"{"error":{"code":"context_length_exceeded"}}"#,
            ErrorKind::ContextLength,
            false,
        );
        check(529, r#"{"error":{"type":"overloaded_error"}}"#, ErrorKind::Server, true);
        check(498, r#"{"error":{"code":"capacity_exceeded"}}"#, ErrorKind::Server, true);
        let refused = of_status(
            400,
            r#"{"error":{"message":"response_format is not supported"}}"#,
            &HeaderMap::new(),
            &url,
        );
        assert!(refused.rejects_schema && !refused.rejects_tools);
        for (status, body) in [
            (400, r#"{"error":"registry.ollama.ai/library/phi3:latest does not support tools"}"#),
            (404, r#"{"error":{"message":"No endpoints found that support tool use."}}"#),
            (
                400,
                r#"{"message":"\"auto\" tool choice requires --enable-auto-tool-choice to be set"}"#,
            ),
        ] {
            assert!(of_status(status, body, &HeaderMap::new(), &url).rejects_tools, "{body}");
        }
    }
}

//! The requests that the server has received, and how many.

use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::fault::Fault;
use crate::wire::Provider;

/// Bytes of request bodies kept; older requests are forgotten beyond that.
const MOST_BYTES: usize = 128 << 20;

/// Holds one request as the server received it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The provider whose wire format it is; for an unknown path, a guess.
    pub provider: Provider,
    /// The path, without the query.
    pub path: String,
    /// The model asked for; empty if the request does not say.
    pub model: String,
    /// Which time this very request (same path, same body) came, from 1.
    pub attempt: u64,
    /// The headers, names in lower case; keys are masked.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Bytes,
    /// The status answered; `None` while it is undecided, and for connections that were reset or stalled.
    pub status: Option<u16>,
    /// The fault applied.
    pub fault: Option<Fault>,
    /// Tokens of prompt and answer that were counted, if an answer was made.
    pub tokens: Option<(u64, u64)>,
}

impl Received {
    /// Parses the body; `Null` if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Finds a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Counts what the server has seen since it started, or was last cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// TCP connections accepted.
    pub connections: u64,
    /// Model calls received.
    pub calls: u64,
    /// Requests answered with a status below 400.
    pub succeeded: u64,
    /// Requests answered with a status of 400 or more.
    pub refused: u64,
    /// Model calls to which a fault was applied.
    pub faults: u64,
    /// Model calls refused by `max_concurrent` or `requests_per_minute`.
    pub limited: u64,
    /// Model calls being answered now.
    pub in_flight: u64,
    /// The most model calls that were being answered at once.
    pub most_in_flight: u64,
}

/// Copies headers as text, masking those that carry keys.
pub(crate) fn masked(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: &str, value: &http::HeaderValue| match name {
        "authorization" | "x-api-key" | "x-goog-api-key" | "cookie" => "[masked]".to_owned(),
        _ => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    headers.iter().map(|(name, value)| (name.to_string(), text(name.as_str(), value))).collect()
}

/// The latest requests, bounded by count and bytes.
#[derive(Debug)]
pub(crate) struct Log {
    kept: VecDeque<Received>,
    most: usize,
    bytes: usize,
    /// The number of the first request that is kept.
    first: u64,
}

impl Log {
    pub(crate) fn new(most: usize) -> Self {
        Self { kept: VecDeque::new(), most, bytes: 0, first: 0 }
    }

    /// Adds a request and returns its number.
    pub(crate) fn push(&mut self, received: Received) -> u64 {
        let number = self.first + self.kept.len() as u64;
        self.bytes += received.body.len();
        self.kept.push_back(received);
        while self.kept.len() > self.most || self.bytes > MOST_BYTES {
            let Some(forgotten) = self.kept.pop_front() else { break };
            self.bytes -= forgotten.body.len();
            self.first += 1;
        }
        number
    }

    /// The request of that number, unless it has been forgotten.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Received> {
        self.kept.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    pub(crate) fn to_vec(&self) -> Vec<Received> {
        self.kept.iter().cloned().collect()
    }

    /// Forgets all requests; numbers go on, so that one still being answered is not mistaken for a new one.
    pub(crate) fn clear(&mut self) {
        self.first += self.kept.len() as u64;
        self.kept.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(body: &'static str) -> Received {
        Received {
            provider: Provider::OpenAi,
            path: "/".to_owned(),
            model: String::new(),
            attempt: 1,
            headers: Vec::new(),
            body: Bytes::from_static(body.as_bytes()),
            status: None,
            fault: None,
            tokens: None,
        }
    }

    #[test]
    fn the_oldest_requests_are_forgotten() {
        let mut log = Log::new(2);
        let numbers = ["a", "b", "c"].map(|body| log.push(received(body)));
        assert_eq!(
            log.to_vec().iter().map(|received| &received.body[..]).collect::<Vec<_>>(),
            [b"b", b"c"]
        );
        assert!(log.get_mut(numbers[0]).is_none());
        assert_eq!(&log.get_mut(numbers[2]).unwrap().body[..], b"c");
        log.clear();
        assert!(log.get_mut(numbers[2]).is_none());
        assert_eq!(log.push(received("d")), 3);
    }

    #[test]
    fn keys_are_masked() {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", http::HeaderValue::from_static("secret"));
        headers.insert("accept", http::HeaderValue::from_static("*/*"));
        let masked = masked(&headers);
        assert!(masked.contains(&("x-api-key".to_owned(), "[masked]".to_owned())));
        assert!(masked.contains(&("accept".to_owned(), "*/*".to_owned())));
    }
}

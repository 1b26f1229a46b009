//! What was received, counted for the health page.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counts requests, spans and bytes since the start.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    spans: AtomicU64,
    bytes: AtomicU64,
    rejected: Mutex<BTreeMap<String, u64>>,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Requests that brought spans.
    pub requests: u64,
    /// Spans that were acknowledged.
    pub spans: u64,
    /// Spans and requests that were not, by the reason.
    pub rejected: BTreeMap<String, u64>,
    /// Bytes as they were sent.
    pub bytes: u64,
}

/// The most reasons that are told apart.
const MOST_REASONS: usize = 100;

impl Counters {
    /// Counts a request.
    pub fn request(&self, bytes: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts spans that are durable.
    pub fn accept(&self, spans: usize) {
        self.spans.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// Counts spans or requests that are not taken.
    pub fn reject(&self, reason: &str, count: usize) {
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = if rejected.len() >= MOST_REASONS { "other" } else { reason };
        *rejected.entry(reason.to_owned()).or_default() += count as u64;
    }

    /// Returns the counts.
    #[must_use]
    pub fn counted(&self) -> Counted {
        Counted {
            requests: self.requests.load(Ordering::Relaxed),
            spans: self.spans.load(Ordering::Relaxed),
            rejected: self.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

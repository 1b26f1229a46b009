//! What was received, counted for the health page.

use crate::live::Sender;
use crate::store::Batch;
use schemars::JsonSchema;
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
    services: Mutex<BTreeMap<Option<String>, Seen>>,
}

/// A service that sent spans.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    last_us: i64,
    spans: u64,
}

/// The counts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
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

/// The most services that are remembered.
const MOST_SERVICES: usize = 1000;

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
        let has_room = rejected.len() < MOST_REASONS || rejected.contains_key(reason);
        let reason = if has_room { reason } else { "other" };
        *rejected.entry(reason.to_owned()).or_default() += count as u64;
    }

    /// Counts spans by the service that sent them.
    pub fn sent(&self, batch: &Batch, now_us: i64) {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        for span in batch.blocks.iter().flat_map(|block| &block.spans) {
            let service = &span.span.context.service;
            if let Some(seen) = services.get_mut(service) {
                seen.last_us = now_us;
                seen.spans += 1;
            } else if services.len() < MOST_SERVICES {
                services.insert(service.clone(), Seen { last_us: now_us, spans: 1 });
            }
        }
    }

    /// Returns the services that sent spans.
    #[must_use]
    pub fn services(&self) -> Vec<Sender> {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = |(service, seen): (&Option<String>, &Seen)| Sender {
            service: service.clone(),
            process: None,
            last_seen_us: seen.last_us,
            running: 0,
            spans: seen.spans,
            health: None,
        };
        services.iter().map(sender).collect()
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

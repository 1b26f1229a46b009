//! The accounts of a destination. They are kept under the lock of its queue, so they add up at every moment.

use crate::health::{DestinationHealth, DropReason, Dropped};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) ended: u64,
    pub(crate) sampled_out: u64,
    pub(crate) in_flight: u64,
    exported: u64,
    dropped: Dropped,
    requests: u64,
    retries: u64,
    bytes_raw: u64,
    bytes_sent: u64,
    busy: Duration,
    last_error: Option<Arc<str>>,
    /// What flushes have been told already: exported and lost spans.
    told: (u64, u64),
}

/// What became of the spans since the last telling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) exported: u64,
    pub(crate) lost: u64,
    pub(crate) last_error: Option<Arc<str>>,
}

impl Ledger {
    /// Books spans of the batch in flight as exported.
    pub(crate) fn export(&mut self, spans: u64) {
        debug_assert!(
            spans <= self.in_flight,
            "{spans} spans exported, {} in flight",
            self.in_flight
        );
        self.in_flight -= spans;
        self.exported += spans;
    }

    /// Books spans of the batch in flight as lost. Returns whether they are the first for this reason.
    pub(crate) fn lose(&mut self, spans: u64, reason: DropReason) -> bool {
        debug_assert!(spans <= self.in_flight, "{spans} spans lost, {} in flight", self.in_flight);
        self.in_flight -= spans;
        self.drop_waiting(spans, reason)
    }

    /// Books spans that waited, or were not let in, as lost. Returns whether they are the first for this reason.
    pub(crate) fn drop_waiting(&mut self, spans: u64, reason: DropReason) -> bool {
        let first = spans > 0 && self.dropped.of(reason) == 0;
        self.dropped.add(reason, spans);
        first
    }

    pub(crate) fn encoded(&mut self, busy: Duration) {
        self.busy += busy;
    }

    pub(crate) fn requested(&mut self, raw: usize, sent: usize, retry: bool) {
        self.requests += 1;
        self.retries += u64::from(retry);
        self.bytes_raw += raw as u64;
        self.bytes_sent += sent as u64;
    }

    pub(crate) fn failed(&mut self, error: &str) {
        self.last_error = Some(error.into());
    }

    pub(crate) fn lost(&self, reason: DropReason) -> u64 {
        self.dropped.of(reason)
    }

    /// Tells what became of the spans since it was asked last.
    pub(crate) fn tell(&mut self) -> Told {
        let (exported, lost) = (self.exported, self.dropped.total());
        let told = Told {
            exported: exported - self.told.0,
            lost: lost - self.told.1,
            last_error: self.last_error.clone(),
        };
        self.told = (exported, lost);
        told
    }

    /// Takes back what nobody heard.
    pub(crate) const fn untell(&mut self, exported: u64, lost: u64) {
        self.told = (self.told.0 - exported, self.told.1 - lost);
    }

    pub(crate) fn health(&self, name: &Arc<str>, queued: u64) -> DestinationHealth {
        DestinationHealth {
            name: Arc::clone(name),
            ended: self.ended,
            sampled_out: self.sampled_out,
            queued,
            in_flight: self.in_flight,
            exported: self.exported,
            dropped: self.dropped,
            requests: self.requests,
            retries: self.retries,
            bytes_raw: self.bytes_raw,
            bytes_sent: self.bytes_sent,
            worker_busy: self.busy,
            last_error: self.last_error.clone(),
        }
    }
}

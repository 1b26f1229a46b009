//! The accounts of a destination. They are kept under the lock of its queue, so they add up at every moment.

use crate::health::{DestinationHealth, DropReason, Dropped};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) ended: u64,
    pub(crate) in_flight: u64,
    exported: u64,
    dropped: Dropped,
    /// On disk, those too that are being sent from there.
    spooled: u64,
    /// Those of them that other processes have left.
    spooled_by_others: u64,
    recovered: u64,
    media_uploaded: u64,
    media_failed: u64,
    requests: u64,
    retries: u64,
    bytes_raw: u64,
    bytes_sent: u64,
    busy: Duration,
    is_unauthorized: bool,
    last_error: Option<Arc<str>>,
    /// What flushes have been told already: exported and lost spans.
    told: (u64, u64),
}

/// Where spans are that are being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In memory alone: they count as in flight.
    Memory,
    /// On disk, until they are done with: they count as spooled. `own` tells them from those that other processes left.
    Disk { own: bool },
}

/// What became of the spans since the last telling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) exported: u64,
    pub(crate) lost: u64,
    /// Not since the last telling, but now.
    pub(crate) spooled: u64,
    pub(crate) last_error: Option<Arc<str>>,
}

impl Ledger {
    /// Books spans of a batch as exported.
    pub(crate) fn export(&mut self, spans: u64, origin: Origin) {
        self.land(spans, origin);
        self.exported += spans;
    }

    /// Books spans of a batch as lost. Returns whether they are the first for this reason.
    pub(crate) fn lose(&mut self, spans: u64, reason: DropReason, origin: Origin) -> bool {
        self.land(spans, origin);
        self.drop_waiting(spans, reason)
    }

    /// Books spans that waited, or were not let in, as lost. Returns whether they are the first for this reason.
    pub(crate) fn drop_waiting(&mut self, spans: u64, reason: DropReason) -> bool {
        let first = spans > 0 && self.dropped.of(reason) == 0;
        self.dropped.add(reason, spans);
        first
    }

    /// Books spans of a batch in memory as written to the disk.
    pub(crate) fn spool(&mut self, spans: u64) {
        self.land(spans, Origin::Memory);
        self.spooled += spans;
    }

    /// Books spans on disk as being in memory alone.
    pub(crate) fn unspool(&mut self, spans: u64, origin: Origin) {
        self.land(spans, origin);
        self.in_flight += spans;
    }

    /// Books spans on disk as lost. Returns whether they are the first.
    pub(crate) fn lose_spooled(&mut self, spans: u64, by_others: u64) -> bool {
        self.take_from_disk(spans, by_others);
        self.drop_waiting(spans, DropReason::SpoolFull)
    }

    /// Books spans that another process has left on disk.
    pub(crate) const fn recover(&mut self, spans: u64) {
        self.recovered += spans;
        self.spooled += spans;
        self.spooled_by_others += spans;
    }

    fn land(&mut self, spans: u64, origin: Origin) {
        match origin {
            Origin::Memory => {
                debug_assert!(spans <= self.in_flight, "{spans} of {} in flight", self.in_flight);
                self.in_flight -= spans;
            }
            Origin::Disk { own } => self.take_from_disk(spans, if own { 0 } else { spans }),
        }
    }

    fn take_from_disk(&mut self, spans: u64, by_others: u64) {
        debug_assert!(spans <= self.spooled, "{spans} spans of {} on disk", self.spooled);
        debug_assert!(by_others <= self.spooled_by_others, "{by_others} spans of others");
        self.spooled -= spans;
        self.spooled_by_others -= by_others;
    }

    /// Books a file as uploaded.
    pub(crate) const fn upload(&mut self) {
        self.media_uploaded += 1;
    }

    /// Books files as not uploaded. Returns whether they are the first.
    pub(crate) const fn lose_media(&mut self, files: u64) -> bool {
        let first = self.media_failed == 0;
        self.media_failed += files;
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

    /// Books whether the credentials are refused. Returns whether that is new.
    pub(crate) const fn set_unauthorized(&mut self, is_unauthorized: bool) -> bool {
        std::mem::replace(&mut self.is_unauthorized, is_unauthorized) != is_unauthorized
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
            spooled: self.spooled - self.spooled_by_others,
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
            sampled_out: 0,
            unannounced: 0,
            held: 0,
            recovered: self.recovered,
            queued,
            in_flight: self.in_flight,
            exported: self.exported,
            spooled: self.spooled,
            dropped: self.dropped,
            media_uploaded: self.media_uploaded,
            media_failed: self.media_failed,
            requests: self.requests,
            retries: self.retries,
            bytes_raw: self.bytes_raw,
            bytes_sent: self.bytes_sent,
            worker_busy: self.busy,
            // The queue knows.
            worker_cpu: Duration::ZERO,
            is_unauthorized: self.is_unauthorized,
            last_error: self.last_error.clone(),
        }
    }
}

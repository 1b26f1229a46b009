//! What is sent next: from memory, from the disk, or what was held back; and what goes to the disk meanwhile.

use crate::body::{Body, Unfit};
use crate::delivery::Job;
use crate::exporter::Exporter;
use crate::exporter::disk::Disk;
use crate::health::DropReason;
use crate::media::Upload;
use crate::parcel::Parcel;
use crate::queue::{Message, Ready};
use glassbox_trace::span::Span;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// As many batches go to the disk before it is looked what else there is to do.
const BATCHES_AT_ONCE: usize = 4;

impl Exporter {
    /// Sends a batch, if there is one and the destination may take it. Returns whether it did.
    pub(super) fn send(&mut self) -> bool {
        let job = self.job();
        let is_sent = job.is_some();
        if let Some(job) = job {
            self.outstanding.insert(job.number);
            self.flying.spawn(Arc::clone(&self.delivery).deliver(job));
        }
        is_sent
    }

    pub(super) fn job(&mut self) -> Option<Job> {
        let is_open = self.link.is_open();
        let most = if is_open { self.limits.requests.max(1) } else { 1 };
        // What others have left on disk waits, too, until the destination is there.
        if self.flying.len() >= most || !self.link.may_try() || self.queue.slumbers() {
            return None;
        }
        if let Some(held) = self.held.pop_front() {
            return Some(held);
        }
        if self.is_disks_turn || !is_open {
            self.is_disks_turn = false;
            if let Some(job) = self.job_from_disk() {
                return Some(job);
            }
        }
        // While the destination does not take spans, the disk does.
        if is_open || !self.disk.as_ref().is_some_and(Disk::is_usable) {
            let alone = self.flying.is_empty();
            let due = self.is_due();
            let ready = if alone { Ready::Spans { due } } else { Ready::FullBatch };
            if let Some(job) = self.job_from_queue(ready, false) {
                self.is_disks_turn = true;
                return Some(job);
            }
        }
        self.job_from_disk()
    }

    pub(super) fn job_from_disk(&mut self) -> Option<Job> {
        let disk = self.disk.as_mut()?;
        if self.link.is_open() && !disk.spool().has_waiting() {
            disk.adopt();
        }
        let job = disk.take(self.next_job)?;
        self.next_job += 1;
        Some(job)
    }

    /// Takes spans out of the queue and encodes them.
    pub(super) fn job_from_queue(&mut self, ready: Ready, plain: bool) -> Option<Job> {
        loop {
            match self.queue.next(ready)? {
                Message::Export(spans) => {
                    if !self.queue.has_spans() {
                        self.oldest = None;
                    }
                    let (parcels, media) = self.parcels(&spans, plain);
                    if !parcels.is_empty() {
                        let number = self.next_job;
                        self.next_job += 1;
                        return Some(Job { media, ..Job::new(number, parcels, None) });
                    }
                }
                Message::Flush(reply) => self.note_order(reply, false),
                Message::Stop(reply) => self.note_order(reply, true),
            }
        }
    }

    /// Encodes spans: in parts, if they are too many for one request, and without those that cannot be encoded.
    /// What they refer to is to be uploaded before them.
    fn parcels(&self, spans: &[Arc<Span>], plain: bool) -> (Vec<Parcel>, VecDeque<Upload>) {
        let goes_to_disk = !self.link.is_open() && self.has_disk();
        let target = match (plain, goes_to_disk) {
            (true, _) => &self.plain,
            (false, true) => &self.for_disk,
            (false, false) => self.delivery.target(),
        };
        let mut parcels = Vec::new();
        let mut uploads = VecDeque::new();
        let mut parts = vec![spans];
        while let Some(part) = parts.pop() {
            let began = Instant::now();
            let body = Body::of(part, &self.style, target, self.limits.batch_bytes);
            self.queue.book(|ledger| ledger.encoded(began.elapsed()));
            match body {
                Ok(Body { bytes, raw, media }) => {
                    uploads.extend(media);
                    let spans = part.len() as u64;
                    parcels.push(Parcel { bytes, raw, spans, format: target.format() });
                }
                Err(Unfit::TooLarge | Unfit::Panicked) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(_) => {
                    let error = "a value in a span panicked when it was rendered";
                    self.lose(part.len() as u64, DropReason::Unencodable, error);
                }
            }
        }
        (parcels, uploads)
    }

    /// Moves spans to the disk: what is too much for memory, and what the destination does not take now. Returns whether
    /// there may be more.
    pub(super) fn relieve(&mut self) -> bool {
        for _ in 0..BATCHES_AT_ONCE {
            if !self.disk.as_ref().is_some_and(Disk::is_usable) {
                return false;
            }
            let due = self.is_due();
            let is_late = self.time_to_secure().is_some_and(|time| time <= Instant::now());
            let ready = if is_late { Ready::All } else { Ready::Excess };
            let job = match self.job_from_queue(ready, true) {
                None if !self.link.is_open() => self.job_from_queue(Ready::Spans { due }, false),
                job => job,
            };
            let Some(job) = job else { return false };
            self.retain(job);
        }
        true
    }
}

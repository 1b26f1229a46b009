//! A destination's spool with its accounts: what is written, taken and lost is booked, and told where it is news.

use crate::delivery::Job;
use crate::health::{DropReason, HealthChange};
use crate::ledger::Origin;
use crate::queue::Queue;
use crate::spool::{Spool, Ticket};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The pause after which a disk that could not be written to is tried again.
const REPAIR_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Disk {
    queue: Arc<Queue>,
    spool: Spool,
    broken_until: Option<Instant>,
    told_broken: bool,
}

impl Disk {
    pub(super) const fn new(queue: Arc<Queue>, spool: Spool) -> Self {
        Self { queue, spool, broken_until: None, told_broken: false }
    }

    pub(super) const fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Tells whether it can be written to, as far as is known.
    pub(super) fn is_usable(&self) -> bool {
        self.broken_until.is_none_or(|until| until <= Instant::now())
    }

    /// Writes what is left of a batch. Returns whether that worked; if not, the rest is still in the job.
    pub(super) fn keep(&mut self, job: &mut Job) -> bool {
        if !self.is_usable() {
            return false;
        }
        while let Some(parcel) = job.parcels.first() {
            let room = match self.spool.append(parcel) {
                Ok(room) => room,
                Err(error) => {
                    self.tell_broken(&error);
                    return false;
                }
            };
            let spans = parcel.spans;
            job.parcels.remove(0);
            job.is_begun = true;
            let first = self.queue.book(|ledger| {
                ledger.recover(room.found);
                let first =
                    ledger.lose_spooled(room.dropped + room.found, room.adopted + room.found);
                ledger.spool(spans);
                first
            });
            if first {
                self.queue.tell(HealthChange::Dropping { reason: DropReason::SpoolFull });
                let (name, count) = (self.queue.name(), room.dropped + room.found);
                tracing::warn!(
                    "{name} lost {count} spans (spool full), further ones are only counted: {} has as much as it may; \
                     enlarge it with GLASSBOX_SPOOL_MIB",
                    self.spool.folder().display()
                );
            }
        }
        self.broken_until = None;
        true
    }

    /// Takes the next batch, and makes a job of it. What others have left comes last.
    pub(super) fn take(&mut self, number: u64) -> Option<Job> {
        loop {
            let (ticket, parcel) = self.spool.take()?;
            match parcel {
                Ok(parcel) => return Some(Job::new(number, vec![parcel], Some(ticket))),
                Err(spans) => {
                    let origin = Origin::Disk { own: ticket.own };
                    let reason = DropReason::SpoolUnreadable;
                    let first = self.queue.book(|ledger| ledger.lose(spans, reason, origin));
                    if first {
                        self.queue.tell(HealthChange::Dropping { reason });
                        let name = self.queue.name();
                        tracing::warn!(
                            "{name} lost {spans} spans (spool unreadable): the disk has lost them"
                        );
                    }
                    self.settle(ticket);
                }
            }
        }
    }

    /// Notes that a batch is done with.
    pub(super) fn settle(&mut self, ticket: Ticket) {
        if let Err(error) = self.spool.settle(ticket) {
            self.tell_broken(&error);
        }
    }

    /// Puts a batch back of which nothing is done. Its spans are lost if they had to make room meanwhile.
    pub(super) fn put_back(&mut self, ticket: Ticket, spans: u64) {
        if !self.spool.put_back(ticket) {
            let origin = Origin::Disk { own: ticket.own };
            self.queue.book(|ledger| ledger.lose(spans, DropReason::SpoolFull, origin));
        }
    }

    /// Takes over what a process left that has ended, if there is any.
    pub(super) fn adopt(&mut self) {
        let Some(adopted) = self.spool.adopt() else { return };
        self.queue.book(|ledger| ledger.recover(adopted.spans));
        self.queue.tell(HealthChange::Recovered { spans: adopted.spans });
        let (name, folder) = (self.queue.name(), self.spool.folder().display());
        tracing::info!(
            "{name} gets {} spans that an earlier process left in {folder}",
            adopted.spans
        );
        if adopted.damaged > 0 {
            tracing::warn!(
                "the last {} bytes that an earlier process wrote to {folder} are not whole, and are skipped: it was \
                 killed",
                adopted.damaged
            );
        }
    }

    /// Looks again soon for what others have left.
    pub(super) fn look_again(&mut self) {
        self.spool.look_again();
    }

    fn tell_broken(&mut self, error: &io::Error) {
        self.broken_until = Some(Instant::now() + REPAIR_PAUSE);
        let (name, folder) = (self.queue.name(), self.spool.folder().display());
        let error = format!("the spool {folder} cannot be written to: {error}");
        self.queue.book(|ledger| ledger.failed(&error));
        if !std::mem::replace(&mut self.told_broken, true) {
            tracing::warn!(
                "{error}; spans for {name} wait in memory alone; set GLASSBOX_SPOOL_DIR to a folder with room"
            );
        }
    }
}

//! What people are told of an export: what is news, once, and from the worker's thread, since logging is I/O.

use crate::exporter::Exporter;
use crate::health::{DropReason, HealthChange};

impl Exporter {
    pub(super) fn tell_outage(&self, error: &str) {
        self.queue.tell(HealthChange::Down { error: error.into() });
        let name = self.queue.name();
        match &self.disk {
            Some(disk) => {
                let folder = disk.spool().folder().display();
                tracing::warn!(
                    "{name} does not take spans, they are kept in {folder} until it does: {error}"
                );
            }
            None => {
                let time = self.limits.give_up_after;
                tracing::warn!(
                    "{name} does not take spans, each batch is tried for {time:?}: {error}"
                );
            }
        }
    }

    pub(super) fn tell_refusal(&self, error: &str) {
        self.queue.tell(HealthChange::Unauthorized { error: error.into() });
        let (name, check) = (self.queue.name(), self.delivery.target().check);
        let kept = self.disk.as_ref().map_or_else(String::new, |disk| {
            format!("; they are kept in {} until it does", disk.spool().folder().display())
        });
        tracing::error!(
            "{name} does not accept the credentials, so no span gets there: {error}; {check}{kept}"
        );
    }

    /// Tells that spans were dropped, if so.
    pub(super) fn tell_overflow(&mut self) {
        if self.told_overflow {
            return;
        }
        let lost = self.queue.book(|ledger| ledger.lost(DropReason::Overflow));
        if lost > 0 {
            self.told_overflow = true;
            self.queue.tell(HealthChange::Dropping { reason: DropReason::Overflow });
            let name = self.queue.name();
            tracing::warn!(
                "{name} lost {lost} spans (overflow), further ones are only counted: its queue is full; lengthen it \
                 with OTEL_BSP_MAX_QUEUE_SIZE, or sample"
            );
        }
    }
}

//! The end of an export: in time, and with what is left on disk.

use crate::exporter::Exporter;
use crate::exporter::disk::Disk;
use crate::live::Announcer;
use crate::queue::Ready;
use std::time::Instant;

impl Exporter {
    /// Returns when it is to finish, whatever is left. What is in flight then can go to the disk, which needs a moment.
    pub(super) fn time_to_finish(&mut self) -> Option<Instant> {
        let by = self.queue.stop_by()?;
        let time = by.saturating_duration_since(self.began_to_end());
        Some(if self.has_disk() { by - time / 10 } else { by })
    }

    /// Returns when what waits in memory goes to the disk, whatever the destination does: encoding and writing it all may
    /// take half of the time that there is.
    pub(super) fn time_to_secure(&mut self) -> Option<Instant> {
        let by = self.queue.stop_by().filter(|_| self.has_disk())?;
        Some(by - by.saturating_duration_since(self.began_to_end()) / 2)
    }

    /// Announces what begins, beside the export.
    pub(crate) fn announcing(self, announcer: Option<Announcer>) -> Self {
        Self { announcer, ..self }
    }

    /// Tells the server that the process ends, after all that it exports.
    pub(super) async fn say_farewell(&mut self) {
        if let Some(farewell) = self.farewell.take() {
            farewell.say(self.queue.stop_by()).await;
        }
    }

    fn began_to_end(&mut self) -> Instant {
        *self.ending.get_or_insert_with(Instant::now)
    }

    /// Ends: what is in flight is given up, and what is left goes to the disk.
    pub(super) async fn finish(&mut self) {
        self.delivery.stop();
        while let Some(done) = self.flying.join_next().await {
            self.settle(done.ok());
        }
        for job in std::mem::take(&mut self.held) {
            self.retain(job);
        }
        let by = self.queue.stop_by();
        while self.disk.as_ref().is_some_and(Disk::is_usable)
            && by.is_none_or(|by| Instant::now() < by)
        {
            let Some(job) = self.job_from_queue(Ready::All, true) else { break };
            self.retain(job);
        }
        self.say_farewell().await;
        self.queue.close();
        for order in std::mem::take(&mut self.orders) {
            self.queue.answer(order.reply);
        }
    }
}

//! Those who wait until what they ended is exported.

use crate::exporter::Exporter;
use crate::exporter::disk::Disk;
use crate::health::DropReason;
use crate::queue::{Message, Ready, Reply};
use std::fmt;

/// Somebody waits until all batches with lower numbers are done.
pub(super) struct Order {
    before: u64,
    failures: u64,
    pub(super) stops: bool,
    pub(super) reply: Reply,
}

impl Exporter {
    pub(super) fn note_order(&mut self, reply: Reply, stops: bool) {
        let (before, failures) = (self.next_job, self.failures);
        self.orders.push(Order { before, failures, stops, reply });
    }

    /// Gives up the spans that somebody waits for, when the destination has just refused the credentials and there is no
    /// disk for them. Those that nobody waits for stay, in the queue or held, until the credentials are accepted.
    pub(super) fn refuse_ordered(&mut self, error: &str) {
        while !self.disk.as_ref().is_some_and(Disk::is_usable) {
            match self.queue.next(Ready::Ordered) {
                Some(Message::Export(spans)) => {
                    self.lose(spans.len() as u64, DropReason::Unauthorized, error);
                }
                Some(Message::Flush(reply)) => self.note_order(reply, false),
                Some(Message::Stop(reply)) => self.note_order(reply, true),
                None if self.orders.is_empty() => return,
                None => {
                    for job in std::mem::take(&mut self.held) {
                        self.outstanding.remove(&job.number);
                        self.lose(job.spans(), DropReason::Unauthorized, error);
                    }
                    return;
                }
            }
        }
    }

    /// Answers those who waited for what is done by now. Returns whether one of them was to stop it.
    pub(super) async fn answer(&mut self) -> bool {
        // Orders behind which no span waits any more.
        while let Some(message) = self.queue.next(Ready::Orders) {
            match message {
                Message::Flush(reply) => self.note_order(reply, false),
                Message::Stop(reply) => self.note_order(reply, true),
                // Not asked for.
                Message::Export(_) => break,
            }
        }
        let (done, waiting) =
            std::mem::take(&mut self.orders).into_iter().partition(|order| self.is_done(order));
        self.orders = waiting;
        let done: Vec<Order> = done;
        let stops = done.iter().any(|order| order.stops);
        if stops {
            // Before it is told: then the books are closed as well.
            self.say_farewell().await;
            self.queue.close();
        }
        for order in done {
            self.queue.answer(order.reply);
        }
        stops
    }

    pub(super) fn is_done(&self, order: &Order) -> bool {
        if self.outstanding.first().is_some_and(|oldest| *oldest < order.before) {
            return false;
        }
        let Some(disk) = &self.disk else { return true };
        // Whoever waits can have it tried once more.
        let is_tried = self.failures > order.failures;
        // A server that is known to be gone will not be there within moments.
        let is_hopeless = is_tried
            && (self.link.is_hopeless(self.limits.give_up_after)
                || self.delivery.target().now().is_none());
        if disk.spool().has_own() && !is_hopeless {
            return false;
        }
        // At the end there is time for what others have left, as long as it is taken.
        let has_others = disk.spool().has_waiting() || !self.flying.is_empty();
        !(order.stops && self.link.is_open() && has_others)
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order").field("before", &self.before).finish_non_exhaustive()
    }
}

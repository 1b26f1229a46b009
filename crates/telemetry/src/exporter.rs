//! The exporter of a destination: decides what is sent next, what is tried again, and what waits on disk meanwhile.
//!
//! ```text
//!  queue --batch--> encode --> parcels --> request ----> accepted
//!                                 |   ^       | not now
//!                                 v   |       v
//!                      the spool (disk), or held in memory without one
//! ```
//!
//! While a destination takes spans, batches go straight to it. While it does not, they go to the disk as they are made,
//! and the oldest one on disk is what is tried again. What memory should not hold goes to the disk at any time.

use crate::body::BodyStyle;
use crate::delivery::{Delivery, Done, Ending, Job};
use crate::destination::HttpTarget;
use crate::health::{DropReason, HealthChange};
use crate::http::Http;
use crate::ledger::Origin;
use crate::limits::Limits;
use crate::link::Link;
use crate::live::{Announcer, Farewell};
use crate::queue::Queue;
use crate::spool::Spool;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

mod disk;
mod ending;
mod next;
mod orders;
mod telling;

use disk::Disk;
use orders::Order;

/// Exports to one destination.
#[derive(Debug)]
pub(crate) struct Exporter {
    queue: Arc<Queue>,
    delivery: Arc<Delivery>,
    limits: Limits,
    style: BodyStyle,
    /// The target as it is for the disk, where media cannot wait.
    for_disk: HttpTarget,
    /// The same without compression: when it is urgent.
    plain: HttpTarget,
    link: Link,
    disk: Option<Disk>,
    /// Batches in memory that are to be tried again.
    held: VecDeque<Job>,
    flying: JoinSet<Done>,
    /// The numbers of the batches that are in flight or held.
    outstanding: BTreeSet<u64>,
    next_job: u64,
    orders: Vec<Order>,
    /// No span in the queue waits since before this.
    oldest: Option<Instant>,
    /// The disk has the next turn, and not the queue.
    is_disks_turn: bool,
    /// How often the destination did not take what was sent.
    failures: u64,
    /// What the destination said when it refused the credentials last.
    refusal: Option<String>,
    /// Since when it is to stop.
    ending: Option<Instant>,
    told_overflow: bool,
    /// Tells of spans that begin, until it is started.
    announcer: Option<Announcer>,
    farewell: Option<Farewell>,
}

impl Exporter {
    pub(crate) fn new(
        queue: Arc<Queue>,
        http: Http,
        limits: Limits,
        style: BodyStyle,
        spool: Option<Spool>,
    ) -> Self {
        let for_disk = HttpTarget { uploads_media: false, ..http.target().clone() };
        let plain = HttpTarget { gzip: false, ..for_disk.clone() };
        Self {
            delivery: Arc::new(Delivery::new(Arc::clone(&queue), http)),
            limits,
            style,
            for_disk,
            plain,
            link: Link::new(&limits),
            disk: spool.map(|spool| Disk::new(Arc::clone(&queue), spool)),
            queue,
            held: VecDeque::new(),
            flying: JoinSet::new(),
            outstanding: BTreeSet::new(),
            next_job: 0,
            orders: Vec::new(),
            oldest: None,
            is_disks_turn: false,
            failures: 0,
            refusal: None,
            ending: None,
            told_overflow: false,
            announcer: None,
            farewell: None,
        }
    }

    /// Exports until it is told to stop.
    pub(crate) async fn run(mut self) {
        self.farewell = self.announcer.take().map(Announcer::start);
        loop {
            self.tell_overflow();
            self.note_age();
            if self.time_to_finish().is_some_and(|time| time <= Instant::now()) {
                return self.finish().await;
            }
            if !self.link.is_open() && self.queue.takes_hurry() {
                self.link.hurry();
            }
            let has_more = self.send() | self.relieve();
            if self.answer().await {
                return;
            }
            if has_more {
                tokio::task::yield_now().await;
                while let Some(done) = self.flying.try_join_next() {
                    self.settle(done.ok());
                }
                continue;
            }
            let wake = self.next_event();
            tokio::select! {
                biased;
                Some(done) = self.flying.join_next() => self.settle(done.ok()),
                oldest = self.queue.woken(self.oldest) => self.oldest = oldest,
                () = sleep_until(wake) => (),
            }
        }
    }

    /// Draws the conclusions from what became of a batch.
    fn settle(&mut self, done: Option<Done>) {
        // Deliveries do not panic. If one did, its spans would count as lost at the end.
        let Some(Done { job, began, ending }) = done else { return };
        match ending {
            Ending::Settled => {
                self.outstanding.remove(&job.number);
                if let (Some(disk), Some(ticket)) = (&mut self.disk, job.ticket) {
                    disk.settle(ticket);
                }
                self.mend(began);
            }
            Ending::Later { error, after } => {
                self.failures += 1;
                self.queue.book(|ledger| ledger.failed(&error));
                let patience = self.limits.give_up_after;
                let spent = job.tried.map_or(Duration::ZERO, |tried| tried.elapsed());
                let is_given_up = spent >= patience && !self.has_disk();
                let longest =
                    if self.has_disk() { patience } else { patience - spent.min(patience) };
                if self.link.fail(after, longest) {
                    self.tell_outage(&error);
                }
                if is_given_up {
                    self.outstanding.remove(&job.number);
                    self.lose(job.spans(), DropReason::Undeliverable, &error);
                } else {
                    self.retain(job);
                }
            }
            Ending::Unauthorized(error) => {
                self.failures += 1;
                self.link.refuse(self.limits.refusal_pause);
                let is_new = self.queue.book(|ledger| {
                    ledger.failed(&error);
                    ledger.set_unauthorized(true)
                });
                if is_new {
                    self.tell_refusal(&error);
                }
                // How long it is refused says nothing of how long it has been tried in vain.
                self.retain(Job { tried: None, ..job });
                self.refusal = Some(error);
            }
            Ending::Stopped => self.retain(job),
        }
        if let Some(error) = self.refusal.take_if(|_| !self.link.is_open()) {
            self.refuse_ordered(&error);
            self.refusal = Some(error);
        }
    }

    /// Keeps what is left of a batch: on disk if possible, else in memory. No more are in memory than may be in flight.
    fn retain(&mut self, mut job: Job) {
        if let Some(disk) = &mut self.disk {
            let ticket = job.ticket.take();
            match ticket {
                Some(ticket) if !job.is_begun => {
                    disk.put_back(ticket, job.spans());
                    job.parcels.clear();
                }
                Some(ticket) => {
                    let origin = Origin::Disk { own: ticket.own };
                    self.queue.book(|ledger| ledger.unspool(job.spans(), origin));
                    disk.keep(&mut job);
                    disk.settle(ticket);
                }
                None => {
                    disk.keep(&mut job);
                }
            }
        }
        if job.parcels.is_empty() {
            let media = job.media.len() as u64;
            self.delivery.lose_media(media, "the spans that refer to it wait on disk");
            self.outstanding.remove(&job.number);
        } else {
            self.outstanding.insert(job.number);
            let at = self.held.partition_point(|held| held.number < job.number);
            self.held.insert(at, job);
        }
    }

    fn lose(&self, spans: u64, reason: DropReason, error: &str) {
        self.delivery.lose(spans, reason, Origin::Memory, error);
    }

    /// Returns when there is something to do without being told.
    fn next_event(&mut self) -> Option<Instant> {
        let is_usable = self.disk.as_ref().is_some_and(Disk::is_usable);
        let due = self.oldest.map(|oldest| oldest + self.limits.batch_age);
        let alone = self.flying.is_empty();
        let next = match self.link.next_try() {
            None => due.filter(|_| alone),
            Some(next_try) => {
                let on_disk = self.disk.as_ref().is_some_and(|disk| disk.spool().has_waiting());
                let again = (alone && (on_disk || !self.held.is_empty())).then_some(next_try);
                let first = due.filter(|_| alone && !is_usable).map(|due| due.max(next_try));
                let to_disk = due.filter(|_| is_usable);
                [again, first, to_disk].into_iter().flatten().min()
            }
        };
        let secure = self.time_to_secure().filter(|_| is_usable && self.queue.has_spans());
        [next, secure, self.time_to_finish()].into_iter().flatten().min()
    }

    fn note_age(&mut self) {
        if !self.queue.has_spans() {
            self.oldest = None;
        } else {
            self.oldest.get_or_insert_with(Instant::now);
        }
    }

    fn is_due(&self) -> bool {
        self.oldest.is_some_and(|oldest| oldest.elapsed() >= self.limits.batch_age)
    }

    const fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Notes that the destination answered.
    fn mend(&mut self, began: Instant) {
        if !self.link.mend(began) {
            return;
        }
        self.queue.book(|ledger| ledger.set_unauthorized(false));
        if let Some(disk) = &mut self.disk {
            disk.look_again();
        }
        self.queue.tell(HealthChange::Up);
        tracing::info!("{} answers again", self.queue.name());
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

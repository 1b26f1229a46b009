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

use crate::body::{Body, BodyStyle, Unfit};
use crate::delivery::{Delivery, Done, Ending, Job};
use crate::destination::HttpTarget;
use crate::health::{DropReason, HealthChange};
use crate::http::Http;
use crate::ledger::Origin;
use crate::limits::Limits;
use crate::link::Link;
use crate::live::{Announcer, Farewell};
use crate::media::Upload;
use crate::parcel::Parcel;
use crate::queue::{Message, Queue, Ready, Reply};
use crate::spool::Spool;
use glassbox_trace::span::Span;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

mod disk;
mod ending;
mod telling;

use disk::Disk;

/// As many batches go to the disk before it is looked what else there is to do.
const BATCHES_AT_ONCE: usize = 4;

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

/// Somebody waits until all batches with lower numbers are done.
struct Order {
    before: u64,
    failures: u64,
    stops: bool,
    reply: Reply,
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

    /// Sends a batch, if there is one and the destination may take it. Returns whether it did.
    fn send(&mut self) -> bool {
        let job = self.job();
        let is_sent = job.is_some();
        if let Some(job) = job {
            self.outstanding.insert(job.number);
            self.flying.spawn(Arc::clone(&self.delivery).deliver(job));
        }
        is_sent
    }

    fn job(&mut self) -> Option<Job> {
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

    fn job_from_disk(&mut self) -> Option<Job> {
        let disk = self.disk.as_mut()?;
        if self.link.is_open() && !disk.spool().has_waiting() {
            disk.adopt();
        }
        let job = disk.take(self.next_job)?;
        self.next_job += 1;
        Some(job)
    }

    /// Takes spans out of the queue and encodes them.
    fn job_from_queue(&mut self, ready: Ready, plain: bool) -> Option<Job> {
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

    fn note_order(&mut self, reply: Reply, stops: bool) {
        let (before, failures) = (self.next_job, self.failures);
        self.orders.push(Order { before, failures, stops, reply });
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
    fn relieve(&mut self) -> bool {
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

    /// Gives up the spans that somebody waits for, when the destination has just refused the credentials and there is no
    /// disk for them. Those that nobody waits for stay, in the queue or held, until the credentials are accepted.
    fn refuse_ordered(&mut self, error: &str) {
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
    async fn answer(&mut self) -> bool {
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

    fn is_done(&self, order: &Order) -> bool {
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

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("before", &self.before).finish_non_exhaustive()
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

//! The delivery of a batch: split where a part of it is to blame, shrunk where one span is too large, and accounted for.

use crate::destination::HttpTarget;
use crate::health::{DropReason, HealthChange};
use crate::http::{Answer, Http};
use crate::ledger::{Ledger, Origin};
use crate::media::{Failure, Upload};
use crate::parcel::Parcel;
use crate::queue::Queue;
use crate::spool::Ticket;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// As many splits may search a batch for malformed spans: one span in 512 takes 9. With more than a few of them
/// something else is wrong, and the search must not become a flood.
const MAX_SEARCHES: u32 = 64;
/// As many, while no part of the batch was accepted.
const MAX_BLIND_SEARCHES: u32 = 16;
/// As many, after a batch that was searched in vain.
const MAX_HOPELESS_SEARCHES: u32 = 2;

/// Delivers batches to one destination, several at a time.
#[derive(Debug)]
pub(crate) struct Delivery {
    queue: Arc<Queue>,
    http: Http,
    /// The destination found fault with everything, so that it is in vain to search for what is malformed.
    finds_all_malformed: AtomicBool,
    /// Turns true when there is no time left.
    stop: watch::Sender<bool>,
}

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    /// What is still to be delivered, in order.
    pub(crate) parcels: Vec<Parcel>,
    /// Where it is on disk, if it is.
    pub(crate) ticket: Option<Ticket>,
    /// When it was tried first, if it was.
    pub(crate) tried: Option<Instant>,
    /// Parts of it are done with, so what is on disk is more than what is left.
    pub(crate) is_begun: bool,
    /// What is to be uploaded before.
    pub(crate) media: VecDeque<Upload>,
}

/// What became of a batch. Spans that are not in the job any more are booked.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) job: Job,
    /// When the last of its requests began.
    pub(crate) began: Instant,
    pub(crate) ending: Ending,
}

/// How the delivery of a batch ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing is left.
    Settled,
    /// The rest may work later.
    Later { error: String, after: Option<Duration> },
    /// The credentials were refused.
    Unauthorized(String),
    /// There was no time left.
    Stopped,
}

impl Job {
    pub(crate) fn new(number: u64, parcels: Vec<Parcel>, ticket: Option<Ticket>) -> Self {
        Self { number, parcels, ticket, tried: None, is_begun: false, media: VecDeque::new() }
    }

    pub(crate) fn spans(&self) -> u64 {
        self.parcels.iter().map(|parcel| parcel.spans).sum()
    }
}

impl Delivery {
    pub(crate) fn new(queue: Arc<Queue>, http: Http) -> Self {
        let (stop, _) = watch::channel(false);
        Self { queue, http, finds_all_malformed: AtomicBool::new(false), stop }
    }

    pub(crate) const fn target(&self) -> &HttpTarget {
        self.http.target()
    }

    /// Ends all deliveries at once: requests that are not answered yet are dropped.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Delivers a batch as far as it gets.
    pub(crate) async fn deliver(self: Arc<Self>, mut job: Job) -> Done {
        let mut is_retry = job.tried.is_some();
        let mut began = Instant::now();
        job.tried.get_or_insert(began);
        if let Some(ending) = self.upload(&mut job.media).await {
            return Done { job, began, ending };
        }
        let origin = job.ticket.map_or(Origin::Memory, |ticket| Origin::Disk { own: ticket.own });
        let (mut accepted, mut searches) = (false, 0);
        // The next one is at the end.
        job.parcels.reverse();
        let ending = loop {
            let Some(parcel) = job.parcels.pop() else { break Ending::Settled };
            began = Instant::now();
            let answer = self.post(&parcel, std::mem::take(&mut is_retry)).await;
            let (reason, error) = match answer {
                Some(Answer::Accepted { rejected, why }) => {
                    accepted = true;
                    let rejected = rejected.min(parcel.spans);
                    self.queue.book(|ledger| ledger.export(parcel.spans - rejected, origin));
                    self.lose(rejected, DropReason::Rejected, origin, &why);
                    job.is_begun = true;
                    continue;
                }
                Some(Answer::TooLarge(error)) => {
                    if let Some((first, second)) = parcel.halves() {
                        job.parcels.extend([second, first]);
                        continue;
                    }
                    if let Some(shrunk) = parcel.shrunk() {
                        job.is_begun = true;
                        job.parcels.push(shrunk);
                        continue;
                    }
                    (DropReason::TooLarge, error)
                }
                Some(Answer::Malformed(error)) => {
                    if searches < self.most_searches(accepted)
                        && let Some((first, second)) = parcel.halves()
                    {
                        searches += 1;
                        job.parcels.extend([second, first]);
                        continue;
                    }
                    (DropReason::Rejected, error)
                }
                Some(Answer::Refused(error)) => (DropReason::Rejected, error),
                Some(Answer::Unauthorized(error)) => {
                    job.parcels.push(parcel);
                    break Ending::Unauthorized(error);
                }
                Some(Answer::Later { error, after }) => {
                    job.parcels.push(parcel);
                    break Ending::Later { error, after };
                }
                None => {
                    job.parcels.push(parcel);
                    break Ending::Stopped;
                }
            };
            self.lose(parcel.spans, reason, origin, &error);
            job.is_begun = true;
        };
        job.parcels.reverse();
        let in_vain = searches >= MAX_BLIND_SEARCHES || self.is_hopeless();
        self.finds_all_malformed.store(!accepted && in_vain, Ordering::Relaxed);
        Done { job, began, ending }
    }

    /// Uploads what spans refer to. Returns how it ended if the spans had better not be tried now.
    async fn upload(&self, media: &mut VecDeque<Upload>) -> Option<Ending> {
        let mut stop = self.stop.subscribe();
        if *stop.borrow_and_update() {
            return Some(Ending::Stopped);
        }
        while let Some(next) = media.front() {
            let sent = tokio::select! {
                sent = next.send(&self.http) => sent,
                _ = stop.changed() => return Some(Ending::Stopped),
            };
            match sent {
                Ok(()) => self.queue.book(Ledger::upload),
                Err(Failure::Refused(error)) => self.lose_media(1, &error),
                Err(Failure::Later { error, after }) => {
                    return Some(Ending::Later { error, after });
                }
                Err(Failure::Unauthorized(error)) => return Some(Ending::Unauthorized(error)),
            }
            media.pop_front();
        }
        None
    }

    /// Books media that will not be uploaded. The first are told.
    pub(crate) fn lose_media(&self, count: u64, error: &str) {
        if count > 0 && self.queue.book(|ledger| ledger.lose_media(count)) {
            let name = self.queue.name();
            tracing::warn!("{name} did not get a file, further ones are only counted: {error}");
        }
    }

    /// Posts a parcel; `None` if it is to stop.
    async fn post(&self, parcel: &Parcel, is_retry: bool) -> Option<Answer> {
        let mut stop = self.stop.subscribe();
        if *stop.borrow_and_update() {
            return None;
        }
        self.queue.book(|ledger| ledger.requested(parcel.raw, parcel.bytes.len(), is_retry));
        tokio::select! {
            answer = self.http.post(parcel) => Some(answer),
            _ = stop.changed() => None,
        }
    }

    fn most_searches(&self, accepted: bool) -> u32 {
        match accepted {
            true => MAX_SEARCHES,
            false if self.is_hopeless() => MAX_HOPELESS_SEARCHES,
            false => MAX_BLIND_SEARCHES,
        }
    }

    fn is_hopeless(&self) -> bool {
        self.finds_all_malformed.load(Ordering::Relaxed)
    }

    /// Books spans of a batch as lost. The first for each reason are told.
    pub(crate) fn lose(&self, count: u64, reason: DropReason, origin: Origin, error: &str) {
        if count == 0 {
            return;
        }
        let first = self.queue.book(|ledger| {
            ledger.failed(error);
            ledger.lose(count, reason, origin)
        });
        if first {
            self.queue.tell(HealthChange::Dropping { reason });
        }
        // That the credentials are refused has been told louder.
        if first && reason != DropReason::Unauthorized {
            let name = self.queue.name();
            tracing::warn!(
                "{name} lost {count} spans ({reason}), further ones are only counted: {error}"
            );
        }
    }
}

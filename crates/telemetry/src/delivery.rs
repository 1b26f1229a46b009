//! The delivery of a batch: tried again while that helps, split where a part of it is to blame, and accounted for.

use crate::backoff::Backoff;
use crate::body::{Body, BodyStyle, Unfit};
use crate::health::DropReason;
use crate::http::{Answer, Http};
use crate::limits::Limits;
use crate::memory::Memory;
use crate::queue::Queue;
use glassbox_trace::span::Span;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As many splits may search a batch for malformed spans: one span in 512 takes 9. With more than a few of them
/// something else is wrong, and the search must not become a flood.
const MAX_SEARCHES: u32 = 64;
/// As many, while no part of the batch was accepted.
const MAX_BLIND_SEARCHES: u32 = 16;
/// As many, after a batch that was searched in vain.
const MAX_HOPELESS_SEARCHES: u32 = 2;

/// The pause that is left of ours when somebody waits: flushes in quick succession must not become a flood either.
const POLITE_PAUSE: Duration = Duration::from_millis(100);

/// Delivers batches to one destination.
#[derive(Debug)]
pub(crate) struct Delivery {
    queue: Arc<Queue>,
    sink: Sink,
    limits: Limits,
    style: BodyStyle,
    mood: Mood,
}

/// Where spans end up.
#[derive(Clone, Debug)]
pub(crate) enum Sink {
    Http(Arc<Http>),
    Memory(Memory),
    /// Nowhere: only what comes before it is measured.
    Discard,
}

/// What was told or found out about a destination, so that it is not told or tried again and again.
#[derive(Debug, Default)]
pub(crate) struct Mood {
    /// It was told that the destination cannot be reached, since the last time that it could.
    told_outage: bool,
    /// It was told that the queue is full.
    told_overflow: bool,
    /// The destination found fault with everything, so that it is in vain to search for what is malformed.
    finds_all_malformed: bool,
}

/// What became of a part of a batch.
enum Verdict {
    Accepted {
        rejected: u64,
        why: String,
    },
    /// It may work in halves. If that is not possible, the spans are lost.
    Split {
        reason: DropReason,
        error: String,
        search: bool,
    },
    Lost {
        reason: DropReason,
        error: String,
    },
}

impl Delivery {
    pub(crate) fn new(queue: Arc<Queue>, sink: Sink, limits: Limits, style: BodyStyle) -> Self {
        Self { queue, sink, limits, style, mood: Mood::default() }
    }

    pub(crate) const fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Delivers a batch. Afterwards each of its spans is booked as exported or lost.
    pub(crate) async fn deliver(&mut self, batch: &[Arc<Span>]) {
        match self.sink.clone() {
            Sink::Http(http) => self.deliver_to(&http, batch).await,
            Sink::Memory(memory) => {
                memory.keep(batch);
                self.queue.book(|ledger| ledger.export(batch.len() as u64));
            }
            Sink::Discard => self.queue.book(|ledger| ledger.export(batch.len() as u64)),
        }
    }

    async fn deliver_to(&mut self, http: &Http, batch: &[Arc<Span>]) {
        let began = Instant::now();
        let (mut accepted, mut searches) = (false, 0);
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            let count = part.len() as u64;
            let max_searches = match accepted {
                true => MAX_SEARCHES,
                false if self.mood.finds_all_malformed => MAX_HOPELESS_SEARCHES,
                false => MAX_BLIND_SEARCHES,
            };
            match self.send(http, part, began).await {
                Verdict::Accepted { rejected, why } => {
                    accepted = true;
                    let rejected = rejected.min(count);
                    self.queue.book(|ledger| ledger.export(count - rejected));
                    self.lose(http, rejected, DropReason::Rejected, &why);
                }
                Verdict::Split { search, .. }
                    if part.len() > 1 && (!search || searches < max_searches) =>
                {
                    searches += u32::from(search);
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Verdict::Split { reason, error, .. } | Verdict::Lost { reason, error } => {
                    self.lose(http, count, reason, &error);
                }
            }
        }
        let in_vain = searches >= MAX_BLIND_SEARCHES || self.mood.finds_all_malformed;
        self.mood.finds_all_malformed = !accepted && in_vain;
    }

    /// Sends spans in one request, repeated until it is clear what becomes of them.
    async fn send(&mut self, http: &Http, spans: &[Arc<Span>], began: Instant) -> Verdict {
        let encoding = Instant::now();
        let body = Body::of(spans, &self.style, http.target(), self.limits.batch_bytes);
        self.queue.book(|ledger| ledger.encoded(encoding.elapsed()));
        let body = match body {
            Ok(body) => body,
            Err(Unfit::TooLarge) => {
                return Verdict::split(DropReason::TooLarge, String::new(), false);
            }
            Err(Unfit::Panicked) => {
                let error = "a value in a span panicked when it was rendered".to_owned();
                return Verdict::split(DropReason::Unencodable, error, false);
            }
        };

        let mut backoff = Backoff::new(self.limits.first_backoff, self.limits.longest_backoff);
        let mut retry = false;
        loop {
            self.queue.book(|ledger| ledger.requested(body.raw, body.bytes.len(), retry));
            let (error, after) = match http.post(&body).await {
                Answer::Later { error, after } => (error, after),
                answer => {
                    self.mood.told_outage = false;
                    return Verdict::from(answer);
                }
            };
            let left = self.limits.give_up_after.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Verdict::Lost { reason: DropReason::Undeliverable, error };
            }
            self.queue.book(|ledger| ledger.failed(&error));
            self.tell_outage(&error);
            self.tell_overflow();
            pause(&self.queue, &mut backoff, after, left).await;
            retry = true;
        }
    }

    fn lose(&self, http: &Http, count: u64, reason: DropReason, error: &str) {
        if count == 0 {
            return;
        }
        let first = self.queue.book(|ledger| {
            ledger.failed(error);
            ledger.lose(count, reason)
        });
        let name = self.queue.name();
        match reason {
            _ if !first => (),
            DropReason::Unauthorized => {
                let check = http.target().check;
                tracing::error!(
                    "{name} does not accept the credentials, so no span gets there: {error}; {check}"
                );
            }
            _ => tracing::warn!(
                "{name} lost {count} spans ({reason}), further ones are only counted: {error}"
            ),
        }
    }

    fn tell_outage(&mut self, error: &str) {
        if !std::mem::replace(&mut self.mood.told_outage, true) {
            let (name, time) = (self.queue.name(), self.limits.give_up_after);
            tracing::warn!("{name} does not take spans, each batch is tried for {time:?}: {error}");
        }
    }

    /// Tells that spans were dropped, if so. It is told here and not where it happens, since logging is I/O.
    pub(crate) fn tell_overflow(&mut self) {
        if self.mood.told_overflow {
            return;
        }
        let lost = self.queue.book(|ledger| ledger.lost(DropReason::Overflow));
        if lost > 0 {
            self.mood.told_overflow = true;
            let name = self.queue.name();
            tracing::warn!(
                "{name} lost {lost} spans (overflow), further ones are only counted: its queue is full; lengthen it \
                 with OTEL_BSP_MAX_QUEUE_SIZE, or sample"
            );
        }
    }
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Accepted { rejected, why } => Self::Accepted { rejected, why },
            Answer::TooLarge(error) => Self::split(DropReason::TooLarge, error, false),
            Answer::Malformed(error) => Self::split(DropReason::Rejected, error, true),
            Answer::Unauthorized(error) => Self::Lost { reason: DropReason::Unauthorized, error },
            Answer::Refused(error) => Self::Lost { reason: DropReason::Rejected, error },
            Answer::Later { error, .. } => Self::Lost { reason: DropReason::Undeliverable, error },
        }
    }
}

impl Verdict {
    const fn split(reason: DropReason, error: String, search: bool) -> Self {
        Self::Split { reason, error, search }
    }
}

/// Pauses before the next try. Whoever waits for a flush cuts our own pauses short, but not the destination's.
async fn pause(queue: &Queue, backoff: &mut Backoff, after: Option<Duration>, left: Duration) {
    let own = backoff.draw();
    match after {
        Some(after) => tokio::time::sleep(after.max(own).min(left)).await,
        None => tokio::select! {
            () = tokio::time::sleep(own.min(left)) => (),
            () = queue.hurried() => {
                backoff.restart();
                tokio::time::sleep(POLITE_PAUSE.min(left)).await;
            }
        },
    }
}

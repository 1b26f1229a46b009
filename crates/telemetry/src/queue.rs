//! The bounded queue between the program and a destination's worker. Flush and stop travel in it with the spans.
//!
//! The program puts spans into an inbox, which takes no lock. Whoever has the lock sorts them into three lanes: spans
//! that may be dropped, spans that should not be (roots and errors), and orders. Each entry has a number, and the lanes
//! are read as one, in that order. So making room is a `pop_front` of the right lane. It is made by the worker, or by the
//! program if the worker does not get there in time and nobody else has the lock: the program never waits for it.

use crate::health::{DestinationHealth, DropReason, HealthChange, Listeners};
use crate::ledger::{Ledger, Origin, Told};
use crate::limits::Limits;
use crate::sampling::{Held, Offer, Sampling};
use crate::starts::Starts;
use crossbeam_queue::SegQueue;
use glassbox_trace::id::TraceId;
use glassbox_trace::span::{RemoteParent, Span};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

mod fill;
mod notes;
mod slumber;

use fill::{Fill, Level, MOST_BYTES, MOST_SPANS, bounded};

/// What the worker is to do.
pub(crate) enum Message {
    /// Export these spans.
    Export(Vec<Arc<Span>>),
    /// All spans that were queued before have been taken: tell when they are done.
    Flush(Reply),
    /// All spans that were queued before have been taken: tell when they are done, and end.
    Stop(Reply),
}

/// Tells what became of the spans before an order, and returns whether anybody heard. Dropped untold where there is no
/// worker any more.
pub(crate) type Reply = Box<dyn FnOnce(Told) -> bool + Send>;

/// What the worker is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Orders, if no span is before them.
    Orders,
    /// Spans that waited long enough, or are enough for a request, or are before an order.
    Spans { due: bool },
    /// Spans that are before an order.
    Ordered,
    /// As many spans as a request may have.
    FullBatch,
    /// Spans that are more than half of what memory may hold.
    Excess,
    /// Whatever there is.
    All,
}

pub(crate) struct Queue {
    name: Arc<str>,
    sampling: Sampling,
    limits: Limits,
    inbox: SegQueue<(Arc<Span>, usize)>,
    /// How full inbox and lanes are together.
    fill: Fill,
    sampled_out: AtomicU64,
    /// Spans that came when nothing was let in any more.
    late: AtomicU64,
    is_closed: AtomicBool,
    /// Somebody waits for a flush or stop: pauses are to be cut short.
    is_hurried: AtomicBool,
    /// The worker sleeps until somebody wakes it.
    is_asleep: AtomicBool,
    /// Nanoseconds of processor time that the worker has used.
    worker_cpu: AtomicU64,
    state: Mutex<State>,
    /// There is something new to look at.
    woken: Notify,
    listeners: Listeners,
    /// Spans that begin and end, from when the destination is known to want to be told of them.
    starts: OnceLock<Arc<Starts>>,
    slumber: slumber::Slumber,
}

#[derive(Default)]
struct State {
    next_number: u64,
    common: VecDeque<Entry<(Arc<Span>, usize)>>,
    precious: VecDeque<Entry<(Arc<Span>, usize)>>,
    orders: VecDeque<Entry<Message>>,
    /// The sum of the weights of the spans in the lanes.
    bytes: usize,
    /// Spans that are not in the sample, though their trace may still fail.
    held: Held,
    stop_by: Option<Instant>,
    ledger: Ledger,
}

struct Entry<T> {
    number: u64,
    content: T,
}

impl Queue {
    pub(crate) fn new(name: Arc<str>, sampling: Sampling, mut limits: Limits) -> Self {
        limits.queue_spans = limits.queue_spans.clamp(1, MOST_SPANS);
        limits.queue_bytes = limits.queue_bytes.min(MOST_BYTES);
        limits.batch_spans = limits.batch_spans.max(1);
        Self {
            name,
            sampling,
            limits,
            inbox: SegQueue::new(),
            fill: Fill::default(),
            sampled_out: AtomicU64::new(0),
            late: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            is_hurried: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            worker_cpu: AtomicU64::new(0),
            state: Mutex::default(),
            woken: Notify::new(),
            listeners: Listeners::default(),
            starts: OnceLock::new(),
            slumber: slumber::Slumber::default(),
        }
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Tells whether a trace is in the sample.
    pub(crate) fn keeps(&self, trace_id: TraceId, parent: Option<&RemoteParent>) -> bool {
        self.sampling.keeps_trace(trace_id, parent)
    }

    /// Queues a span of a weight. Never waits.
    pub(crate) fn push(&self, span: &Arc<Span>, weight: usize) {
        if self.slumber.lasts() {
            return;
        }
        let is_closed = self.is_closed.load(Ordering::Relaxed);
        if let Some(starts) = self.starts.get() {
            starts.end(span.span_id);
        }
        if !self.sampling.keeps(span) && (is_closed || !self.sampling.holds()) {
            self.sampled_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if is_closed {
            self.late.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Counted first: what is taken out was counted before.
        let (before, after) = self.fill.add(weight);
        self.inbox.push((Arc::clone(span), bounded(weight)));
        if self.is_overfull(after) {
            self.try_to_make_room();
        }
        if self.wakes(before, after) {
            self.woken.notify_one();
        }
    }

    /// The worker looks after each batch anyway, and while it dozes. It need be woken only when it sleeps before an empty
    /// queue, when a batch has become full, and when memory is half full.
    fn wakes(&self, before: Level, after: Level) -> bool {
        let limits = &self.limits;
        let passed = |mark: usize, of: fn(Level) -> usize| of(before) < mark && of(after) >= mark;
        (before.spans == 0 && self.is_asleep.load(Ordering::SeqCst))
            || passed(limits.batch_spans, |level| level.spans)
            || passed(limits.batch_bytes, |level| level.bytes)
            || (self.is_half_full(after) && !self.is_half_full(before))
    }

    /// Drops what is too much, unless somebody has the lock: then they, or the next who queues a span, will.
    fn try_to_make_room(&self) {
        // What is evicted is freed after the lock: it may own values of the program, of whatever size.
        let evicted = match self.state.try_lock() {
            Ok(mut state) => self.sort(&mut state),
            Err(TryLockError::Poisoned(state)) => self.sort(&mut state.into_inner()),
            Err(TryLockError::WouldBlock) => return,
        };
        drop(evicted);
    }

    /// Asks to be told when all spans queued so far are done.
    pub(crate) fn flush(&self, reply: Reply) {
        self.order(Message::Flush(reply), None);
    }

    /// Ends the worker when all spans queued so far are done, and by a certain time at the latest.
    pub(crate) fn stop(&self, reply: Reply, by: Instant) {
        self.order(Message::Stop(reply), Some(by));
    }

    fn order(&self, message: Message, stop_by: Option<Instant>) {
        let (mut state, evicted) = self.sorted();
        // Closed under the lock: either the worker finds the order, or it is dropped here, which tells as much.
        if !self.is_closed.load(Ordering::Relaxed) {
            let number = state.number();
            state.orders.push_back(Entry { number, content: message });
            state.stop_by = stop_by.or(state.stop_by);
            self.is_hurried.store(true, Ordering::Relaxed);
        }
        drop(state);
        drop(evicted);
        self.woken.notify_one();
    }

    /// Takes what is next, if it is what the worker is ready for.
    pub(crate) fn next(&self, ready: Ready) -> Option<Message> {
        let (mut state, evicted) = self.sorted();
        let level = state.level();
        let ordered = state.orders.front().map(|order| order.number);
        let is_spans_turn =
            state.oldest().is_some_and(|oldest| ordered.is_none_or(|order| oldest < order));
        let is_full =
            level.spans >= self.limits.batch_spans || level.bytes >= self.limits.batch_bytes;
        let takes_spans = is_spans_turn
            && match ready {
                Ready::Orders => false,
                Ready::Spans { due } => due || is_full || ordered.is_some(),
                Ready::Ordered => ordered.is_some(),
                Ready::FullBatch => is_full,
                Ready::Excess => self.is_half_full(level),
                Ready::All => true,
            };
        let next = if takes_spans {
            Some(self.batch(&mut state, ordered.unwrap_or(u64::MAX)))
        } else if is_spans_turn {
            None
        } else {
            state.orders.pop_front().map(|order| order.content)
        };
        drop(state);
        drop(evicted);
        next
    }

    /// Takes spans that were queued before an order, as many as one request may have.
    fn batch(&self, state: &mut State, before: u64) -> Message {
        let limits = &self.limits;
        let mut spans = Vec::with_capacity(state.level().spans.min(limits.batch_spans));
        let mut bytes = 0;
        while spans.len() < limits.batch_spans {
            let lane = match (state.common.front(), state.precious.front()) {
                (Some(common), Some(precious)) if common.number > precious.number => {
                    &mut state.precious
                }
                (None, _) => &mut state.precious,
                _ => &mut state.common,
            };
            let fits = |weight| spans.is_empty() || bytes + weight <= limits.batch_bytes;
            let Some(entry) =
                lane.pop_front_if(|entry| entry.number < before && fits(entry.content.1))
            else {
                break;
            };
            bytes += entry.content.1;
            spans.push(entry.content.0);
        }
        state.bytes -= bytes;
        self.fill.remove(spans.len(), bytes);
        state.ledger.in_flight += spans.len() as u64;
        Message::Export(spans)
    }

    /// Tells whoever listens what happened. Not under the lock, and not from the program's threads.
    pub(crate) fn tell(&self, change: HealthChange) {
        self.listeners.tell(&self.name, change);
    }

    pub(crate) const fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Tells whether spans wait.
    pub(crate) fn has_spans(&self) -> bool {
        self.fill.level().spans > 0
    }

    /// Waits until there is something new, and returns since when the oldest span may wait: what is known of that, or
    /// since the queue was found empty.
    ///
    /// From an empty queue the worker first dozes, for as long as a span may wait for others. The span that comes then
    /// need not wake it, which would cost the program a system call for each batch. If none comes, it falls asleep.
    pub(crate) async fn woken(&self, oldest: Option<Instant>) -> Option<Instant> {
        if oldest.is_some() {
            self.woken.notified().await;
            return oldest;
        }
        let mut empty = Instant::now();
        let nobody_woke = !self.has_spans()
            && tokio::time::timeout(self.limits.batch_age, self.woken.notified()).await.is_err();
        if nobody_woke && !self.has_spans() {
            // It says so before it looks again: whoever queues a span after that look knows.
            self.is_asleep.store(true, Ordering::SeqCst);
            if !self.has_spans() {
                self.woken.notified().await;
            }
            self.is_asleep.store(false, Ordering::SeqCst);
            empty = Instant::now();
        }
        self.has_spans().then_some(empty)
    }

    /// Tells, once, whether somebody began to wait for a flush or stop.
    pub(crate) fn takes_hurry(&self) -> bool {
        self.is_hurried.swap(false, Ordering::Relaxed)
    }

    /// Returns the time by which to stop, if that was said.
    pub(crate) fn stop_by(&self) -> Option<Instant> {
        self.state().stop_by
    }

    /// Tells what became of the spans since the last answer that was heard: one who has lost patience must not take the
    /// news away from the next.
    pub(crate) fn answer(&self, reply: Reply) {
        let told = self.book(Ledger::tell);
        let (exported, lost) = (told.exported, told.lost);
        if !reply(told) {
            self.book(|ledger| ledger.untell(exported, lost));
        }
    }

    /// Books in the ledger.
    pub(crate) fn book<T>(&self, booking: impl FnOnce(&mut Ledger) -> T) -> T {
        booking(&mut self.state().ledger)
    }

    /// Lets nothing in any more, counts what is left as lost, and answers whoever waits.
    pub(crate) fn close(&self) {
        let (mut state, evicted) = self.sorted();
        self.is_closed.store(true, Ordering::Relaxed);
        let spans = (std::mem::take(&mut state.common), std::mem::take(&mut state.precious));
        let orders = std::mem::take(&mut state.orders);
        let held = state.held.clear();
        self.sampled_out.fetch_add(held.len() as u64, Ordering::Relaxed);
        let count = spans.0.len() + spans.1.len();
        let in_flight = state.ledger.in_flight;
        state.ledger.lose(in_flight, DropReason::Shutdown, Origin::Memory);
        state.ledger.drop_waiting(count as u64, DropReason::Shutdown);
        self.fill.remove(count, std::mem::take(&mut state.bytes));
        drop(state);
        drop((spans, held, evicted));
        self.listeners.end();
        for order in orders {
            if let Message::Flush(reply) | Message::Stop(reply) = order.content {
                self.answer(reply);
            }
        }
    }

    /// Notes how much processor time the worker has used since it began.
    pub(crate) fn set_worker_cpu(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.worker_cpu.store(nanos, Ordering::Relaxed);
    }

    pub(crate) fn health(&self) -> DestinationHealth {
        let (state, evicted) = self.sorted();
        let mut health = state.ledger.health(&self.name, state.level().spans as u64);
        health.held = state.held.len() as u64;
        health.unannounced = self.starts.get().map_or(0, |starts| starts.dropped());
        drop(state);
        drop(evicted);
        let late = self.late.load(Ordering::Relaxed);
        health.ended += late;
        health.dropped.add(DropReason::Shutdown, late);
        health.sampled_out += self.sampled_out.load(Ordering::Relaxed);
        health.worker_cpu = Duration::from_nanos(self.worker_cpu.load(Ordering::Relaxed));
        debug_assert!(health.is_balanced(), "{health:?}");
        health
    }

    /// Locks, with nothing left in the inbox that was there before. What had to be evicted is to be freed after the lock.
    fn sorted(&self) -> (MutexGuard<'_, State>, Vec<Arc<Span>>) {
        let mut state = self.state();
        let evicted = self.sort(&mut state);
        (state, evicted)
    }

    /// Sorts the inbox into the lanes, and makes room. A span counts as ended from here on.
    fn sort(&self, state: &mut State) -> Vec<Arc<Span>> {
        let mut evicted = Vec::new();
        // Not forever: others may be filling it as fast.
        for _ in 0..self.inbox.len() {
            let Some((span, weight)) = self.inbox.pop() else { break };
            if self.sampling.keeps(&span) {
                self.admit(state, span, weight, &mut evicted);
                continue;
            }
            self.fill.remove(1, weight);
            let Offer { released, forgotten } = state.held.offer(span, weight);
            self.sampled_out.fetch_add(forgotten.len() as u64, Ordering::Relaxed);
            evicted.extend(forgotten);
            for (span, weight) in released {
                self.fill.add(weight);
                self.admit(state, span, weight, &mut evicted);
            }
        }
        evicted
    }

    /// Puts a span into its lane, and makes room.
    fn admit(
        &self,
        state: &mut State,
        span: Arc<Span>,
        weight: usize,
        evicted: &mut Vec<Arc<Span>>,
    ) {
        state.ledger.ended += 1;
        if self.is_closed.load(Ordering::Relaxed) {
            self.fill.remove(1, weight);
            state.ledger.drop_waiting(1, DropReason::Shutdown);
            evicted.push(span);
            return;
        }
        let is_precious = span.is_local_root() || span.status.is_error();
        let entry = Entry { number: state.number(), content: (span, weight) };
        if is_precious {
            state.precious.push_back(entry);
        } else {
            state.common.push_back(entry);
        }
        state.bytes += weight;
        while self.is_overfull(state.level()) {
            let lanes = (&mut state.common, &mut state.precious);
            let Some(entry) = lanes.0.pop_front().or_else(|| lanes.1.pop_front()) else {
                break;
            };
            let (span, weight) = entry.content;
            state.bytes -= weight;
            self.fill.remove(1, weight);
            state.ledger.drop_waiting(1, DropReason::Overflow);
            evicted.push(span);
        }
    }

    /// A span that is heavier than the whole queue may still wait alone.
    const fn is_overfull(&self, level: Level) -> bool {
        level.spans > self.limits.queue_spans
            || (level.bytes > self.limits.queue_bytes && level.spans > 1)
    }

    const fn is_half_full(&self, level: Level) -> bool {
        level.spans > self.limits.queue_spans / 2 || level.bytes > self.limits.queue_bytes / 2
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock, and telemetry must not fail even so.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn level(&self) -> Level {
        Level { spans: self.common.len() + self.precious.len(), bytes: self.bytes }
    }

    fn oldest(&self) -> Option<u64> {
        let oldest = [self.common.front(), self.precious.front()];
        oldest.into_iter().flatten().map(|entry| entry.number).min()
    }

    const fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.name).finish_non_exhaustive()
    }
}

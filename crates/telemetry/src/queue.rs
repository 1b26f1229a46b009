//! The bounded queue between the program and a destination's worker. Flush and stop travel in it with the spans.
//!
//! It has three lanes: spans that may be dropped, spans that should not be (roots and errors), and orders. Each entry
//! has a number, and the lanes are read as one, in that order. So making room is a `pop_front` of the right lane.

use crate::health::{DestinationHealth, DropReason};
use crate::ledger::{Ledger, Told};
use crate::limits::Limits;
use crate::sampling::Sampling;
use glassbox_trace::span::Span;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// What the worker is to do.
pub(crate) enum Message {
    /// Export these spans. `last` tells whether none is left in the queue.
    Export { spans: Vec<Arc<Span>>, last: bool },
    /// All spans that were queued before are done: tell so.
    Flush(Reply),
    /// All spans that were queued before are done: tell so and end.
    Stop(Reply),
}

/// Tells what became of the spans before an order, and returns whether anybody heard. Dropped untold where there is no
/// worker any more.
pub(crate) type Reply = Box<dyn FnOnce(Told) -> bool + Send>;

/// What is next.
pub(crate) enum Next {
    Message(Message),
    /// Spans wait, though not enough of them, nor for long enough.
    Later,
    Nothing,
}

pub(crate) struct Queue {
    name: Arc<str>,
    sampling: Sampling,
    limits: Limits,
    state: Mutex<State>,
    /// There is something new to look at.
    woken: Notify,
    /// Somebody waits for a flush or stop: pauses are to be cut short.
    hurried: Notify,
    /// The time by which to stop was set.
    stopping: Notify,
}

#[derive(Default)]
struct State {
    next_number: u64,
    common: VecDeque<Entry<(Arc<Span>, usize)>>,
    precious: VecDeque<Entry<(Arc<Span>, usize)>>,
    orders: VecDeque<Entry<Message>>,
    /// The sum of the weights of the spans.
    bytes: usize,
    closed: bool,
    stop_by: Option<Instant>,
    ledger: Ledger,
}

struct Entry<T> {
    number: u64,
    content: T,
}

impl Queue {
    pub(crate) fn new(name: Arc<str>, sampling: Sampling, limits: Limits) -> Self {
        Self {
            name,
            sampling,
            limits,
            state: Mutex::default(),
            woken: Notify::new(),
            hurried: Notify::new(),
            stopping: Notify::new(),
        }
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Queues a span of a weight. Never waits for anything but the lock, which nobody holds for long.
    pub(crate) fn push(&self, span: &Arc<Span>, weight: usize) {
        let kept = self.sampling.keeps(span.trace_id);
        // What is evicted is freed after the lock: it may own values of the program, of whatever size.
        let mut evicted = Vec::new();
        let wake = {
            let mut state = self.state();
            if kept {
                state.push(span, weight, &self.limits, &mut evicted)
            } else {
                state.ledger.sampled_out += 1;
                false
            }
        };
        if wake {
            self.woken.notify_one();
        }
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
        {
            let mut state = self.state();
            if state.closed {
                return;
            }
            let number = state.number();
            state.orders.push_back(Entry { number, content: message });
            state.stop_by = stop_by.or(state.stop_by);
        }
        self.woken.notify_one();
        self.hurried.notify_one();
        self.stopping.notify_one();
    }

    /// Takes what is next. Spans become a batch when they are enough, `due`, or an order waits behind them.
    pub(crate) fn next(&self, due: bool) -> Next {
        let limits = &self.limits;
        let mut state = self.state();
        let waiting = state.waiting();
        let ordered = state.orders.front().map(|order| order.number);
        let oldest = state.oldest();
        match (oldest, ordered) {
            (None, None) => Next::Nothing,
            (Some(number), Some(order)) if number < order => {
                Next::Message(state.batch(limits, order))
            }
            (_, Some(_)) => {
                state.orders.pop_front().map_or(Next::Nothing, |order| Next::Message(order.content))
            }
            (Some(_), None) => {
                let enough = waiting >= limits.batch_spans || state.bytes >= limits.batch_bytes;
                if due || enough {
                    Next::Message(state.batch(limits, u64::MAX))
                } else {
                    Next::Later
                }
            }
        }
    }

    /// Waits until there is something new.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Waits until somebody waits for a flush or stop.
    pub(crate) async fn hurried(&self) {
        self.hurried.notified().await;
    }

    /// Waits until the time by which to stop has come.
    pub(crate) async fn overdue(&self) {
        loop {
            let stop_by = self.state().stop_by;
            match stop_by {
                Some(time) => return tokio::time::sleep_until(time.into()).await,
                None => self.stopping.notified().await,
            }
        }
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
        let (orders, spans) = {
            let mut state = self.state();
            state.closed = true;
            state.bytes = 0;
            let spans = (std::mem::take(&mut state.common), std::mem::take(&mut state.precious));
            let in_flight = state.ledger.in_flight;
            state.ledger.lose(in_flight, DropReason::Shutdown);
            state.ledger.drop_waiting((spans.0.len() + spans.1.len()) as u64, DropReason::Shutdown);
            (std::mem::take(&mut state.orders), spans)
        };
        drop(spans);
        for order in orders {
            if let Message::Flush(reply) | Message::Stop(reply) = order.content {
                self.answer(reply);
            }
        }
    }

    pub(crate) fn health(&self) -> DestinationHealth {
        let state = self.state();
        let health = state.ledger.health(&self.name, state.waiting() as u64);
        debug_assert!(health.is_balanced(), "{health:?}");
        health
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock, and telemetry must not fail even so.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(
        &mut self,
        span: &Arc<Span>,
        weight: usize,
        limits: &Limits,
        evicted: &mut Vec<Arc<Span>>,
    ) -> bool {
        self.ledger.ended += 1;
        if self.closed {
            self.ledger.drop_waiting(1, DropReason::Shutdown);
            return false;
        }
        let (waited, bytes_before) = (self.waiting(), self.bytes);
        let entry = Entry { number: self.number(), content: (Arc::clone(span), weight) };
        let is_precious = span.parent_id.is_none() || span.status.is_error();
        if is_precious {
            self.precious.push_back(entry)
        } else {
            self.common.push_back(entry)
        }
        self.bytes += weight;

        // A span that is heavier than the whole queue may still wait alone.
        while self.waiting() > limits.queue_spans.max(1)
            || (self.bytes > limits.queue_bytes && self.waiting() > 1)
        {
            let Some(entry) = self.common.pop_front().or_else(|| self.precious.pop_front()) else {
                break;
            };
            let (span, weight) = entry.content;
            self.bytes -= weight;
            self.ledger.drop_waiting(1, DropReason::Overflow);
            evicted.push(span);
        }

        // The worker looks after each batch anyway. It need be woken only when it may sleep: from an empty queue,
        // and when a batch has become full.
        waited == 0
            || (waited < limits.batch_spans && self.waiting() >= limits.batch_spans)
            || (bytes_before < limits.batch_bytes && self.bytes >= limits.batch_bytes)
    }

    /// Takes spans that were queued before an order, as many as one request may have.
    fn batch(&mut self, limits: &Limits, before: u64) -> Message {
        let mut spans = Vec::with_capacity(self.waiting().min(limits.batch_spans));
        let mut bytes = 0;
        while spans.len() < limits.batch_spans.max(1) {
            let lane = match (self.common.front(), self.precious.front()) {
                (Some(common), Some(precious)) if common.number > precious.number => {
                    &mut self.precious
                }
                (None, _) => &mut self.precious,
                _ => &mut self.common,
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
        self.bytes -= bytes;
        self.ledger.in_flight += spans.len() as u64;
        Message::Export { spans, last: self.waiting() == 0 }
    }

    fn waiting(&self) -> usize {
        self.common.len() + self.precious.len()
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

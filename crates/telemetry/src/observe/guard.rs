//! The guard of an observation: it flushes when it is dropped, and tells what was lost.

use crate::destination::DestinationInfo;
use crate::health::{Health, HealthEvents};
use crate::ledger::Told;
use crate::processor::AsyncSpanProcessor;
use crate::queue::{Queue, Reply};
use crate::report::{FlushError, FlushReport};
use glassbox_events::bus::Subscription;
use std::any::Any;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::WeakUnboundedSender;

/// Observes and exports until it is dropped. Dropping it exports what is left, within the flush deadline, and tells
/// what was lost.
#[must_use = "observing ends when this is dropped; write `let _observing = ..`, not `let _ = ..`"]
#[derive(Debug)]
pub struct Observing {
    processor: Arc<AsyncSpanProcessor>,
    /// They begin when a destination is there.
    subscriptions: Arc<Subscriptions>,
    infos: Vec<DestinationInfo>,
    flush_deadline: Duration,
    /// What ends with it.
    kept: Vec<Box<dyn Any + Send + Sync>>,
    ended: bool,
}

impl Observing {
    pub(super) fn new(
        processor: Arc<AsyncSpanProcessor>,
        subscriptions: Arc<Subscriptions>,
        infos: Vec<DestinationInfo>,
        flush_deadline: Duration,
    ) -> Self {
        let kept = Vec::new();
        Self { processor, subscriptions, infos, flush_deadline, kept, ended: false }
    }

    /// Keeps a value until observing ends, such as the guard of something else that observes.
    pub fn keep(&mut self, value: impl Any + Send + Sync) {
        self.kept.push(Box::new(value));
    }

    /// Returns how the export is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.processor.health()
    }

    /// Returns what happens to the export from now on: that a destination went down, that spans are lost.
    #[must_use]
    pub fn health_events(&self) -> HealthEvents {
        let (sender, events) = HealthEvents::channel();
        for queue in self.processor.queues() {
            queue.listeners().add(sender.clone());
        }
        events
    }

    /// Returns the destinations.
    #[must_use]
    pub fn destinations(&self) -> &[DestinationInfo] {
        &self.infos
    }

    /// Returns the processor, for spans that do not come from the bus.
    #[must_use]
    pub const fn processor(&self) -> &Arc<AsyncSpanProcessor> {
        &self.processor
    }

    /// Waits until every span that has ended so far is exported or given up, and returns what became of the spans
    /// since the last flush. A destination that is down is tried for as long as its limits say, so put a timeout around
    /// it where that matters. Needs no Tokio runtime.
    ///
    /// # Errors
    ///
    /// Some spans since the last flush could not be delivered.
    pub async fn flush(&self) -> Result<FlushReport, FlushError> {
        self.answers(None, Queue::flush).await.into_result()
    }

    /// Waits as [`flush`](Self::flush) does, blocking the thread for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Some spans since the last flush could not be delivered, or not yet.
    pub fn flush_blocking(&self, timeout: Duration) -> Result<FlushReport, FlushError> {
        self.answers_by(Instant::now() + timeout, Queue::flush).into_result()
    }

    /// Exports what is left, within the flush deadline, and ends. Needs no Tokio runtime.
    ///
    /// # Errors
    ///
    /// Some spans since the last flush could not be delivered.
    pub async fn shutdown(mut self) -> Result<FlushReport, FlushError> {
        self.kept.clear();
        self.subscriptions.end();
        let (deadline, stop_by) = self.deadlines();
        let report = self.answers(Some(deadline), |queue, reply| queue.stop(reply, stop_by)).await;
        self.ended = true;
        self.tell_losses();
        report.into_result()
    }

    /// Returns the time by which to be done. The workers give up a little earlier, so that they can still say so.
    fn deadlines(&self) -> (Instant, Instant) {
        let deadline = Instant::now() + self.flush_deadline;
        let margin = (self.flush_deadline / 10).min(Duration::from_millis(100));
        (deadline, deadline - margin)
    }

    /// Gives every queue an order and waits for the answers, or until the time has come.
    async fn answers(
        &self,
        deadline: Option<Instant>,
        order: impl Fn(&Queue, Reply),
    ) -> FlushReport {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        for (at, queue) in self.processor.queues().iter().enumerate() {
            let sender = sender.clone();
            order(queue, Box::new(move |told| sender.send(Some((at, told))).is_ok()));
        }
        let _timer = deadline.map(|deadline| timer(deadline, sender.downgrade()));
        drop(sender);
        let mut answers = Vec::new();
        // Ends when every queue has answered, or has no worker any more, or with the time.
        while let Some(Some(answer)) = receiver.recv().await {
            answers.push(answer);
        }
        self.report(answers)
    }

    /// Gives every queue an order and blocks until the answers are there, or the time has come.
    fn answers_by(&self, deadline: Instant, order: impl Fn(&Queue, Reply)) -> FlushReport {
        let (sender, receiver) = mpsc::channel();
        for (at, queue) in self.processor.queues().iter().enumerate() {
            let sender = sender.clone();
            order(queue, Box::new(move |told| sender.send((at, told)).is_ok()));
        }
        drop(sender);
        let mut answers = Vec::new();
        while let Ok(answer) =
            receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            answers.push(answer);
        }
        self.report(answers)
    }

    fn report(&self, mut answers: Vec<(usize, Told)>) -> FlushReport {
        let mut report = FlushReport::default();
        for (at, queue) in self.processor.queues().iter().enumerate() {
            let answered = answers.iter().position(|(queue, _)| *queue == at);
            let told = answered.map(|answer| answers.swap_remove(answer).1);
            // One that has not been there yet was given nothing.
            if !queue.slumbers() {
                report.add(queue, told);
            }
        }
        report
    }

    /// Tells the total of what was lost, if anything was.
    fn tell_losses(&self) {
        for health in self.health().destinations {
            let lost = health.dropped.total() + health.queued + health.in_flight;
            if lost > 0 {
                let (name, ended) = (&health.name, health.ended);
                let error = health.last_error.as_deref().unwrap_or("no time was left");
                tracing::warn!(
                    "{name} lost {lost} of {ended} spans ({}); last error: {error}",
                    health.dropped
                );
            }
            if health.spooled > 0 {
                let (name, spooled) = (&health.name, health.spooled);
                tracing::warn!(
                    "{spooled} spans are kept on disk; the next process sends them to {name}"
                );
            }
        }
    }
}

impl Drop for Observing {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.kept.clear();
        self.subscriptions.end();
        let (deadline, stop_by) = self.deadlines();
        self.answers_by(deadline, |queue, reply| queue.stop(reply, stop_by));
        self.tell_losses();
    }
}

/// What is heard of the bus, until it ends.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<Option<Vec<Subscription>>>);

impl Subscriptions {
    /// Hears nothing yet.
    pub(super) fn none() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// Begins to hear, unless it does or has ended.
    pub(super) fn begin(&self, subscribe: impl FnOnce() -> Vec<Subscription>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(all) = all.as_mut().filter(|all| all.is_empty()) {
            *all = subscribe();
        }
    }

    fn end(&self) {
        // Dropped after the lock: whoever hears an event at this moment is waited for.
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(ended);
    }
}

/// Sends `None` when the time has come, unless what it returns is dropped before. A worker in which a value of the
/// program hangs cannot keep the time itself, and a runtime's clock is not at hand everywhere.
fn timer(
    deadline: Instant,
    over: WeakUnboundedSender<Option<(usize, Told)>>,
) -> Option<mpsc::Sender<()>> {
    let (alive, waits) = mpsc::channel();
    let keep_time = move || {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_over = matches!(waits.recv_timeout(left), Err(RecvTimeoutError::Timeout));
        if let Some(over) = over.upgrade().filter(|_| is_over) {
            // Whoever waited may just have got the last answer.
            let _ = over.send(None);
        }
    };
    // Without a thread to spare, the workers keep the time, as they nearly always do.
    thread::Builder::new().name("glassbox-timer".to_owned()).spawn(keep_time).ok().map(|_| alive)
}

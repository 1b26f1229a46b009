//! Where telemetry begins and ends: the builder, and the guard that flushes when it is dropped.

use crate::body::BodyStyle;
use crate::config::Settings;
use crate::delivery::{Delivery, Sink};
use crate::destination::{Destination, DestinationInfo, Target};
use crate::error::{ConfigError, Kind};
use crate::health::Health;
use crate::http::Http;
use crate::ledger::Told;
use crate::processor::AsyncSpanProcessor;
use crate::queue::{Queue, Reply};
use crate::recorder::Recorder;
use crate::report::{FlushError, FlushReport};
use crate::worker;
use glassbox_events::bus::{Bus, Subscription};
use glassbox_trace::otlp::Resource;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Observes what happens on the bus of the process, and exports it to wherever the environment says:
/// see [`config`](crate::config). Keep the guard until the program ends.
///
/// ```
/// fn main() -> Result<(), glassbox_telemetry::error::ConfigError> {
///     let _observing = glassbox_telemetry::observe::observe()?;
///     // ... the program ...
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// A variable has a value that makes no sense; the error says what to write instead.
pub fn observe() -> Result<Observing, ConfigError> {
    Observe::from_env()?.start()
}

/// Says what to observe and where to export it.
///
/// ```
/// use glassbox_telemetry::{destination::Destination, observe::Observe};
/// let memory = Destination::memory();
/// let observing = Observe::new().destination(&memory).service_name("coffee-shop").start()?;
/// assert_eq!(observing.health().destinations[0].exported, 0);
/// # Ok::<(), glassbox_telemetry::error::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is observed until it is started"]
pub struct Observe {
    bus: Bus,
    destinations: Vec<Destination>,
    resource: Resource,
    capture_content: bool,
    flush_deadline: Duration,
    measure_hot_path: bool,
}

impl Default for Observe {
    fn default() -> Self {
        Self::new()
    }
}

impl Observe {
    /// Begins with the bus of the process and no destination.
    pub fn new() -> Self {
        Self {
            bus: Bus::global(),
            destinations: Vec::new(),
            resource: Resource::new("unknown_service"),
            capture_content: true,
            flush_deadline: Duration::from_secs(5),
            measure_hot_path: false,
        }
    }

    /// Begins with what the environment says, and tells what is odd about it.
    ///
    /// # Errors
    ///
    /// A variable has a value that makes no sense; the error says what to write instead.
    pub fn from_env() -> Result<Self, ConfigError> {
        let settings = Settings::from_env()?;
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        match settings.disabled_by {
            Some(variable) => tracing::info!("telemetry is off: {variable} is set"),
            None if settings.destinations.is_empty() => tracing::info!(
                "no telemetry is exported; set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, or OTEL_EXPORTER_OTLP_ENDPOINT"
            ),
            None => (),
        }
        Ok(Self::from_settings(settings))
    }

    /// Begins with settings that were read before.
    pub fn from_settings(settings: Settings) -> Self {
        let begun = Self::new();
        let mut resource = settings.resource;
        if resource.service_name.is_empty() {
            resource.service_name = begun.resource.service_name.clone();
        }
        Self { destinations: settings.destinations, resource, capture_content: settings.capture_content, ..begun }
    }

    /// Observes another bus than the process's.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.bus = bus.clone();
        self
    }

    /// Adds a destination.
    pub fn destination(mut self, destination: impl Into<Destination>) -> Self {
        self.destinations.push(destination.into());
        self
    }

    /// Names the service.
    pub fn service_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.resource.service_name = name.into();
        self
    }

    /// Sets the version of the service.
    pub fn service_version(mut self, version: impl Into<Arc<str>>) -> Self {
        self.resource.service_version = Some(version.into());
        self
    }

    /// Sets the environment of traces that name none, such as `production`.
    pub fn environment(mut self, environment: impl Into<Arc<str>>) -> Self {
        self.resource.environment = Some(environment.into());
        self
    }

    /// Sets the release of traces that name none, such as a commit.
    pub fn release(mut self, release: impl Into<Arc<str>>) -> Self {
        self.resource.release = Some(release.into());
        self
    }

    /// Adds a fact about the service, such as `service.instance.id`.
    pub fn resource_attribute(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.resource.attributes.push((key.into(), value.into()));
        self
    }

    /// Keeps inputs, outputs and messages back when it is off. Spans in memory keep them.
    pub const fn capture_content(mut self, capture: bool) -> Self {
        self.capture_content = capture;
        self
    }

    /// Sets how long the guard may wait for the last spans when it is dropped; 5 seconds by default.
    pub const fn flush_deadline(mut self, deadline: Duration) -> Self {
        self.flush_deadline = deadline;
        self
    }

    /// Measures what telemetry costs the program, at the cost of two readings of the clock a span.
    pub const fn measure_hot_path(mut self, measure: bool) -> Self {
        self.measure_hot_path = measure;
        self
    }

    /// Starts a worker for each destination and begins to observe.
    ///
    /// # Errors
    ///
    /// A thread or an HTTP client could not be made.
    pub fn start(self) -> Result<Observing, ConfigError> {
        let style = BodyStyle { resource: self.resource.into(), capture_content: self.capture_content };
        let infos = self.destinations.iter().map(Destination::info).collect();
        let mut processor = Starting(Vec::new());
        for destination in self.destinations {
            processor.0.push(start_worker(destination, style.clone())?);
        }
        let queues = std::mem::take(&mut processor.0);
        let has_destinations = !queues.is_empty();
        let processor = Arc::new(AsyncSpanProcessor::new(queues, self.measure_hot_path));
        // Without a destination nobody listens, so events are not even built.
        let subscriptions = if has_destinations {
            // The patterns are ours and match; if they did not, tests would show it.
            Recorder::new(Arc::clone(&processor)).subscribe(&self.bus).unwrap_or_default()
        } else {
            Vec::new()
        };
        Ok(Observing { processor, subscriptions, infos, flush_deadline: self.flush_deadline, ended: false })
    }
}

/// Stops the workers that were started already when another one cannot be.
struct Starting(Vec<Arc<Queue>>);

impl Drop for Starting {
    fn drop(&mut self) {
        for queue in &self.0 {
            queue.stop(Box::new(drop), Instant::now());
        }
    }
}

fn start_worker(destination: Destination, style: BodyStyle) -> Result<Arc<Queue>, ConfigError> {
    let (name, target, limits, sampling) = destination.into_parts();
    let queue = Arc::new(Queue::new(Arc::clone(&name), sampling, limits));
    let sink = match target {
        Target::Http(target) => {
            let http = Http::new(target, limits.request_timeout);
            let client_error = |problem| Kind::Client { destination: name.to_string(), problem };
            Sink::Http(Arc::new(http.map_err(client_error)?))
        }
        Target::Memory(memory) => {
            memory.attach(&queue);
            Sink::Memory(memory)
        }
    };
    worker::spawn(Delivery::new(Arc::clone(&queue), sink, limits, style))
        .map_err(|source| Kind::Worker { destination: name.to_string(), source })?;
    Ok(queue)
}

/// Observes and exports until it is dropped. Dropping it exports what is left, within the flush deadline, and tells
/// what was lost.
#[must_use = "observing ends when this is dropped; write `let _observing = ..`, not `let _ = ..`"]
#[derive(Debug)]
pub struct Observing {
    processor: Arc<AsyncSpanProcessor>,
    subscriptions: Vec<Subscription>,
    infos: Vec<DestinationInfo>,
    flush_deadline: Duration,
    ended: bool,
}

impl Observing {
    /// Returns how the export is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.processor.health()
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
        self.answers(Queue::flush).await.into_result()
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
        self.subscriptions.clear();
        let by = Instant::now() + self.flush_deadline;
        let report = self.answers(|queue, reply| queue.stop(reply, by)).await;
        self.ended = true;
        self.tell_losses();
        report.into_result()
    }

    /// Gives every queue an order and waits for the answers.
    async fn answers(&self, order: impl Fn(&Queue, Reply)) -> FlushReport {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        for (at, queue) in self.processor.queues().iter().enumerate() {
            let sender = sender.clone();
            order(queue, Box::new(move |told| _ = sender.send((at, told))));
        }
        drop(sender);
        let mut answers = Vec::new();
        // Ends when every queue has answered, or has no worker any more.
        while let Some(answer) = receiver.recv().await {
            answers.push(answer);
        }
        self.report(answers)
    }

    /// Gives every queue an order and blocks until the answers are there, or the time has come.
    fn answers_by(&self, deadline: Instant, order: impl Fn(&Queue, Reply)) -> FlushReport {
        let (sender, receiver) = mpsc::channel();
        for (at, queue) in self.processor.queues().iter().enumerate() {
            let sender = sender.clone();
            order(queue, Box::new(move |told| _ = sender.send((at, told))));
        }
        drop(sender);
        let mut answers = Vec::new();
        while let Ok(answer) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            answers.push(answer);
        }
        self.report(answers)
    }

    fn report(&self, mut answers: Vec<(usize, Told)>) -> FlushReport {
        let mut report = FlushReport::default();
        for (at, queue) in self.processor.queues().iter().enumerate() {
            let answered = answers.iter().position(|(queue, _)| *queue == at);
            report.add(queue, answered.map(|answer| answers.swap_remove(answer).1));
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
                tracing::warn!("{name} lost {lost} of {ended} spans ({}); last error: {error}", health.dropped);
            }
        }
    }
}

impl Drop for Observing {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.subscriptions.clear();
        let deadline = Instant::now() + self.flush_deadline;
        // The workers give up a little earlier, so that they can still say so.
        let margin = (self.flush_deadline / 10).min(Duration::from_millis(100));
        self.answers_by(deadline, |queue, reply| queue.stop(reply, deadline - margin));
        self.tell_losses();
    }
}

//! Where telemetry begins: what to observe, and where to export it.

use crate::body::BodyStyle;
use crate::config::Settings;
use crate::destination::{Destination, LiveTarget, Target};
use crate::error::{ConfigError, Kind};
use crate::exporter::Exporter;
use crate::http::Http;
use crate::live::Announcer;
use crate::lookout::Lookout;
use crate::mask::Masking;
use crate::processor::AsyncSpanProcessor;
use crate::queue::Queue;
use crate::recorder::Recorder;
use crate::spool::{Spool, SpoolConfig};
use crate::worker::{self, Work};
use glassbox_events::bus::Bus;
use glassbox_trace::otlp::{Content, Resource};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

mod guard;

pub use guard::Observing;

use guard::Subscriptions;

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
    /// One that is not there yet.
    later: Option<Destination>,
    spool: Option<SpoolConfig>,
    resource: Resource,
    content: Content,
    masking: Masking,
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
            later: None,
            spool: None,
            resource: Resource::new("unknown_service"),
            content: Content::Full,
            masking: Masking::default(),
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
                "no telemetry is exported; start glassbox serve, or set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, or \
                 OTEL_EXPORTER_OTLP_ENDPOINT"
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
        Self {
            destinations: settings.destinations,
            later: settings.later,
            spool: settings.spool,
            resource,
            content: settings.content,
            masking: settings.masking,
            ..begun
        }
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

    /// Keeps spans on disk that a destination does not take, until it does, or until the next process runs. What is
    /// written is encoded and masked as it is for the wire. Without it they wait in memory alone. It is on by default
    /// where the environment says what to observe ([`from_env`](Self::from_env)), and off where code does.
    pub fn spool(mut self, spool: impl Into<Option<SpoolConfig>>) -> Self {
        self.spool = spool.into();
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
    pub fn resource_attribute(
        mut self,
        key: impl Into<Arc<str>>,
        value: impl Into<Arc<str>>,
    ) -> Self {
        self.resource.attributes.push((key.into(), value.into()));
        self
    }

    /// Says how much of inputs, outputs and messages is exported: all with `true`, nothing with `false`, or only their
    /// [lengths](Content::Lengths). Spans in memory keep them.
    pub fn capture_content(mut self, content: impl Into<Content>) -> Self {
        self.content = content.into();
        self
    }

    /// Says what is masked in whatever leaves the process; keys, tokens and passwords by default. Spans in memory are not
    /// masked, since they do not leave it.
    ///
    /// ```
    /// use glassbox_telemetry::{mask::Masking, observe::Observe};
    /// let observe = Observe::new().masking(Masking::secrets().emails().card_numbers());
    /// ```
    pub fn masking(mut self, masking: Masking) -> Self {
        self.masking = masking;
        self
    }

    /// Masks with a function besides: it returns a text as it may leave the process.
    ///
    /// ```
    /// use glassbox_telemetry::observe::Observe;
    /// let observe = Observe::new().mask(|text| text.replace("ACME", "[customer]").into());
    /// ```
    pub fn mask<F>(mut self, function: F) -> Self
    where
        F: for<'t> Fn(&'t str) -> Cow<'t, str> + Send + Sync + 'static,
    {
        self.masking = self.masking.function(function);
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
        let style = BodyStyle {
            resource: self.resource.into(),
            content: self.content,
            masking: self.masking,
        };
        let infos = self.destinations.iter().map(Destination::info).collect();
        let others: Vec<_> =
            self.destinations.iter().filter_map(Destination::fixed_url).cloned().collect();
        let mut starting = Starting(Vec::new());
        let has_destinations = !self.destinations.is_empty();
        let later = self.later.map(|destination| (destination, true));
        let now = self.destinations.into_iter().map(|destination| (destination, false));
        for (destination, slumbers) in now.chain(later) {
            let start = Start { slumbers, others: others.clone(), spool: self.spool.as_ref() };
            starting.0.push(start_worker(destination, style.clone(), start)?);
        }
        let queues = std::mem::take(&mut starting.0);
        let processor = Arc::new(AsyncSpanProcessor::new(queues, self.measure_hot_path));
        let subscriptions = Arc::new(Subscriptions::none());
        // The patterns are ours and match; if they did not, tests would show it.
        let subscribe = |processor: Arc<AsyncSpanProcessor>, bus: &Bus| {
            Recorder::new(processor).subscribe(bus).unwrap_or_default()
        };
        // Without a destination nobody listens, so events are not even built.
        if has_destinations {
            subscriptions.begin(|| subscribe(Arc::clone(&processor), &self.bus));
        }
        if let Some(later) = processor.queues().last().filter(|queue| queue.slumbers()) {
            let (processor, bus) = (Arc::downgrade(&processor), self.bus.clone());
            let subscriptions = Arc::downgrade(&subscriptions);
            later.when_awake(move || {
                if let Some((processor, all)) = processor.upgrade().zip(subscriptions.upgrade()) {
                    all.begin(|| subscribe(processor, &bus));
                }
            });
        }
        Ok(Observing::new(processor, subscriptions, infos, self.flush_deadline))
    }
}

/// Stops the workers that were started already when another one cannot be.
struct Starting(Vec<Arc<Queue>>);

impl Drop for Starting {
    fn drop(&mut self) {
        for queue in &self.0 {
            queue.stop(Box::new(|_| false), Instant::now());
        }
    }
}

/// How a worker begins.
struct Start<'s> {
    /// The destination is not there yet.
    slumbers: bool,
    /// Where the spans of other destinations go.
    others: Vec<Url>,
    spool: Option<&'s SpoolConfig>,
}

fn start_worker(
    destination: Destination,
    style: BodyStyle,
    start: Start<'_>,
) -> Result<Arc<Queue>, ConfigError> {
    let (name, target, limits, sampling) = destination.into_parts();
    let queue =
        Arc::new(Queue::new(Arc::clone(&name), sampling, limits).slumbering(start.slumbers));
    let work = match target {
        Target::Http(mut target) => {
            let live = target.live.take();
            if let Some(LiveTarget::Found(whereabouts)) = &live {
                whereabouts.besides(start.others);
            }
            let client_error = |problem| Kind::Client { destination: name.to_string(), problem };
            let http = match start.slumbers {
                true => Http::lazy((*target).clone(), limits.request_timeout),
                false => {
                    Http::new((*target).clone(), limits.request_timeout).map_err(client_error)?
                }
            };
            let announcer = live.map(|live| {
                // What begins from now on is noted where a server is known to be.
                if !start.slumbers && live.is_there() {
                    queue.take_notes();
                }
                let lookout = Lookout::new(&queue, http.clone(), live);
                Announcer::new(&queue, http.clone(), lookout, &style)
            });
            let spool = start.spool.map(|config| Spool::new(config, target.identity()));
            let exporter = Exporter::new(Arc::clone(&queue), http, limits, style, spool);
            Work::Export(Box::new(exporter.announcing(announcer)))
        }
        Target::Memory(memory) => {
            memory.attach(&queue);
            Work::Keep(memory)
        }
        Target::Discard => Work::Discard,
    };
    worker::spawn(Arc::clone(&queue), work)
        .map_err(|source| Kind::Worker { destination: name.to_string(), source })?;
    Ok(queue)
}

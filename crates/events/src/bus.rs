//! The bus: hands each event to those who asked for it, and shields the program from them.

use crate::clock;
use crate::event::{Event, EventData, EventName, RunStopped, SpanContext};
use crate::pattern::{Pattern, PatternError};
use crate::run::Stop;
use arc_swap::ArcSwap;
use glassbox_trace::id::TraceId;
use glassbox_trace::span::RemoteParent;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

mod channel;

pub use channel::EventReceiver;

/// Hears of events. It runs where the event happens, so it should be quick; slow work belongs behind a
/// [`Bus::channel`]. A panic is caught and told once.
pub trait Subscriber: Send + Sync {
    /// Takes note of an event. An error stops the run in which the event happened: its later model attempts are
    /// refused with [`Refusal::Stopped`](crate::refusal::Refusal::Stopped).
    ///
    /// # Errors
    ///
    /// The reason to stop the run.
    fn on_event(&self, event: &Event) -> Result<(), Stop>;

    /// Tells whether it keeps the spans of a trace, which may go on from a span of another process; `None` if it is none
    /// of those that keep spans. Other services are [told](crate::context::Context::inject), so that they need not keep
    /// theirs.
    fn keeps(&self, trace_id: TraceId, parent: Option<&RemoteParent>) -> Option<bool> {
        let _ = (trace_id, parent);
        None
    }
}

/// What a closure that subscribes may return: nothing, or a reason to stop.
pub trait Outcome {
    /// Turns the outcome into a subscriber's result.
    ///
    /// # Errors
    ///
    /// The reason to stop the run.
    fn into_result(self) -> Result<(), Stop>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl Outcome for Result<(), Stop> {
    fn into_result(self) -> Self {
        self
    }
}

struct Closure<F>(F);

impl<F, R> Subscriber for Closure<F>
where
    F: Fn(&Event) -> R + Send + Sync,
    R: Outcome,
{
    fn on_event(&self, event: &Event) -> Result<(), Stop> {
        (self.0)(event).into_result()
    }
}

struct Entry {
    subscriber: Arc<dyn Subscriber>,
    panicked: AtomicU64,
}

/// Who asked for what, in the order in which they did.
#[derive(Default)]
struct Entries {
    all: Vec<(Pattern, Arc<Entry>)>,
    /// The same by the events that they asked for, so that an event finds its own at once.
    of: [Vec<Arc<Entry>>; EventName::ALL.len()],
}

#[derive(Default)]
struct Inner {
    entries: ArcSwap<Entries>,
    /// The union of the patterns: an event that nobody wants costs one test.
    wanted: AtomicU64,
    /// Held while the two above change, so that they change together.
    changing: Mutex<()>,
    panics: AtomicU64,
}

/// Hands events to subscribers. Clones are the same bus; [`Bus::global`] is the one that programs use unless a
/// scope names another.
///
/// ```
/// use glassbox_events::bus::Bus;
/// let bus = Bus::new();
/// let subscription = bus.on("llm.*", |event| println!("{}", event.name()))?;
/// drop(subscription); // ends it
/// # Ok::<(), glassbox_events::pattern::PatternError>(())
/// ```
#[derive(Clone, Default)]
pub struct Bus(Arc<Inner>);

thread_local! {
    /// How deep in subscribers this thread is: one that causes events of the kind it hears must not run for ever.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

const MAX_DEPTH: u32 = 8;

impl Bus {
    /// Makes a bus of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the bus of the process.
    #[must_use]
    pub fn global() -> Self {
        static GLOBAL: LazyLock<Bus> = LazyLock::new(Bus::new);
        GLOBAL.clone()
    }

    /// Subscribes a type with state, until the returned [`Subscription`] is dropped.
    ///
    /// # Errors
    ///
    /// The pattern matches no event.
    pub fn subscribe(
        &self,
        pattern: &str,
        subscriber: Arc<dyn Subscriber>,
    ) -> Result<Subscription, PatternError> {
        let pattern = pattern.parse()?;
        let entry = Arc::new(Entry { subscriber, panicked: AtomicU64::new(0) });
        let subscription =
            Subscription { bus: Arc::downgrade(&self.0), entry: Arc::downgrade(&entry) };
        self.0.change(|entries| entries.push((pattern, entry)));
        Ok(subscription)
    }

    /// Subscribes a closure, which returns nothing or `Result<(), Stop>`, until the [`Subscription`] is dropped.
    ///
    /// # Errors
    ///
    /// The pattern matches no event.
    pub fn on<R: Outcome>(
        &self,
        pattern: &str,
        closure: impl Fn(&Event) -> R + Send + Sync + 'static,
    ) -> Result<Subscription, PatternError> {
        self.subscribe(pattern, Arc::new(Closure(closure)))
    }

    /// Tells whether anybody asked for an event, so that nobody has to build it in vain.
    #[must_use]
    pub fn wants(&self, name: EventName) -> bool {
        self.0.wanted.load(Ordering::Relaxed) & name.bit() != 0
    }

    /// Returns how many times a subscriber has panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Hands an event of now to all who asked for it. Never fails, never panics.
    pub fn emit(&self, span: &Arc<SpanContext>, data: EventData) {
        if self.wants(data.name()) {
            self.dispatch(&Event { at: clock::now(), span: Arc::clone(span), data });
        }
    }

    /// Hands an event to all who asked for it, whether anybody did or not.
    pub(crate) fn dispatch(&self, event: &Event) {
        let depth = DEPTH.get();
        if depth >= MAX_DEPTH {
            tracing::warn!(event = %event.name(), "a subscriber keeps causing the events that it hears; this one is not told");
            return;
        }
        DEPTH.set(depth + 1);
        for entry in &self.0.entries.load().of[event.name() as usize] {
            match catch_unwind(AssertUnwindSafe(|| entry.subscriber.on_event(event))) {
                Ok(Ok(())) => (),
                Ok(Err(stop)) => self.stop(&event.span, stop),
                Err(_) => self.tell_panic(entry, event),
            }
        }
        DEPTH.set(depth);
    }

    /// Tells whether any subscriber keeps the spans of a trace; `None` if none of them keeps spans.
    pub(crate) fn keeps(&self, trace_id: TraceId, parent: Option<&RemoteParent>) -> Option<bool> {
        let entries = self.0.entries.load();
        let keeps = |entry: &Entry| entry.subscriber.keeps(trace_id, parent);
        // One that panics has not decided; it will be told of when it hears of an event.
        let answers = entries.all.iter().filter_map(|(_, entry)| {
            catch_unwind(AssertUnwindSafe(|| keeps(entry))).unwrap_or(None)
        });
        answers.reduce(|one, other| one || other)
    }

    /// Stops the run of a span, and tells so if it was not stopped before.
    pub fn stop(&self, span: &Arc<SpanContext>, stop: Stop) {
        let run = span.run();
        if run.stop(stop.clone()) {
            let (spent, in_flight) = (run.spent(), run.in_flight());
            self.emit(span, EventData::RunStopped(RunStopped { stop, spent, in_flight }));
        }
    }

    fn tell_panic(&self, entry: &Entry, event: &Event) {
        self.0.panics.fetch_add(1, Ordering::Relaxed);
        if entry.panicked.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(event = %event.name(), "a subscriber panicked; the program goes on, further panics of it are only counted");
        }
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("subscribers", &self.0.entries.load().all.len())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn change(&self, change: impl FnOnce(&mut Vec<(Pattern, Arc<Entry>)>)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.entries.load().all.clone();
        change(&mut all);
        let wanted = all.iter().fold(0, |wanted, (pattern, _)| wanted | pattern.bits());
        let of = EventName::ALL.map(|name| {
            let matching = all.iter().filter(|(pattern, _)| pattern.matches(name));
            matching.map(|(_, entry)| Arc::clone(entry)).collect()
        });
        self.entries.store(Arc::new(Entries { all, of }));
        self.wanted.store(wanted, Ordering::Relaxed);
    }
}

/// A subscription, which ends when it is dropped.
#[must_use = "the subscription ends when this is dropped"]
pub struct Subscription {
    bus: Weak<Inner>,
    entry: Weak<Entry>,
}

impl Subscription {
    /// Lets the subscription live as long as the bus.
    pub fn forever(mut self) {
        self.bus = Weak::new();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(bus) = self.bus.upgrade() else { return };
        bus.change(|entries| {
            entries.retain(|(_, entry)| !std::ptr::eq(Arc::as_ptr(entry), self.entry.as_ptr()));
        });
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

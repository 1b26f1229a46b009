//! Rules at work: they subscribe, a thread of their own keeps time and calls the hooks.

use super::error::AlertError;
use super::rule::Alert;
use super::state::{AlertChange, State};
use super::window::Sample;
use crate::bus::{Bus, Subscriber, Subscription};
use crate::clock;
use crate::context::Context;
use crate::event::{self, Event, EventData, SpanContext};
use crate::run::Stop;
use glassbox_trace::time::Timestamp;
use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

type Hook = Box<dyn Fn(&AlertChange) + Send>;

/// So many changes wait for hooks; more are counted.
const WAITING: usize = 1024;
/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Rules, and who is told.
///
/// ```
/// use glassbox_events::bus::Bus;
/// use glassbox_events::watch::{Alert, Alerts, alert::Measure};
/// let watching = Alerts::new()
///     .rule(Alert::above(Measure::ErrorShare, 0.2).named("many errors"))
///     .hook(|change| println!("{} {}", if change.fired { "fired" } else { "resolved" }, change.alert.message))
///     .start(&Bus::global())?;
/// assert!(watching.firing().is_empty());
/// # Ok::<(), glassbox_events::watch::alert::AlertError>(())
/// ```
#[derive(Default)]
#[must_use = "nothing is watched until it is started"]
pub struct Alerts {
    pub(super) rules: Vec<Alert>,
    pub(super) webhooks: Vec<String>,
    hooks: Vec<Hook>,
}

impl Alerts {
    /// Begins without rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule.
    pub fn rule(mut self, rule: Alert) -> Self {
        self.rules.push(rule);
        self
    }

    /// Calls a function when an alert fires and when it resolves, on the thread of the alerts. It may take its time:
    /// 1,024 changes wait for it. A panic is caught.
    pub fn hook(mut self, hook: impl Fn(&AlertChange) + Send + 'static) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// Returns the rules.
    pub fn rules(&self) -> &[Alert] {
        &self.rules
    }

    /// Takes the addresses out that a file wants alerts to be posted to. This crate speaks no HTTP: `glassbox` does.
    pub fn take_webhooks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.webhooks)
    }

    /// Begins to watch the events of a bus, until the returned guard is dropped.
    ///
    /// # Errors
    ///
    /// A rule makes no sense, two have the same name, a file wants webhooks and nobody took them, or the system gives no
    /// thread.
    pub fn start(self, bus: &Bus) -> Result<Watching, AlertError> {
        if let Some(webhook) = self.webhooks.first() {
            let problem = format!(
                "nobody posts to the webhook {webhook:?}: start the alerts with `glassbox::start_alerts`"
            );
            return Err(AlertError::new(problem));
        }
        let mut names = HashSet::new();
        for rule in &self.rules {
            rule.check()?;
            if !names.insert(&rule.name) {
                return Err(AlertError::of_rule(
                    &rule.name,
                    "another alert has this name: give each its own",
                ));
            }
        }
        let (sender, receiver) = sync_channel(WAITING);
        let place = Context::current().child(&"alerts".into()).span().cloned();
        // A child has a span.
        let place = place.ok_or_else(|| AlertError::new("there is no place to tell alerts at"))?;
        let missed = Arc::new(AtomicU64::new(0));
        let watchers = self.rules.into_iter().map(|rule| {
            let state = Mutex::new(State::new(&rule));
            let (changes, missed, bus) = (sender.clone(), Arc::clone(&missed), bus.clone());
            Arc::new(Watcher { rule, state, bus, changes, missed })
        });
        let watchers: Arc<[_]> = watchers.collect();

        let mut subscriptions = Vec::new();
        for watcher in watchers.iter() {
            let subscriber = Arc::clone(watcher) as Arc<dyn Subscriber>;
            let subscribed = bus.subscribe(&watcher.rule.on, subscriber);
            subscriptions.push(subscribed.map_err(|error| AlertError::new(error.to_string()))?);
        }
        let (ticking, hooks) = (Arc::clone(&watchers), self.hooks);
        let thread = thread::Builder::new()
            .name("glassbox-alerts".to_owned())
            .spawn(move || keep(&receiver, &ticking, &place, &hooks))
            .map_err(|error| {
                AlertError::new(format!("the thread of the alerts cannot be started: {error}"))
            })?;
        Ok(Watching { watchers, subscriptions, missed, sender, thread: Some(thread) })
    }
}

/// What the thread of the alerts is told.
#[derive(Debug)]
enum Message {
    Changed(AlertChange),
    Stop,
}

/// A rule at work.
#[derive(Debug)]
struct Watcher {
    rule: Alert,
    /// A std mutex: it is held while something is counted, never while others are told.
    state: Mutex<State>,
    bus: Bus,
    changes: SyncSender<Message>,
    missed: Arc<AtomicU64>,
}

impl Subscriber for Watcher {
    fn on_event(&self, event: &Event) -> Result<(), Stop> {
        // What watchers tell is not watched, or a rule could feed itself.
        let is_of_watchers = matches!(
            event.data,
            EventData::AlertFired(_)
                | EventData::AlertResolved(_)
                | EventData::RegressionDetected(_)
        );
        if !is_of_watchers && let Some(sample) = self.rule.sample(event) {
            self.step(event.at, Some(sample), &event.span);
        }
        Ok(())
    }
}

impl Watcher {
    fn step(&self, now: Timestamp, sample: Option<Sample>, place: &Arc<SpanContext>) {
        let change = self.state().step(&self.rule, now, sample);
        let Some(change) = change else { return };
        let alert = Arc::clone(&change.alert);
        let told = if change.fired { EventData::AlertFired } else { EventData::AlertResolved };
        if self.changes.try_send(Message::Changed(change)).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        self.bus.emit(place, told(alert));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters stay whole whatever happens.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The life of the thread.
fn keep(
    receiver: &Receiver<Message>,
    watchers: &[Arc<Watcher>],
    place: &Arc<SpanContext>,
    hooks: &[Hook],
) {
    let mut next = std::time::Instant::now();
    loop {
        let now = std::time::Instant::now();
        if now >= next {
            next = now + TICK;
            watchers.iter().for_each(|watcher| watcher.step(clock::now(), None, place));
        }
        match receiver.recv_timeout(next.saturating_duration_since(std::time::Instant::now())) {
            Ok(Message::Changed(change)) => hooks.iter().for_each(|hook| call(hook, &change)),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => (),
        }
    }
}

fn call(hook: &Hook, change: &AlertChange) {
    if catch_unwind(AssertUnwindSafe(|| hook(change))).is_err() {
        tracing::warn!(
            alert = &*change.alert.rule,
            "a hook of the alerts panicked; the others are still called"
        );
    }
}

/// Watches until it is dropped. Dropping it lets the hooks hear of everything that has changed so far.
#[must_use = "watching ends when this is dropped; write `let _watching = ..`, not `let _ = ..`"]
pub struct Watching {
    watchers: Arc<[Arc<Watcher>]>,
    subscriptions: Vec<Subscription>,
    missed: Arc<AtomicU64>,
    sender: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    /// Returns the alerts that fire, with the values at which they began to.
    #[must_use]
    pub fn firing(&self) -> Vec<Arc<event::Alert>> {
        self.watchers.iter().filter_map(|watcher| watcher.state().firing()).collect()
    }

    /// Returns how many changes the hooks were too slow for. Subscribers heard of them all the same.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.subscriptions.clear();
        // Fails only if the thread has ended, which it does only here.
        let _stopped = self.sender.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            // Hooks that panic are caught.
            let _ended = thread.join();
        }
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching").field("firing", &self.firing()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts").field("rules", &self.rules).finish_non_exhaustive()
    }
}

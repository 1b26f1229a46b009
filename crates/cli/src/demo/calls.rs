//! What the program tells of its model calls while a scene is played, checked against what the provider counted.

use crate::paint;
use glassbox::event::WaitReason;
use glassbox::{Bus, Cost, Event, EventData, Subscription, Usage};
use glassbox_sim::{Counters, Sim};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Listens to what the program tells of its calls.
pub(super) struct Watch {
    told: Arc<Mutex<Told>>,
    _subscription: Subscription,
}

/// What the events told, and what the spans of the calls said when they ended.
#[derive(Clone, Debug, Default)]
struct Told {
    attempts: u64,
    answered: u64,
    with_429: u64,
    with_529: u64,
    other_failures: u64,
    limiter: Waits,
    backoff: Waits,
    retry_after: Waits,
    /// The sums of the generations.
    generations: u64,
    usage: Usage,
    cost: Cost,
    span_attempts: u64,
    span_limiter_wait: Duration,
    span_backoff_wait: Duration,
}

/// Waits of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Waits {
    count: u64,
    total: Duration,
}

/// What came of the calls, for people and for machines.
#[derive(Debug, Serialize)]
pub(super) struct Calls {
    /// What the program tells.
    generations: u64,
    attempts: u64,
    answered: u64,
    failed_429: u64,
    failed_529: u64,
    failed_otherwise: u64,
    limiter_waits: u64,
    limiter_wait_ms: f64,
    backoff_waits: u64,
    backoff_wait_ms: f64,
    retry_after_waits: u64,
    retry_after_wait_ms: f64,
    /// What the simulated provider counted.
    provider: Option<Counted>,
    /// Whether what was told, what the spans say and what the provider counted are the same.
    pub(super) adds_up: bool,
    #[serde(skip)]
    pub(super) usage: Usage,
    #[serde(skip)]
    pub(super) cost: Cost,
}

/// What the simulated provider counted.
#[derive(Debug, Serialize)]
struct Counted {
    calls: u64,
    answered: u64,
    refused: u64,
    /// Of those, refused since they were over its limits.
    over_limit: u64,
    most_at_once: u64,
}

impl Watch {
    pub(super) fn start() -> anyhow::Result<Self> {
        let told = Told { cost: Cost::ZERO, ..Told::default() };
        let told = Arc::new(Mutex::new(told));
        let heard = Arc::clone(&told);
        let subscription = Bus::global().on("llm.*", move |event| lock(&heard).hear(event))?;
        Ok(Self { told, _subscription: subscription })
    }

    /// Tells what has been heard so far, next to what the simulated provider counted.
    pub(super) fn calls(&self, sim: Option<&Sim>) -> Calls {
        let told = lock(&self.told).clone();
        let counted = sim.map(Sim::counters);
        Calls {
            generations: told.generations,
            attempts: told.attempts,
            answered: told.answered,
            failed_429: told.with_429,
            failed_529: told.with_529,
            failed_otherwise: told.other_failures,
            limiter_waits: told.limiter.count,
            limiter_wait_ms: millis(told.limiter.total),
            backoff_waits: told.backoff.count,
            backoff_wait_ms: millis(told.backoff.total),
            retry_after_waits: told.retry_after.count,
            retry_after_wait_ms: millis(told.retry_after.total),
            adds_up: told.agrees_with_itself()
                && counted.as_ref().is_none_or(|counted| told.agrees_with(counted)),
            provider: counted.map(|counted| Counted {
                calls: counted.calls,
                answered: counted.succeeded,
                refused: counted.refused,
                over_limit: counted.limited,
                most_at_once: counted.most_in_flight,
            }),
            usage: told.usage,
            cost: told.cost,
        }
    }
}

impl Told {
    fn hear(&mut self, event: &Event) {
        match &event.data {
            EventData::LlmAttempt(attempt) => {
                self.attempts += 1;
                match (&attempt.failed, attempt.http_status) {
                    (None, _) => self.answered += 1,
                    (Some(_), Some(429)) => self.with_429 += 1,
                    (Some(_), Some(529)) => self.with_529 += 1,
                    (Some(_), _) => self.other_failures += 1,
                }
            }
            EventData::LlmWait(wait) => {
                let waits = match wait.reason {
                    WaitReason::Limiter => &mut self.limiter,
                    WaitReason::Backoff => &mut self.backoff,
                    WaitReason::RetryAfter => &mut self.retry_after,
                };
                waits.count += 1;
                waits.total += wait.duration;
            }
            EventData::LlmGenerate(_) | EventData::LlmError(_) => {
                let Some(call) = event.generation() else { return };
                self.generations += 1;
                self.usage += call.usage;
                self.cost += call.cost;
                self.span_attempts += u64::from(call.attempts);
                self.span_limiter_wait += call.limiter_wait;
                self.span_backoff_wait += call.backoff_wait;
            }
            _ => (),
        }
    }

    /// Each attempt but the last of a call is followed by one pause, and spans say what events told.
    fn agrees_with_itself(&self) -> bool {
        let pauses = self.backoff.count + self.retry_after.count;
        self.attempts == self.span_attempts
            && pauses + self.generations == self.attempts
            && self.limiter.total == self.span_limiter_wait
            && self.backoff.total + self.retry_after.total == self.span_backoff_wait
    }

    /// Each attempt is one call of the provider.
    fn agrees_with(&self, counted: &Counters) -> bool {
        let failed = self.with_429 + self.with_529 + self.other_failures;
        self.attempts == counted.calls
            && self.answered == counted.succeeded
            && failed == counted.refused
    }
}

impl Calls {
    /// Writes what people want to know, if there is anything but calls that went well at once.
    pub(super) fn lines(&self) -> Vec<String> {
        let waits = self.limiter_waits + self.backoff_waits + self.retry_after_waits;
        if self.adds_up && waits == 0 && self.answered == self.attempts {
            return Vec::new();
        }
        let seconds = |ms: f64| paint::duration(Duration::from_secs_f64(ms / 1e3));
        let over = match &self.provider {
            Some(counted) => format!("; {} were over the provider's limit", counted.over_limit),
            None => String::new(),
        };
        let sum = match (self.adds_up, &self.provider) {
            (true, Some(_)) => "events, spans and the provider's own count agree",
            (true, None) => "events and spans agree",
            (false, _) => "events, spans and the provider's own count DIFFER",
        };
        vec![
            format!(
                "{} attempts: {} answered, {} with 429, {} with 529, {} otherwise{over}",
                paint::count(self.attempts),
                paint::count(self.answered),
                self.failed_429,
                self.failed_529,
                self.failed_otherwise,
            ),
            format!(
                "waited {} for the limiter ({} calls), {} in {} backoffs, {} as asked in {}; {sum}",
                seconds(self.limiter_wait_ms),
                paint::count(self.limiter_waits),
                seconds(self.backoff_wait_ms),
                self.backoff_waits,
                seconds(self.retry_after_wait_ms),
                self.retry_after_waits,
            ),
        ]
    }

    /// Returns the most calls that the simulated provider had at once.
    pub(super) fn most_at_once(&self) -> Option<u64> {
        self.provider.as_ref().map(|counted| counted.most_at_once)
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e4).round() / 10.0
}

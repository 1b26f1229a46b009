//! The scene `overload`: many agents, and a provider that can take few of them and fails at times. All are served, and
//! what the program tells of it is checked against what the provider counted.

use super::Args;
use super::model::{self, Model};
use super::round::Round;
use crate::paint;
use glassbox::event::WaitReason;
use glassbox::{Bus, Event, EventData, Limits, RetryPolicy, Subscription};
use glassbox_sim::{Counters, Fault, FaultPlan, Latency, Script, Sim};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the provider takes: so many calls at once, and so many a minute.
const AT_ONCE: u32 = 20;
const A_MINUTE: u32 = 600;

/// The share of calls that are refused with 429, and of those that are with 529, although there would be room.
const REFUSED: f64 = 0.02;
const OVERLOADED: f64 = 0.02;

/// How long the provider asks to wait after a 429 for no reason.
const WISH: Duration = Duration::from_millis(200);

/// With so many attempts, and one in twenty refused, one of many billions of calls fails.
const ATTEMPTS: u32 = 8;

pub(super) fn opening(customers: u64) -> String {
    format!(
        "Overload: {customers} agents at once, and a provider that takes {AT_ONCE} calls at a time and {A_MINUTE} a \
         minute,\nand answers {:.0} % with 429 and {:.0} % with 529 on top.",
        REFUSED * 100.0,
        OVERLOADED * 100.0
    )
}

/// Makes the provider, and a model that knows its limits.
pub(super) fn model(args: &Args) -> anyhow::Result<Model> {
    if args.model.is_some() {
        anyhow::bail!("the scene overload needs the simulated provider: leave --model out");
    }
    // About a third of a second a call, so that the minute is what limits, and not the calls at once.
    let latency = Latency {
        first_token: Duration::from_millis(150),
        per_token: Duration::from_millis(2),
        ..Latency::default()
    };
    let faults = FaultPlan::none()
        .rate(REFUSED, Fault::RateLimited { retry_after: WISH })
        .rate(OVERLOADED, Fault::ServerError(529));
    let sim = Sim::builder()
        .script(Script::coffee_shop())
        .latency(latency)
        .faults(faults)
        .max_concurrent(AT_ONCE.into())
        .requests_per_minute(A_MINUTE)
        .requests_at_once(A_MINUTE / 60);
    let limits = Limits {
        concurrency: Some(AT_ONCE),
        requests_per_minute: (args.speed() > 0.0).then(|| hurried(args.speed())),
        ..Limits::default()
    };
    let retry = RetryPolicy { attempts: ATTEMPTS, ..RetryPolicy::default() };
    model::simulated(args, sim, |lm| lm.limits(limits).retry(retry))
}

/// Returns how many calls a minute the provider takes where its minute is shorter.
fn hurried(speed: f64) -> u32 {
    // The cast saturates.
    (f64::from(A_MINUTE) * speed).max(1.0) as u32
}

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

/// What came of it, for people and for machines.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    limit_at_once: u32,
    limit_a_minute: u32,
    /// What the program tells.
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
    /// What the provider counted.
    provider_calls: u64,
    provider_answered: u64,
    provider_refused: u64,
    /// Of those, refused since they were over its limits.
    provider_over_limit: u64,
    provider_most_at_once: u64,
    /// Whether what was told, what the spans say and what the provider counted are the same.
    pub(super) adds_up: bool,
    /// Answers a minute of the provider's time, of the customers that came together.
    throughput_a_minute: f64,
    /// The same as a share of what the limit would have let through.
    throughput_percent: f64,
}

impl Watch {
    pub(super) fn start() -> anyhow::Result<Self> {
        let told = Arc::new(Mutex::new(Told::default()));
        let heard = Arc::clone(&told);
        let subscription = Bus::global().on("llm.*", move |event| lock(&heard).hear(event))?;
        Ok(Self { told, _subscription: subscription })
    }

    pub(super) fn report(&self, args: &Args, model: &Model, together: &Round) -> Report {
        let told = lock(&self.told).clone();
        let counted = model.sim.as_ref().map(Sim::counters).unwrap_or_default();
        let seconds = together.wall.as_secs_f64() * args.speed();
        let a_second = f64::from(A_MINUTE) / 60.0;
        let answers = together.replies().count() as f64;
        // What the limit lets through in that time: a second's share at once, and then evenly.
        let most = (a_second * seconds + a_second).max(1.0);
        Report {
            limit_at_once: AT_ONCE,
            limit_a_minute: A_MINUTE,
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
            provider_calls: counted.calls,
            provider_answered: counted.succeeded,
            provider_refused: counted.refused,
            provider_over_limit: counted.limited,
            provider_most_at_once: counted.most_in_flight,
            adds_up: told.agrees_with(&counted),
            throughput_a_minute: (answers / seconds.max(1e-9) * 600.0).round() / 10.0,
            throughput_percent: (answers / most * 1000.0).round() / 10.0,
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
                self.span_attempts += u64::from(call.attempts);
                self.span_limiter_wait += call.limiter_wait;
                self.span_backoff_wait += call.backoff_wait;
            }
            _ => (),
        }
    }

    /// Each attempt is one call of the provider, each but the last of a call is followed by one pause, and spans say what
    /// events told.
    fn agrees_with(&self, counted: &Counters) -> bool {
        let failed = self.with_429 + self.with_529 + self.other_failures;
        let attempts = self.attempts == counted.calls && self.attempts == self.span_attempts;
        let outcomes = self.answered == counted.succeeded && failed == counted.refused;
        let pauses =
            self.backoff.count + self.retry_after.count == self.attempts - self.generations;
        let waits = self.limiter.total == self.span_limiter_wait
            && self.backoff.total + self.retry_after.total == self.span_backoff_wait;
        attempts && outcomes && pauses && waits
    }
}

impl Report {
    /// Writes what people want to know.
    pub(super) fn lines(&self) -> [String; 3] {
        let seconds = |ms: f64| paint::duration(Duration::from_secs_f64(ms / 1e3));
        [
            format!(
                "{:.0} answers a minute of {}, {:.1} % of what the limit allows   at most {} of {} at once",
                self.throughput_a_minute,
                self.limit_a_minute,
                self.throughput_percent,
                self.provider_most_at_once,
                self.limit_at_once,
            ),
            format!(
                "{} attempts: {} answered, {} with 429, {} with 529, {} otherwise; {} were over the provider's limit",
                paint::count(self.attempts),
                paint::count(self.answered),
                self.failed_429,
                self.failed_529,
                self.failed_otherwise,
                self.provider_over_limit,
            ),
            format!(
                "waited {} for the limiter ({} calls), {} in {} backoffs, {} as asked in {}; {}",
                seconds(self.limiter_wait_ms),
                paint::count(self.limiter_waits),
                seconds(self.backoff_wait_ms),
                self.backoff_waits,
                seconds(self.retry_after_wait_ms),
                self.retry_after_waits,
                if self.adds_up {
                    "events, spans and the provider's own count agree"
                } else {
                    "events, spans and the provider's own count DIFFER"
                },
            ),
        ]
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e4).round() / 10.0
}

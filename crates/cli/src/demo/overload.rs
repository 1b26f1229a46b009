//! The scene `overload`: many agents, and a provider that can take few of them and fails at times. All are served, and
//! what the program tells of it is checked against what the provider counted.

use super::Args;
use super::calls::Calls;
use super::model::{self, Model};
use super::round::Round;
use glassbox::{Limits, RetryPolicy};
use glassbox_sim::{Fault, FaultPlan, Latency, Script, Sim};
use serde::Serialize;
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
        requests_per_minute: model::hurried(A_MINUTE, args.speed()),
        ..Limits::default()
    };
    let retry = RetryPolicy { attempts: ATTEMPTS, ..RetryPolicy::default() };
    model::simulated(args, sim, |lm| lm.limits(limits).retry(retry))
}

/// How well the provider's limits were used, for people and for machines.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    limit_at_once: u32,
    limit_a_minute: u32,
    /// Answers a minute of the provider's time, of the customers that came together.
    throughput_a_minute: f64,
    /// The same as a share of what the limit would have let through.
    throughput_percent: f64,
}

impl Report {
    pub(super) fn of(args: &Args, together: &Round) -> Self {
        let seconds = together.wall.as_secs_f64() * args.speed();
        let a_second = f64::from(A_MINUTE) / 60.0;
        let answers = together.replies().count() as f64;
        // What the limit lets through in that time: a second's share at once, and then evenly.
        let most = (a_second * seconds + a_second).max(1.0);
        Self {
            limit_at_once: AT_ONCE,
            limit_a_minute: A_MINUTE,
            throughput_a_minute: (answers / seconds.max(1e-9) * 600.0).round() / 10.0,
            throughput_percent: (answers / most * 1000.0).round() / 10.0,
        }
    }

    /// Writes what people want to know.
    pub(super) fn line(&self, calls: &Calls) -> String {
        let most = calls.most_at_once().unwrap_or_default();
        format!(
            "{:.0} answers a minute of {}, {:.1} % of what the limit allows   at most {most} of {} at once",
            self.throughput_a_minute,
            self.limit_a_minute,
            self.throughput_percent,
            self.limit_at_once,
        )
    }
}

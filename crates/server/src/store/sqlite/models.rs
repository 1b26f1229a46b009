//! What models did, for all that can be asked of them.

use super::ReadError;
use super::calls::{CallNumbers, ERROR};
use super::groups::Groups;
use super::numbers::{percentiles, sum};
use crate::store::Window;
use crate::view::{Dollars, ModelSummary, Tokens};
use glassbox_trace::usage::Usage;
use rusqlite::Connection;

#[derive(Default)]
struct Calls {
    calls: i64,
    errors: i64,
    retries: i64,
    usage: Usage,
    cost: Option<i64>,
    durations: Vec<i64>,
    first_chunks: Vec<i64>,
}

impl Calls {
    fn add(&mut self, is_error: bool, call: &CallNumbers) {
        self.calls += 1;
        self.errors += i64::from(is_error);
        self.durations.extend(call.duration_us);
        self.usage += call.usage;
        self.cost = sum(self.cost, call.cost);
        self.retries += call.attempts.unwrap_or(1).saturating_sub(1).max(0);
        self.first_chunks.extend(call.first_chunk_us);
    }

    fn merge(&mut self, other: Self) {
        let Self { calls, errors, retries, usage, cost, durations, first_chunks } = other;
        self.calls += calls;
        self.errors += errors;
        self.retries += retries;
        self.usage += usage;
        self.cost = sum(self.cost, cost);
        self.durations.extend(durations);
        self.first_chunks.extend(first_chunks);
    }

    fn summary(mut self, provider: Option<String>, model: Option<String>) -> ModelSummary {
        let [p50_us, p95_us, p99_us] = percentiles(&mut self.durations, [50, 95, 99]);
        let [first_chunk_p50_us] = percentiles(&mut self.first_chunks, [50]);
        ModelSummary {
            provider,
            model,
            calls: self.calls,
            errors: self.errors,
            retries: self.retries,
            tokens: Tokens(self.usage),
            cost_usd: self.cost.map(Dollars),
            p50_us,
            p95_us,
            p99_us,
            first_chunk_p50_us,
        }
    }
}

/// Calls by their model, and by their provider.
#[derive(Default)]
pub(super) struct CallsByModel(Groups<Groups<Calls>>);

impl CallsByModel {
    pub(super) fn read(connection: &Connection, window: Window) -> Result<Self, ReadError> {
        let mut statement = connection.prepare_cached(
            "SELECT provider, model, state, numbers
             FROM spans INDEXED BY calls WHERE kind IN (2, 7) AND start_us >= ? AND start_us < ?",
        )?;
        let mut rows = statement.query([window.from_us, window.to_us])?;
        let mut models = Self::default();
        while let Some(row) = rows.next()? {
            let provider = row.get_ref(0)?.as_str_or_null().unwrap_or_default();
            let model = row.get_ref(1)?.as_str_or_null().unwrap_or_default();
            let numbers = CallNumbers::read(row.get_ref(3)?.as_str().unwrap_or_default());
            models.0.of(model).of(provider).add(row.get::<_, i64>(2)? == ERROR, &numbers);
        }
        Ok(models)
    }

    fn merge(mut self, other: Self) -> Self {
        for (model, providers) in other.0 {
            let known = self.0.of(model.as_deref());
            for (provider, calls) in providers {
                known.of(provider.as_deref()).merge(calls);
            }
        }
        self
    }

    /// The dearest model comes first.
    pub(super) fn summaries(all: Vec<Self>) -> Vec<ModelSummary> {
        let all = all.into_iter().fold(Self::default(), Self::merge);
        let of_model = |(model, providers): (Option<String>, Groups<Calls>)| {
            let summary =
                move |(provider, calls): (_, Calls)| calls.summary(provider, model.clone());
            providers.into_iter().map(summary)
        };
        let mut models: Vec<_> = all.0.into_iter().flat_map(of_model).collect();
        models.sort_by(|left, right| {
            let dearness =
                |model: &ModelSummary| (model.cost_usd.map_or(0, |dollars| dollars.0), model.calls);
            dearness(right).cmp(&dearness(left)).then_with(|| left.model.cmp(&right.model))
        });
        models
    }
}

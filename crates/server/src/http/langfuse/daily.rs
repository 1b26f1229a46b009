//! Langfuse's daily metrics: traces, observations, tokens and cost by day and model.

use super::super::App;
use super::super::asked::Asked;
use super::super::clock::now_us;
use super::Failed;
use super::question::Question;
use crate::filter::{Condition, Filter, NumberKey, Pattern, Range, Term, TextKey};
use crate::langfuse;
use crate::store::{Countable, Grouping, StatsQuery, Store, StoreError, Window};
use crate::view::{Dollars, Stats, StatsPoint};
use axum::Json;
use axum::extract::State;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Value, json};
use std::sync::Arc;

const DAY_US: i64 = 86_400_000_000;

const FILTERS: [(&str, TextKey); 4] = [
    ("traceName", TextKey::Name),
    ("userId", TextKey::User),
    ("tags", TextKey::Tag),
    ("environment", TextKey::Environment),
];

pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<Json<Value>, Failed> {
    let question = Question(asked);
    let page = question.page()?;
    let filter = question.filter(&FILTERS, ["fromTimestamp", "toTimestamp"])?;
    let answer = app.ask(move |store| {
        let days = stats(store, &filter, Grouping::None)?;
        let models = stats(store, &of_calls(&filter), Grouping::Model)?;
        let mut days: Vec<_> = days.groups.into_iter().flat_map(|group| group.points).collect();
        days.sort_by_key(|day| std::cmp::Reverse(day.at_us));
        let total = i64::try_from(days.len()).unwrap_or(i64::MAX);
        let shown = days.iter().skip(page.paging().skip).take(page.limit);
        let shown = shown.map(|day| shown_day(store, &filter, day, &models));
        Ok(page.answer(shown.collect::<Result<_, _>>()?, total))
    });
    Ok(Json(answer.await?))
}

fn stats(store: &dyn Store, filter: &Filter, grouping: Grouping) -> Result<Stats, StoreError> {
    let window = Window { from_us: 0, to_us: now_us().saturating_add(DAY_US) };
    store.stats(&StatsQuery { window, bucket_us: DAY_US, grouping, filter: filter.clone() })
}

/// A trace's name is not that of its calls: what is asked of traces cannot all be asked of calls.
fn of_calls(filter: &Filter) -> Filter {
    let is_name = |term: &&Term| matches!(term.condition, Condition::Text(TextKey::Name, _));
    Filter { terms: filter.terms.iter().filter(|term| !is_name(term)).cloned().collect() }
}

fn shown_day(
    store: &dyn Store,
    filter: &Filter,
    day: &StatsPoint,
    models: &Stats,
) -> Result<Value, StoreError> {
    let at = |filter: &Filter| {
        let range = Range { min: Some(day.at_us), max: Some(day.at_us.saturating_add(DAY_US - 1)) };
        and(filter, Condition::Number(NumberKey::Start, range))
    };
    let mut usage = Vec::new();
    for group in &models.groups {
        let Some(point) = group.points.iter().find(|point| point.at_us == day.at_us) else {
            continue;
        };
        let of_model = match &group.key {
            Some(model) => and(filter, Condition::Text(TextKey::Model, Pattern::new(model))),
            None => filter.clone(),
        };
        let tokens = point.tokens.0;
        let sent = [tokens.input, tokens.cache_read, tokens.cache_write]
            .into_iter()
            .flatten()
            .sum::<u64>();
        usage.push(json!({
            "model": group.key,
            "inputUsage": sent,
            "outputUsage": tokens.total().saturating_sub(sent),
            "totalUsage": tokens.total(),
            "totalCost": dollars(point.cost_usd),
            "countObservations": point.count,
            "countTraces": store.count(Countable::Traces(&at(&of_model)))?,
        }));
    }
    Ok(json!({
        "date": langfuse::instant(day.at_us)[..10],
        "countTraces": day.count,
        "countObservations": store.count(Countable::Spans(&at(&of_calls(filter))))?,
        "totalCost": dollars(day.cost_usd),
        "usage": usage,
    }))
}

fn and(filter: &Filter, condition: Condition) -> Filter {
    let mut terms = filter.terms.clone();
    terms.push(Term { negated: false, condition });
    Filter { terms }
}

fn dollars(cost: Option<Dollars>) -> f64 {
    cost.and_then(|cost| Decimal::new(cost.0, 12).to_f64()).unwrap_or(0.0)
}

//! Langfuse's metrics: any measures by any facts and by time. What is not known here is refused with what is.

use super::super::App;
use super::super::asked::Asked;
use super::Failed;
use super::conditions::{self, Over};
use super::measures::{self, Wanted};
use super::question::Question;
use crate::filter::Filter;
use crate::langfuse;
use crate::received::instant_us;
use crate::store::{
    MetricsGroup, MetricsQuery, ScoreKind, ScoreQuery, ScoreValue, Step, View, Window,
};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::sync::Arc;

/// The most rows of an answer, and how many it has if nothing is said.
const ROWS: (usize, usize) = (1000, 100);

/// About so many times are told apart by `auto`.
const TIMES: i64 = 50;

/// The name of the time in rows.
const TIME: &str = "time_dimension";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    view: String,
    #[serde(default)]
    dimensions: Vec<Field>,
    metrics: Vec<Metric>,
    #[serde(default)]
    filters: Vec<conditions::Asked>,
    time_dimension: Option<Time>,
    from_timestamp: String,
    to_timestamp: String,
    order_by: Option<Vec<Order>>,
    config: Option<Config>,
}

#[derive(Deserialize)]
struct Field {
    field: String,
}

#[derive(Deserialize)]
struct Metric {
    measure: String,
    aggregation: String,
}

#[derive(Deserialize)]
struct Time {
    granularity: String,
}

#[derive(Deserialize)]
struct Order {
    field: String,
    direction: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    bins: Option<usize>,
    row_limit: Option<usize>,
}

pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<Json<Value>, Failed> {
    let question = Question(asked);
    let text = question.one("query").ok_or_else(|| {
        Failed::bad_request(
            "query is missing; send {\"view\":\"observations\",\"metrics\":[{\"measure\":\"count\",\"aggregation\":\"count\"}],\
             \"fromTimestamp\":\"2026-01-01T00:00:00Z\",\"toTimestamp\":\"2026-02-01T00:00:00Z\"}",
        )
    })?;
    let query: Query = serde_json::from_str(text)
        .map_err(|error| Failed::bad_request(&format!("query cannot be read: {error}")))?;
    let (asked, shape) = read(query)?;
    let groups = app.ask(move |store| store.metrics(&asked)).await?;
    Ok(Json(json!({ "data": shape.rows(&groups) })))
}

/// How rows are made of groups.
struct Shape {
    facts: Vec<String>,
    wanted: Vec<Wanted>,
    order: Vec<(String, Ordering)>,
    has_time: bool,
    bins: usize,
    rows: usize,
}

fn read(query: Query) -> Result<(MetricsQuery, Shape), Failed> {
    let (view, kinds) = match query.view.as_str() {
        "traces" => (View::Traces, Vec::new()),
        "observations" => (View::Spans, Vec::new()),
        "scores-numeric" => (View::Scores, vec![ScoreKind::Number, ScoreKind::Flag]),
        "scores-boolean" => (View::Scores, vec![ScoreKind::Flag]),
        "scores-categorical" => (View::Scores, vec![ScoreKind::Text]),
        other => {
            return Err(Failed::bad_request(&format!(
                "view cannot be {other:?}; type one of traces, observations, scores-numeric, scores-boolean, \
                 scores-categorical"
            )));
        }
    };
    if query.metrics.is_empty() {
        return Err(Failed::bad_request("metrics is empty; ask for one at least"));
    }
    let facts: Vec<_> = query.dimensions.into_iter().map(|dimension| dimension.field).collect();
    let dimensions = facts.iter().map(|field| measures::dimension(view, field));
    let dimensions = dimensions.collect::<Result<_, _>>()?;
    let wanted = query.metrics.iter().map(|one| Wanted::read(view, &one.measure, &one.aggregation));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let window = window(&query.from_timestamp, &query.to_timestamp)?;
    let step = query.time_dimension.map(|time| step(&time.granularity, window)).transpose()?;
    let (filter, scores) = match view {
        View::Traces => (conditions::filter(&query.filters, Over::Traces)?, ScoreQuery::default()),
        View::Spans => {
            (conditions::filter(&query.filters, Over::Observations)?, ScoreQuery::default())
        }
        View::Scores => of_scores(query.filters, kinds)?,
    };
    let config = query.config.unwrap_or_default();
    let within = |name: &str, number: Option<usize>, default: usize, most: usize| match number {
        Some(number) if !(1..=most).contains(&number) => Err(Failed::bad_request(&format!(
            "config.{name} cannot be {number}; type a number from 1 to {most}"
        ))),
        number => Ok(number.unwrap_or(default)),
    };
    let mut shape = Shape {
        order: Vec::new(),
        has_time: step.is_some(),
        bins: within("bins", config.bins, 10, 100)?,
        rows: within("row_limit", config.row_limit, ROWS.1, ROWS.0)?,
        facts,
        wanted,
    };
    shape.order = shape.order(query.order_by)?;
    let has_values = shape.wanted.iter().any(Wanted::needs_values);
    let measures = shape.wanted.iter().map(|wanted| wanted.measure).collect();
    let asked =
        MetricsQuery { view, window, filter, scores, dimensions, step, measures, has_values };
    Ok((asked, shape))
}

fn window(from: &str, to: &str) -> Result<Window, Failed> {
    let instant = |name: &str, text: &str| {
        instant_us(text).ok_or_else(|| {
            Failed::bad_request(&format!(
                "{name} cannot be {text:?}; type a time such as 2026-01-01T00:00:00Z"
            ))
        })
    };
    let window =
        Window { from_us: instant("fromTimestamp", from)?, to_us: instant("toTimestamp", to)? };
    if window.from_us >= window.to_us {
        return Err(Failed::bad_request("fromTimestamp has to be before toTimestamp"));
    }
    Ok(window)
}

fn step(word: &str, window: Window) -> Result<Step, Failed> {
    const HOUR: i64 = 3_600_000_000;
    Ok(match word {
        "minute" => Step::Minute,
        "hour" => Step::Hour,
        "day" => Step::Day,
        "week" => Step::Week,
        "month" => Step::Month,
        "auto" => match (window.to_us - window.from_us) / TIMES {
            length if length <= HOUR / 60 => Step::Minute,
            length if length <= HOUR => Step::Hour,
            length if length <= 24 * HOUR => Step::Day,
            length if length <= 7 * 24 * HOUR => Step::Week,
            _ => Step::Month,
        },
        other => {
            return Err(Failed::bad_request(&format!(
                "granularity cannot be {other:?}; type one of auto, minute, hour, day, week, month"
            )));
        }
    })
}

/// Conditions of scores: some are about them, the others about their traces.
fn of_scores(
    asked: Vec<conditions::Asked>,
    kinds: Vec<ScoreKind>,
) -> Result<(Filter, ScoreQuery), Failed> {
    let mut query = ScoreQuery { kinds, ..ScoreQuery::default() };
    let mut of_traces = Vec::new();
    for one in asked {
        let is_equal = one.operator == "=";
        let wrong = || {
            Failed::bad_request(&format!(
                "filters: {} of scores cannot be asked for by {:?} here; type = or any of, for value a number and =, <, <=, \
                 > or >=, and a text",
                one.column, one.operator
            ))
        };
        let texts = match &one.value {
            Value::String(text) if is_equal => Some(vec![text.clone()]),
            Value::Array(all) if one.operator == "any of" => {
                all.iter().map(|one| one.as_str().map(str::to_owned)).collect()
            }
            _ => None,
        };
        match one.column.as_str() {
            "name" if query.names.is_empty() => query.names = texts.ok_or_else(wrong)?,
            "stringValue" if query.values.is_empty() => {
                let texts = texts.ok_or_else(wrong)?;
                query.values = texts.into_iter().map(ScoreValue::Text).collect();
            }
            "booleanValue" if query.values.is_empty() => {
                let flag = one.value.as_bool().filter(|_| is_equal).ok_or_else(wrong)?;
                query.values = vec![ScoreValue::Flag(flag)];
            }
            "value" => {
                let number = one.value.as_f64().ok_or_else(wrong)?;
                let (min, max) = match one.operator.as_str() {
                    "=" => (Some(number), Some(number)),
                    ">=" => (Some(number), None),
                    ">" => (Some(number.next_up()), None),
                    "<=" => (None, Some(number)),
                    "<" => (None, Some(number.next_down())),
                    _ => return Err(wrong()),
                };
                query.min = min.or(query.min);
                query.max = max.or(query.max);
            }
            "name" | "stringValue" | "booleanValue" => return Err(wrong()),
            "traceName" | "traceId" | "userId" | "sessionId" | "tags" | "environment"
            | "traceRelease" | "traceVersion" => of_traces.push(one),
            other => {
                return Err(Failed::bad_request(&format!(
                    "filters: {other} is not known of scores; type one of name, value, stringValue, booleanValue, traceName, \
                     traceId, userId, sessionId, tags, environment, traceRelease, traceVersion"
                )));
            }
        }
    }
    Ok((conditions::filter(&of_traces, Over::Traces)?, query))
}

impl Shape {
    /// By time, else the largest first, if nothing else is asked for; facts decide between equals.
    fn order(&self, asked: Option<Vec<Order>>) -> Result<Vec<(String, Ordering)>, Failed> {
        let mut order = Vec::new();
        let asked = asked.unwrap_or_default();
        for Order { field, direction } in &asked {
            let names = || {
                let time = self.has_time.then_some(TIME);
                let facts = self.facts.iter().map(String::as_str);
                facts.chain(self.wanted.iter().map(|one| one.alias.as_str())).chain(time)
            };
            if !names().any(|name| name == field) {
                return Err(Failed::bad_request(&format!(
                    "orderBy cannot be {field:?}; type one of {}",
                    names().collect::<Vec<_>>().join(", ")
                )));
            }
            let direction = match direction.to_ascii_lowercase().as_str() {
                "asc" => Ordering::Less,
                "desc" => Ordering::Greater,
                _ => return Err(Failed::bad_request("direction is asc or desc")),
            };
            order.push((field.clone(), direction));
        }
        if asked.is_empty() && self.has_time {
            order.push((TIME.to_owned(), Ordering::Less));
        }
        if asked.is_empty() {
            order.push((self.wanted[0].alias.clone(), Ordering::Greater));
        }
        let facts = self.facts.iter().cloned().map(|fact| (fact, Ordering::Less));
        order.extend(facts);
        Ok(order)
    }

    fn rows(&self, groups: &[MetricsGroup]) -> Vec<Value> {
        let mut rows: Vec<_> = groups.iter().map(|group| self.row(group)).collect();
        // Who tells nothing apart is told also that there is nothing.
        if rows.is_empty() && self.facts.is_empty() && !self.has_time {
            let numbers = vec![crate::store::Numbers::default(); self.wanted.len()];
            rows.push(self.row(&MetricsGroup { numbers, ..MetricsGroup::default() }));
        }
        rows.sort_by(|left, right| {
            let by = self.order.iter().map(|(field, direction)| {
                let order = compare(&left[field], &right[field]);
                if *direction == Ordering::Less { order } else { order.reverse() }
            });
            by.fold(Ordering::Equal, Ordering::then)
        });
        rows.truncate(self.rows);
        rows.into_iter().map(Value::Object).collect()
    }

    fn row(&self, group: &MetricsGroup) -> Map<String, Value> {
        let mut row = Map::new();
        if let Some(at_us) = group.at_us {
            row.insert(TIME.to_owned(), langfuse::instant(at_us).into());
        }
        row.extend(self.facts.iter().cloned().zip(group.facts.iter().cloned()));
        for (wanted, numbers) in self.wanted.iter().zip(&group.numbers) {
            row.insert(wanted.alias.clone(), wanted.of(numbers, self.bins));
        }
        row
    }
}

/// Unknown is less than anything known.
fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left.as_f64().unwrap_or_default().total_cmp(&right.as_f64().unwrap_or_default())
        }
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (left, right) => left.to_string().cmp(&right.to_string()),
    }
}

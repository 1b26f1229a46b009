//! The `filter` of Langfuse's observations: a list of conditions in JSON. Those that cannot be answered exactly are refused.

use super::Failed;
use crate::filter::{Condition, Filter, Has, NumberKey, Pattern, Range, Status, Term, TextKey};
use crate::ingest::{langfuse_span_id, langfuse_trace_id};
use crate::received::instant_us;
use serde::Deserialize;
use serde_json::Value;

/// The columns that can be asked for.
const COLUMNS: &str = "id, type, name, traceId, parentObservationId, environment, level, version, userId, sessionId, model, \
     tags, startTime, latency, totalCost, totalTokens, isRootObservation";

#[derive(Deserialize)]
struct Asked {
    column: String,
    operator: String,
    #[serde(default)]
    value: Value,
}

/// Reads conditions, all of which have to hold.
pub(super) fn read(text: &str) -> Result<Filter, Failed> {
    let asked: Vec<Asked> = serde_json::from_str(text).map_err(|error| {
        Failed::bad_request(&format!(
            "filter is no list of conditions: {error}; send [{{\"type\":\"string\",\"column\":\"name\",\"operator\":\"=\",\"value\":\"..\"}}]"
        ))
    })?;
    let terms: Result<Vec<_>, _> = asked.iter().map(terms).collect();
    Ok(Filter { terms: terms?.into_iter().flatten().collect() })
}

fn terms(asked: &Asked) -> Result<Vec<Term>, Failed> {
    let Asked { column, operator, value } = asked;
    let wrong = |what: &str| {
        Failed::bad_request(&format!("filter: {column} cannot be asked for by {operator:?} {what}"))
    };
    match column.as_str() {
        "isRootObservation" => {
            let is_root = value.as_bool().ok_or_else(|| wrong("without true or false"))?;
            let is_equal = match operator.as_str() {
                "=" => true,
                "<>" => false,
                _ => return Err(wrong("here; type = or <>")),
            };
            Ok(vec![term(is_root == is_equal, Condition::Has(Has::Parent))])
        }
        "level" => texts(value)
            .filter(|_| matches!(operator.as_str(), "=" | "any of"))
            .and_then(|levels| match levels.as_slice() {
                ["ERROR"] => Some(vec![term(false, Condition::Status(Status::Error))]),
                ["DEFAULT"] => Some(vec![term(true, Condition::Status(Status::Error))]),
                _ => None,
            })
            .ok_or_else(|| wrong("here; type = ERROR or = DEFAULT")),
        "startTime" => number(asked, NumberKey::Start, |value| instant_us(value.as_str()?))
            .ok_or_else(|| {
                wrong("here; type <, <=, > or >= and a time such as 2026-01-01T00:00:00Z")
            }),
        "latency" => number(asked, NumberKey::Duration, |value| whole(value.as_f64()? * 1e6))
            .ok_or_else(|| wrong("here; type =, <, <=, > or >= and a number of seconds")),
        "totalCost" => number(asked, NumberKey::Cost, |value| whole(value.as_f64()? * 1e12))
            .ok_or_else(|| wrong("here; type =, <, <=, > or >= and a number of dollars")),
        "totalTokens" | "tokens" => {
            number(asked, NumberKey::Tokens, |value| whole(value.as_f64()?))
                .ok_or_else(|| wrong("here; type =, <, <=, > or >= and a number"))
        }
        column => {
            let key = key(column).ok_or_else(|| {
                Failed::bad_request(&format!(
                    "filter: {column} is not known here; type one of {COLUMNS}"
                ))
            })?;
            of_text(key, operator, value).ok_or_else(|| {
                wrong("here; type =, contains, does not contain, starts with, ends with, any of, none of, without *")
            })
        }
    }
}

fn key(column: &str) -> Option<TextKey> {
    Some(match column {
        "id" => TextKey::Span,
        "type" => TextKey::Kind,
        "name" => TextKey::Name,
        "traceId" => TextKey::Trace,
        "parentObservationId" => TextKey::Parent,
        "environment" => TextKey::Environment,
        "version" => TextKey::Version,
        "userId" => TextKey::User,
        "sessionId" => TextKey::Session,
        "model" | "providedModelName" => TextKey::Model,
        "tags" | "traceTags" => TextKey::Tag,
        _ => return None,
    })
}

fn of_text(key: TextKey, operator: &str, value: &Value) -> Option<Vec<Term>> {
    let values = texts(value)?;
    // A star stands for anything, and cannot be asked for itself.
    if values.iter().any(|value| value.contains('*')) {
        return None;
    }
    let condition = |before: &str, value: &str, after: &str| {
        // Ids that are no hex are kept as the hex that they were hashed to.
        let value = match key {
            TextKey::Trace => langfuse_trace_id(value).to_string(),
            TextKey::Span | TextKey::Parent => langfuse_span_id(value).to_string(),
            _ => value.to_owned(),
        };
        Condition::Text(key, Pattern::new(&format!("{before}{value}{after}")))
    };
    let is_id = matches!(key, TextKey::Trace | TextKey::Span | TextKey::Parent);
    let each = |negated: bool| {
        values.iter().map(|value| term(negated, condition("", value, ""))).collect::<Vec<_>>()
    };
    Some(match (operator, values.as_slice()) {
        ("=", [_]) | ("all of", _) => each(false),
        ("none of", _) => each(true),
        ("any of", _) => vec![term(false, Condition::Any(each(false)))],
        ("contains", [part]) if !is_id => vec![term(false, condition("*", part, "*"))],
        ("does not contain", [part]) if !is_id => vec![term(true, condition("*", part, "*"))],
        ("starts with", [part]) if !is_id => vec![term(false, condition("", part, "*"))],
        ("ends with", [part]) if !is_id => vec![term(false, condition("*", part, ""))],
        _ => return None,
    })
}

/// A text, or a list of them.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(all) => all.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn number(
    asked: &Asked,
    key: NumberKey,
    read: impl FnOnce(&Value) -> Option<i64>,
) -> Option<Vec<Term>> {
    let number = read(&asked.value)?;
    let (min, max) = match asked.operator.as_str() {
        "=" => (Some(number), Some(number)),
        ">" => (Some(number.saturating_add(1)), None),
        ">=" => (Some(number), None),
        "<" => (None, Some(number.saturating_sub(1))),
        "<=" => (None, Some(number)),
        _ => return None,
    };
    Some(vec![term(false, Condition::Number(key, Range { min, max }))])
}

fn whole(number: f64) -> Option<i64> {
    // What is too large for the column is larger than all that is in it.
    number.is_finite().then_some(number.round() as i64)
}

const fn term(negated: bool, condition: Condition) -> Term {
    Term { negated, condition }
}

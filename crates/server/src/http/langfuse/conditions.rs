//! The `filter` of Langfuse's traces and observations, and of metrics: a list of conditions in JSON. Those that cannot be
//! answered exactly are refused.

use super::Failed;
use crate::filter::{Condition, Filter, Has, NumberKey, Pattern, Range, Status, Term, TextKey};
use crate::ingest::{langfuse_span_id, langfuse_trace_id};
use crate::langfuse::DEFAULT_ENVIRONMENT;
use crate::received::instant_us;
use serde::Deserialize;
use serde_json::Value;

/// What conditions are about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Traces,
    Observations,
}

impl Over {
    /// The columns that can be asked for.
    pub(super) const fn columns(self) -> &'static str {
        match self {
            Self::Traces => {
                "id, name, userId, sessionId, tags, environment, release, version, timestamp, latency, totalCost, \
                 totalTokens, metadata with a key"
            }
            Self::Observations => {
                "id, type, name, traceId, parentObservationId, environment, level, version, release, userId, sessionId, \
                 model, tags, startTime, latency, totalCost, totalTokens, isRootObservation, metadata with a key; texts are \
                 searched by q of /api/v1/spans"
            }
        }
    }

    fn key(self, column: &str) -> Option<TextKey> {
        Some(match (column, self) {
            ("id", Self::Observations) => TextKey::Span,
            ("type", Self::Observations) => TextKey::Kind,
            ("name", _) => TextKey::Name,
            ("traceName", Self::Traces) => TextKey::Name,
            ("traceId", _) | ("id", Self::Traces) => TextKey::Trace,
            ("parentObservationId", Self::Observations) => TextKey::Parent,
            ("environment", _) => TextKey::Environment,
            ("version" | "traceVersion", _) => TextKey::Version,
            ("release" | "traceRelease", _) => TextKey::Release,
            ("userId", _) => TextKey::User,
            ("sessionId", _) => TextKey::Session,
            ("model" | "providedModelName", Self::Observations) => TextKey::Model,
            ("tags" | "traceTags", _) => TextKey::Tag,
            _ => return None,
        })
    }
}

/// A condition as it is asked.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) column: String,
    pub(super) operator: String,
    #[serde(default)]
    pub(super) value: Value,
    /// Which fact of the metadata is meant.
    #[serde(default)]
    key: Option<String>,
}

/// Reads conditions, all of which have to hold.
pub(super) fn read(text: &str, over: Over) -> Result<Filter, Failed> {
    let asked: Vec<Asked> = serde_json::from_str(text).map_err(|error| {
        Failed::bad_request(&format!(
            "filter is no list of conditions: {error}; send [{{\"type\":\"string\",\"column\":\"name\",\"operator\":\"=\",\"value\":\"..\"}}]"
        ))
    })?;
    filter(&asked, over)
}

/// Makes a filter of conditions.
pub(super) fn filter(asked: &[Asked], over: Over) -> Result<Filter, Failed> {
    let terms: Result<Vec<_>, _> = asked.iter().map(|asked| terms(asked, over)).collect();
    Ok(Filter { terms: terms?.into_iter().flatten().collect() })
}

fn terms(asked: &Asked, over: Over) -> Result<Vec<Term>, Failed> {
    let Asked { column, operator, value, key } = asked;
    let wrong = |what: &str| {
        Failed::bad_request(&format!("filter: {column} cannot be asked for by {operator:?} {what}"))
    };
    match column.as_str() {
        "metadata" => {
            let key = key.as_deref().filter(|key| !key.is_empty());
            let key =
                key.ok_or_else(|| wrong("without a key, which names the fact that is meant"))?;
            let condition = |pattern| match over {
                Over::Traces => Condition::Metadata(key.to_owned(), pattern),
                Over::Observations => Condition::OwnMetadata(key.to_owned(), pattern),
            };
            of_text(operator, value, condition).ok_or_else(|| wrong(TEXT_OPERATORS))
        }
        "isRootObservation" if over == Over::Observations => {
            let is_root = value.as_bool().ok_or_else(|| wrong("without true or false"))?;
            let is_equal = match operator.as_str() {
                "=" => true,
                "<>" => false,
                _ => return Err(wrong("here; type = or <>")),
            };
            Ok(vec![term(is_root == is_equal, Condition::Has(Has::Parent))])
        }
        "level" if over == Over::Observations => texts(value)
            .filter(|_| matches!(operator.as_str(), "=" | "any of"))
            .and_then(|levels| match levels.as_slice() {
                ["ERROR"] => Some(vec![term(false, Condition::Status(Status::Error))]),
                ["DEFAULT"] => Some(vec![term(true, Condition::Status(Status::Error))]),
                _ => None,
            })
            .ok_or_else(|| wrong("here; type = ERROR or = DEFAULT")),
        "startTime" | "timestamp" => number(asked, NumberKey::Start, |value| {
            instant_us(value.as_str()?)
        })
        .ok_or_else(|| wrong("here; type <, <=, > or >= and a time such as 2026-01-01T00:00:00Z")),
        "latency" => number(asked, NumberKey::Duration, |value| whole(value.as_f64()? * 1e6))
            .ok_or_else(|| wrong("here; type =, <, <=, > or >= and a number of seconds")),
        "totalCost" => number(asked, NumberKey::Cost, |value| whole(value.as_f64()? * 1e12))
            .ok_or_else(|| wrong("here; type =, <, <=, > or >= and a number of dollars")),
        "totalTokens" | "tokens" => {
            number(asked, NumberKey::Tokens, |value| whole(value.as_f64()?))
                .ok_or_else(|| wrong("here; type =, <, <=, > or >= and a number"))
        }
        column => {
            let key = over.key(column).ok_or_else(|| {
                let columns = over.columns();
                Failed::bad_request(&format!(
                    "filter: {column} is not known here; type one of {columns}"
                ))
            })?;
            of_key(key, operator, value).ok_or_else(|| wrong(TEXT_OPERATORS))
        }
    }
}

/// What texts can be asked by.
const TEXT_OPERATORS: &str =
    "here; type =, contains, does not contain, starts with, ends with, any of, none of, without *";

fn of_key(key: TextKey, operator: &str, value: &Value) -> Option<Vec<Term>> {
    let is_id = matches!(key, TextKey::Trace | TextKey::Span | TextKey::Parent);
    if is_id && !matches!(operator, "=" | "all of" | "none of" | "any of") {
        return None;
    }
    // What names no environment is of the default one.
    let is_default = |value: &&str| key == TextKey::Environment && *value == DEFAULT_ENVIRONMENT;
    if texts(value)?.iter().any(is_default) {
        let any = |pattern: &str| Condition::Text(key, Pattern::new(pattern));
        let mut values: Vec<_> =
            texts(value)?.into_iter().map(|value| term(false, any(value))).collect();
        values.push(term(true, any("*")));
        return match operator {
            "=" | "any of" => Some(vec![term(false, Condition::Any(values))]),
            "none of" => Some(vec![term(true, Condition::Any(values))]),
            _ => None,
        };
    }
    of_text(operator, value, |pattern| {
        // Ids that are no hex are kept as the hex that they were hashed to.
        let pattern = match key {
            TextKey::Trace => Pattern::new(&langfuse_trace_id(pattern.as_str()).to_string()),
            TextKey::Span | TextKey::Parent => {
                Pattern::new(&langfuse_span_id(pattern.as_str()).to_string())
            }
            _ => pattern,
        };
        Condition::Text(key, pattern)
    })
}

fn of_text(
    operator: &str,
    value: &Value,
    condition: impl Fn(Pattern) -> Condition,
) -> Option<Vec<Term>> {
    let values = texts(value)?;
    // A star stands for anything, and cannot be asked for itself.
    if values.iter().any(|value| value.contains('*')) {
        return None;
    }
    let part = |before: &str, value: &str, after: &str| {
        condition(Pattern::new(&format!("{before}{value}{after}")))
    };
    let each = |negated: bool| {
        values.iter().map(|value| term(negated, part("", value, ""))).collect::<Vec<_>>()
    };
    Some(match (operator, values.as_slice()) {
        ("=", [_]) | ("all of", _) => each(false),
        ("none of", _) => each(true),
        ("any of", _) => vec![term(false, Condition::Any(each(false)))],
        ("contains", [text]) => vec![term(false, part("*", text, "*"))],
        ("does not contain", [text]) => vec![term(true, part("*", text, "*"))],
        ("starts with", [text]) => vec![term(false, part("", text, "*"))],
        ("ends with", [text]) => vec![term(false, part("*", text, ""))],
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

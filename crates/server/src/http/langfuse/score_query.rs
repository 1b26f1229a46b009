//! What Langfuse's clients ask scores for, in both ways that they have: by page, and by cursor from their fifth version on.

use super::Failed;
use super::question::Question;
use crate::ingest::{langfuse_span_id, langfuse_trace_id};
use crate::store::{Paging, ScoreKind, ScoreQuery, ScoreValue};

/// The most scores of a page of the third version, which refuses to be asked for more.
const MOST_ITEMS: usize = 100;

/// What no score has here, so that whoever asks for it finds none.
const OF_NONE: [&str; 6] =
    ["sessionId", "experimentId", "datasetRunId", "configId", "queueId", "authorUserId"];

/// Reads what the first and second version are asked for; `None` if no score can be meant.
pub(super) fn by_page(question: &Question, paging: Paging) -> Result<Option<ScoreQuery>, Failed> {
    question.refuse(&["traceTags", "filter"], "traceId")?;
    let kinds = kinds(question)?;
    let mut query = shared(question, &kinds, paging)?;
    query.names = question.one("name").map(str::to_owned).into_iter().collect();
    query.user_id = question.one("userId").map(str::to_owned);
    query.ids = list(question, "scoreIds");
    match (question.one("operator"), question.one("value")) {
        (None, None) => (),
        (Some(operator), Some(value)) => {
            let value = number("value", value)?;
            match operator {
                ">=" => query.min = Some(value),
                "<=" => query.max = Some(value),
                // The next number in either direction.
                ">" => query.min = Some(value.next_up()),
                "<" => query.max = Some(value.next_down()),
                "=" => query.values = vec![ScoreValue::Number(value)],
                _ => return Err(Failed::bad_request("operator is one of =, <, <=, >, >=")),
            }
        }
        _ => return Err(Failed::bad_request("operator and value belong together")),
    }
    Ok(possible(question, &kinds).then_some(query))
}

/// Reads what the third version is asked for; `None` if no score can be meant.
pub(super) fn by_cursor(question: &Question, limit: usize) -> Result<Option<ScoreQuery>, Failed> {
    if limit > MOST_ITEMS {
        return Err(Failed::bad_request(&format!(
            "limit cannot be {limit}; type a number from 1 to {MOST_ITEMS}"
        )));
    }
    let is_of = |names: &[&str]| names.iter().filter(|name| question.one(name).is_some()).count();
    if is_of(&["traceId", "sessionId", "experimentId"]) > 1 {
        return Err(Failed::bad_request("ask for one of traceId, sessionId and experimentId"));
    }
    if question.one("observationId").is_some() && question.one("traceId").is_none() {
        return Err(Failed::bad_request("observationId needs a traceId beside it"));
    }
    let kinds = kinds(question)?;
    let cursor = question.one("cursor").map(str::to_owned);
    let mut query = shared(question, &kinds, Paging { limit, cursor, skip: 0 })?;
    query.names = list(question, "name");
    query.ids = list(question, "id");
    let bound = |name: &str| question.one(name).map(|text| number(name, text)).transpose();
    (query.min, query.max) = (bound("valueMin")?, bound("valueMax")?);
    if (query.min.or(query.max)).is_some() && kinds != [Some(ScoreKind::Number)] {
        return Err(Failed::bad_request("valueMin and valueMax need dataType=NUMERIC"));
    }
    for value in list(question, "value") {
        query.values.push(match kinds.as_slice() {
            [Some(ScoreKind::Number)] => ScoreValue::Number(number("value", &value)?),
            [Some(ScoreKind::Flag)] => match value.as_str() {
                "true" => ScoreValue::Flag(true),
                "false" => ScoreValue::Flag(false),
                _ => {
                    return Err(Failed::bad_request("value is true or false for dataType=BOOLEAN"));
                }
            },
            [Some(ScoreKind::Text)] => ScoreValue::Text(value),
            _ => {
                let message = "value needs one dataType of NUMERIC, BOOLEAN and CATEGORICAL";
                return Err(Failed::bad_request(message));
            }
        });
    }
    Ok(possible(question, &kinds).then_some(query))
}

fn shared(
    question: &Question,
    kinds: &[Option<ScoreKind>],
    paging: Paging,
) -> Result<ScoreQuery, Failed> {
    Ok(ScoreQuery {
        trace_ids: list(question, "traceId").iter().map(|id| langfuse_trace_id(id)).collect(),
        span_ids: list(question, "observationId").iter().map(|id| langfuse_span_id(id)).collect(),
        kinds: kinds.iter().flatten().copied().collect(),
        environments: list(question, "environment"),
        from_us: question.instant("fromTimestamp")?,
        to_us: question.instant("toTimestamp")?,
        paging,
        ..ScoreQuery::default()
    })
}

/// The kinds that are asked for; `None` is one of Langfuse's that there is not here.
fn kinds(question: &Question) -> Result<Vec<Option<ScoreKind>>, Failed> {
    let kind = |word: &String| match word.to_ascii_uppercase().as_str() {
        "NUMERIC" => Ok(Some(ScoreKind::Number)),
        "BOOLEAN" => Ok(Some(ScoreKind::Flag)),
        "CATEGORICAL" => Ok(Some(ScoreKind::Text)),
        "TEXT" | "CORRECTION" => Ok(None),
        _ => Err(Failed::bad_request(&format!(
            "dataType cannot be {word:?}; type NUMERIC, BOOLEAN, CATEGORICAL, TEXT or CORRECTION"
        ))),
    };
    list(question, "dataType").iter().map(kind).collect()
}

fn possible(question: &Question, kinds: &[Option<ScoreKind>]) -> bool {
    let sources = list(question, "source");
    let is_of_api =
        sources.is_empty() || sources.iter().any(|source| source.eq_ignore_ascii_case("api"));
    let has_kind = kinds.is_empty() || kinds.iter().any(Option::is_some);
    is_of_api && has_kind && OF_NONE.iter().all(|name| question.one(name).is_none())
}

/// What stands there several times, or with commas between.
fn list(question: &Question, name: &str) -> Vec<String> {
    let parts = question.all(name).flat_map(|text| text.split(','));
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn number(name: &str, text: &str) -> Result<f64, Failed> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| {
        Failed::bad_request(&format!("{name} cannot be {text:?}; type a number such as 0.5"))
    })
}

//! The query API's scores: judgements of traces and spans, read and added.

use super::App;
use super::api::{ListParams, answer, id};
use super::asked::Asked;
use super::body;
use super::clock::now_us;
use super::error::ApiError;
use crate::store::{Batch, NewScore, ScoreQuery};
use crate::view::ScoreView;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// The most characters of a name, and of a value that is a text.
const MOST_TEXT: usize = 1000;

/// The most characters of a comment.
const MOST_COMMENT: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    trace_id: Option<String>,
    name: Option<String>,
    alone: Option<bool>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(params): Asked<Params>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let trace_id = params.trace_id.as_deref().map(id).transpose()?;
    let list = ListParams { limit: params.limit, cursor: params.cursor, ..ListParams::default() };
    let query = ScoreQuery {
        trace_ids: trace_id.into_iter().collect(),
        is_alone: params.alone == Some(true),
        names: params.name.into_iter().collect(),
        paging: list.paging()?,
        ..ScoreQuery::default()
    };
    let page = app.ask(move |store| store.scores(&query)).await?;
    Ok(answer(&headers, &page))
}

/// A judgement to add.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScoreRequest {
    /// Its own id, at most 200 characters: a second one with the same id replaces the first. A random one if left out.
    id: Option<String>,
    /// The trace, 32 hex digits.
    trace_id: String,
    /// The span, 16 hex digits; the whole trace if left out.
    span_id: Option<String>,
    /// What is judged.
    name: String,
    /// A number, a text, or true or false.
    value: Value,
    /// Why.
    comment: Option<String>,
}

/// Keeps a score, and answers with it when it is durable.
pub(super) async fn create(State(app): State<Arc<App>>, body: Body) -> Result<Response, ApiError> {
    let bytes = body::read(body, &app.limits).await?;
    let request: ScoreRequest = serde_json::from_slice(&bytes).map_err(|error| {
        ApiError::bad_request(format!(
            "{error}; send {{\"trace_id\":\"..\",\"name\":\"..\",\"value\":1}}"
        ))
    })?;
    let score = score(request)?;
    let view = ScoreView {
        id: score.id.clone(),
        trace_id: score.trace_id.to_string(),
        span_id: score.span_id.map(|span_id| span_id.to_string()),
        name: score.name.clone(),
        value: score.value.clone(),
        comment: score.comment.clone(),
        at_us: score.at_us,
    };
    app.keep(Batch { scores: vec![score], ..Batch::default() }).await?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

fn score(request: ScoreRequest) -> Result<NewScore, ApiError> {
    let short = |what: &str, text: &str, most: usize| {
        if text.is_empty() || text.chars().count() > most {
            let message = format!("{what} has to be a text of 1 to {most} characters");
            return Err(ApiError::bad_request(message));
        }
        Ok(())
    };
    short("name", &request.name, MOST_TEXT)?;
    if let Some(id) = &request.id {
        short("id", id, 200)?;
    }
    if let Some(comment) = &request.comment {
        short("comment", comment, MOST_COMMENT)?;
    }
    match &request.value {
        Value::Number(_) | Value::Bool(_) => (),
        Value::String(text) => short("value", text, MOST_TEXT)?,
        _ => return Err(ApiError::bad_request("value has to be a number, a text, true or false")),
    }
    Ok(NewScore {
        id: request.id.map_or_else(random_id, Ok)?,
        trace_id: id(&request.trace_id)?,
        span_id: request.span_id.as_deref().map(id).transpose()?,
        name: request.name,
        value: request.value,
        comment: request.comment,
        at_us: now_us(),
    })
}

fn random_id() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let message = format!("the system has no random numbers: {error}; send an id");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_random_numbers", message)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

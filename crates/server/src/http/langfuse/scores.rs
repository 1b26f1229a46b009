//! Langfuse's scores: read and added.

use super::super::App;
use super::super::asked::{Asked, InPath};
use super::super::body;
use super::super::clock::now_us;
use super::super::error::ApiError;
use super::Failed;
use super::question::Question;
use super::score_query;
use crate::ingest::langfuse_score;
use crate::langfuse;
use crate::store::{Batch, Countable, NewScore, ScoreQuery, Store, StoreError};
use crate::view::ScoreView;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<Json<Value>, Failed> {
    let question = Question(asked);
    let page = question.page()?;
    let Some(query) = score_query::by_page(&question, page.paging())? else {
        return Ok(Json(page.answer(Vec::new(), 0)));
    };
    let answer = app.ask(move |store| {
        let total = store.count(Countable::Scores(&query))?;
        let scores = store.scores(&query)?.items;
        let shown = scores.iter().map(|score| shown(store, score));
        Ok(page.answer(shown.collect::<Result<_, _>>()?, total))
    });
    Ok(Json(answer.await?))
}

/// The groups of fields that can be asked for beside the others.
const GROUPS: [&str; 3] = ["details", "subject", "annotation"];

/// The third version: a part at a time, with values of their own type.
pub(in super::super) async fn by_cursor(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<Json<Value>, Failed> {
    let question = Question(asked);
    let fields: Vec<String> = question
        .one("fields")
        .into_iter()
        .flat_map(|fields| fields.split(','))
        .map(|group| group.trim().to_owned())
        .filter(|group| !group.is_empty() && group != "core")
        .collect();
    if let Some(other) = fields.iter().find(|field| !GROUPS.contains(&field.as_str())) {
        let groups = GROUPS.join(", ");
        return Err(Failed::bad_request(&format!(
            "fields cannot be {other:?}; type one of {groups}"
        )));
    }
    let limit = question.number("limit")?.unwrap_or(50);
    let query = score_query::by_cursor(&question, limit)?;
    let answer = app.ask(move |store| {
        let Some(query) = query else { return Ok((Vec::new(), None)) };
        let page = store.scores(&query)?;
        let groups: Vec<&str> = fields.iter().map(String::as_str).collect();
        let shown = page.items.iter().map(|score| {
            let environment = trace_of(store, score)?.map(|trace| trace["environment"].clone());
            Ok::<_, StoreError>(langfuse::score_v3(score, environment, &groups))
        });
        Ok((shown.collect::<Result<Vec<_>, _>>()?, page.next_cursor))
    });
    let (data, cursor) = answer.await?;
    let mut meta = json!({ "limit": limit });
    // Where there is no more, the cursor is left out.
    if let Some(cursor) = cursor {
        meta["cursor"] = cursor.into();
    }
    Ok(Json(json!({ "data": data, "meta": meta })))
}

pub(in super::super) async fn one(
    State(app): State<Arc<App>>,
    InPath(id): InPath<String>,
) -> Result<Json<Value>, Failed> {
    let query = ScoreQuery { ids: vec![id], ..ScoreQuery::default() };
    let found = app.ask(move |store| {
        let score = store.scores(&query)?.items.pop();
        score.map(|score| shown(store, &score)).transpose()
    });
    Ok(Json(found.await?.ok_or_else(|| Failed::not_found("score"))?))
}

/// Shows a score with what is known of its trace.
fn shown(store: &dyn Store, score: &ScoreView) -> Result<Value, StoreError> {
    let mut shown = langfuse::score(score);
    if let Some(trace) = trace_of(store, score)? {
        shown["environment"] = trace["environment"].clone();
        shown["trace"] = json!({
            "userId": trace["userId"],
            "tags": trace["tags"],
            "environment": trace["environment"],
        });
    }
    Ok(shown)
}

/// What is known of a score's trace, which need not have arrived.
fn trace_of(store: &dyn Store, score: &ScoreView) -> Result<Option<Value>, StoreError> {
    let Ok(trace_id) = score.trace_id.parse() else { return Ok(None) };
    let view = store.trace(trace_id, 0)?;
    Ok(view.map(|view| langfuse::trace(&view.trace, None, None)))
}

/// Adds a score, or a list of them as clients from version 5 on send it.
pub(in super::super) async fn create(
    State(app): State<Arc<App>>,
    body: Body,
) -> Result<Response, Failed> {
    let bytes = body::read(body, &app.limits).await?;
    let sent = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::bad_request(format!("expected a score in JSON: {error}")))?;
    let now_ns = u64::try_from(now_us()).unwrap_or(0).saturating_mul(1000);
    match sent {
        Value::Object(sent) => {
            let score = langfuse_score(&sent, now_ns).map_err(ApiError::from)?;
            let answer = json!({ "id": score.id });
            app.keep(Batch { scores: vec![score], ..Batch::default() }).await?;
            Ok(Json(answer).into_response())
        }
        Value::Array(list) => {
            let (scores, errors) = read_list(&list, now_ns);
            let (accepted, rejected) = (scores.len(), errors.len());
            app.keep(Batch { scores, ..Batch::default() }).await?;
            Ok(if errors.is_empty() {
                (StatusCode::ACCEPTED, Json(json!({ "message": "Accepted" }))).into_response()
            } else {
                let counts =
                    json!({ "accepted": accepted, "rejected": rejected, "errors": errors });
                (StatusCode::MULTI_STATUS, Json(counts)).into_response()
            })
        }
        _ => Err(Failed::bad_request("expected a score, or a list of scores")),
    }
}

/// Reads the scores of a list, and what is wrong with those that are none.
fn read_list(list: &[Value], now_ns: u64) -> (Vec<NewScore>, Vec<Value>) {
    let (mut scores, mut errors) = (Vec::new(), Vec::new());
    for (at, sent) in list.iter().enumerate() {
        // Scores without an id of their own are told apart by their time.
        let made_at = now_ns.saturating_add(at as u64);
        let read = match sent {
            Value::Object(sent) => langfuse_score(sent, made_at).map_err(|error| error.to_string()),
            _ => Err("expected a score".to_owned()),
        };
        match read {
            Ok(score) => scores.push(score),
            Err(error) => errors.push(json!({ "message": format!("score {at}: {error}") })),
        }
    }
    (scores, errors)
}

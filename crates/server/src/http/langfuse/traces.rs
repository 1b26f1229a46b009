//! Langfuse's traces and sessions.

use super::super::App;
use super::super::asked::{Asked, InPath};
use super::question::Question;
use super::{Failed, conditions, observations};
use crate::detail::SpanDetail;
use crate::filter::{Condition, Filter, Pattern, Term, TextKey};
use crate::ingest::langfuse_trace_id;
use crate::langfuse;
use crate::store::{
    Countable, MOST_SCORES_OF_TRACE, Order, Paging, Sort, Store, StoreError, TraceQuery,
};
use crate::view::{SpanSummary, TraceSummary};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// The most spans of a trace that are shown.
const MOST_SPANS: usize = 10_000;

const FILTERS: [(&str, TextKey); 7] = [
    ("userId", TextKey::User),
    ("name", TextKey::Name),
    ("sessionId", TextKey::Session),
    ("tags", TextKey::Tag),
    ("environment", TextKey::Environment),
    ("version", TextKey::Version),
    ("release", TextKey::Release),
];

pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<Json<Value>, Failed> {
    let question = Question(asked);
    let page = question.page()?;
    let filter = match question.one("filter") {
        // It goes before single fields.
        Some(text) => conditions::read(text, conditions::Over::Traces)?,
        None => question.filter(&FILTERS, ["fromTimestamp", "toTimestamp"])?,
    };
    let (sort, order) = order(question.one("orderBy"))?;
    let answer = app.ask(move |store| {
        let total = store.count(Countable::Traces(&filter))?;
        let query = TraceQuery { filter, sort, order, paging: page.paging() };
        let traces = store.traces(&query)?.items;
        let shown = traces.iter().map(|trace| {
            let (mut shown, spans) = shown(store, trace)?;
            shown["observations"] = spans.into_iter().map(|span| span.span_id).collect();
            shown["scores"] =
                scores(store, trace, 1000)?.iter().map(|score| score["id"].clone()).collect();
            Ok(shown)
        });
        Ok(page.answer(shown.collect::<Result<_, StoreError>>()?, total))
    });
    Ok(Json(answer.await?))
}

/// Reads `timestamp.asc`.
fn order(asked: Option<&str>) -> Result<(Sort, Order), Failed> {
    let Some(asked) = asked else { return Ok((Sort::Start, Order::Descending)) };
    let (column, direction) = asked.split_once('.').unwrap_or((asked, "desc"));
    let sort = match column {
        "timestamp" => Some(Sort::Start),
        "latency" => Some(Sort::Duration),
        "totalCost" => Some(Sort::Cost),
        "totalTokens" => Some(Sort::Tokens),
        _ => None,
    };
    let order = match direction.to_ascii_lowercase().as_str() {
        "asc" => Some(Order::Ascending),
        "desc" => Some(Order::Descending),
        _ => None,
    };
    sort.zip(order).ok_or_else(|| {
        Failed::bad_request(&format!(
            "orderBy cannot be {asked:?}; type timestamp, latency, totalCost or totalTokens, and .asc or .desc"
        ))
    })
}

pub(in super::super) async fn one(
    State(app): State<Arc<App>>,
    InPath(id): InPath<String>,
) -> Result<Json<Value>, Failed> {
    let trace_id = langfuse_trace_id(&id);
    let answer = app.ask(move |store| {
        let Some(view) = store.trace(trace_id, 0)? else { return Ok(None) };
        let (mut shown, _) = shown(store, &view.trace)?;
        let raw = store.raw_spans(trace_id, MOST_SPANS)?;
        shown["observations"] = observations::shown(raw, &view.trace.name).into();
        shown["scores"] = scores(store, &view.trace, MOST_SCORES_OF_TRACE)?.into();
        Ok(Some(shown))
    });
    Ok(Json(answer.await?.ok_or_else(|| Failed::not_found("trace"))?))
}

fn scores(store: &dyn Store, trace: &TraceSummary, most: usize) -> Result<Vec<Value>, StoreError> {
    let Ok(trace_id) = trace.trace_id.parse() else { return Ok(Vec::new()) };
    let scores = store.scores_of(trace_id, most)?;
    Ok(scores.iter().map(langfuse::score).collect())
}

/// Shows a trace with what was said to have gone into and come out of it, or else of its root; and its spans.
fn shown(store: &dyn Store, trace: &TraceSummary) -> Result<(Value, Vec<SpanSummary>), StoreError> {
    let Ok(trace_id) = trace.trace_id.parse() else { return Ok((Value::Null, Vec::new())) };
    let spans = store.trace(trace_id, MOST_SPANS)?.map(|view| view.spans).unwrap_or_default();
    let root = spans.iter().find(|span| span.parent_id.is_none());
    let root = match root.and_then(|root| root.span_id.parse().ok()) {
        Some(root) => store.span(trace_id, root)?.map(SpanDetail::read),
        None => None,
    };
    // What was said of the trace itself goes first, as in its previews.
    let said = store.records(trace_id)?.into_iter().map(SpanDetail::read).chain(root);
    let (mut input, mut output) = (None, None);
    for said in said {
        (input, output) = (input.or(said.input), output.or(said.output));
    }
    Ok((langfuse::trace(trace, input.as_ref(), output.as_ref()), spans))
}

pub(in super::super) async fn sessions(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<Json<Value>, Failed> {
    let question = Question(asked);
    let page = question.page()?;
    let filter = question
        .filter(&[("environment", TextKey::Environment)], ["fromTimestamp", "toTimestamp"])?;
    let answer = app.ask(move |store| {
        let total = store.count(Countable::Sessions(&filter))?;
        let sessions = store.sessions(&filter, &page.paging())?.items;
        Ok(page.answer(sessions.iter().map(langfuse::session).collect(), total))
    });
    Ok(Json(answer.await?))
}

pub(in super::super) async fn session(
    State(app): State<Arc<App>>,
    InPath(id): InPath<String>,
) -> Result<Json<Value>, Failed> {
    let condition = Condition::Text(TextKey::Session, Pattern::new(&id));
    let filter = Filter { terms: vec![Term { negated: false, condition }] };
    let answer = app.ask(move |store| {
        let sessions = store.sessions(&filter, &Paging::default())?.items;
        let Some(found) = sessions.iter().find(|found| found.session_id.as_ref() == Some(&id))
        else {
            return Ok(None);
        };
        let paging = Paging { limit: 1000, ..Paging::default() };
        let query = TraceQuery { filter, order: Order::Ascending, paging, ..TraceQuery::default() };
        let traces = store.traces(&query)?.items;
        let traces = traces.iter().map(|trace| Ok(shown(store, trace)?.0));
        let mut answer = langfuse::session(found);
        answer["traces"] = json!(traces.collect::<Result<Vec<_>, StoreError>>()?);
        Ok(Some(answer))
    });
    Ok(Json(answer.await?.ok_or_else(|| Failed::not_found("session"))?))
}

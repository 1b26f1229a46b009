//! Langfuse's observations: by page with all fields, and by cursor with those that are asked for.

use super::super::App;
use super::super::asked::{Asked, InPath};
use super::Failed;
use super::conditions;
use super::question::Question;
use crate::detail::SpanDetail;
use crate::filter::{Condition, Filter, Has, Pattern, Term, TextKey};
use crate::ingest::{langfuse_span_id, langfuse_trace_id};
use crate::langfuse;
use crate::store::{Countable, Paging, Store, StoreError};
use crate::view::{RawSpan, SpanSummary};
use crate::wire::WireSpan;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The most observations of a part.
const MOST_OBSERVATIONS: usize = 1000;

const FILTERS: [(&str, TextKey); 6] = [
    ("name", TextKey::Name),
    ("userId", TextKey::User),
    ("sessionId", TextKey::Session),
    ("type", TextKey::Kind),
    ("environment", TextKey::Environment),
    ("version", TextKey::Version),
];

/// The fields of the second version by the groups that can be asked for.
const GROUPS: [(&str, &[&str]); 10] = [
    (
        "core",
        &[
            "id",
            "traceId",
            "startTime",
            "endTime",
            "projectId",
            "parentObservationId",
            "type",
            "isRootObservation",
        ],
    ),
    (
        "basic",
        &[
            "name",
            "level",
            "statusMessage",
            "version",
            "environment",
            "bookmarked",
            "public",
            "userId",
            "sessionId",
        ],
    ),
    ("time", &["completionStartTime", "createdAt", "updatedAt"]),
    ("io", &["input", "output"]),
    ("metadata", &["metadata"]),
    (
        "model",
        &[
            "model",
            "providedModelName",
            "internalModelId",
            "modelId",
            "modelParameters",
            "inputPrice",
            "outputPrice",
            "totalPrice",
        ],
    ),
    ("usage", &["usageDetails", "costDetails", "totalCost"]),
    ("prompt", &["promptId", "promptName", "promptVersion"]),
    ("metrics", &["latency", "timeToFirstToken"]),
    ("trace_context", &["traceName", "tags", "release"]),
];

fn filter(question: &Question) -> Result<Filter, Failed> {
    // It goes before single fields.
    if let Some(text) = question.one("filter") {
        return conditions::read(text, conditions::Over::Observations);
    }
    let mut filter = question.filter(&FILTERS, ["fromStartTime", "toStartTime"])?;
    if let Some(trace) = question.one("traceId") {
        let id = langfuse_trace_id(trace).to_string();
        filter.terms.push(Term {
            negated: false,
            condition: Condition::Text(TextKey::Trace, Pattern::new(&id)),
        });
    }
    let mut add = |negated, condition| filter.terms.push(Term { negated, condition });
    // An empty one asks for what has no parent.
    match question.0.iter().find(|(name, _)| name == "parentObservationId") {
        Some((_, none)) if none.is_empty() => add(true, Condition::Has(Has::Parent)),
        Some((_, parent)) => {
            let id = langfuse_span_id(parent).to_string();
            add(false, Condition::Text(TextKey::Parent, Pattern::new(&id)));
        }
        None => (),
    }
    match question.one("isRootObservation") {
        Some("true") => add(true, Condition::Has(Has::Parent)),
        Some("false") => add(false, Condition::Has(Has::Parent)),
        Some(other) => {
            return Err(Failed::bad_request(&format!(
                "isRootObservation cannot be {other:?}; type true or false"
            )));
        }
        None => (),
    }
    Ok(filter)
}

pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<Json<Value>, Failed> {
    let question = Question(asked);
    let page = question.page()?;
    let filter = filter(&question)?;
    let answer = app.ask(move |store| {
        let total = store.count(Countable::Spans(&filter))?;
        let spans = store.spans(&filter, &page.paging())?.items;
        Ok(page.answer(read(store, &spans)?, total))
    });
    Ok(Json(answer.await?))
}

pub(in super::super) async fn by_cursor(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Vec<(String, String)>>,
) -> Result<Json<Value>, Failed> {
    let question = Question(asked);
    let filter = filter(&question)?;
    let limit = question.limit(MOST_OBSERVATIONS)?;
    let paging = Paging { limit, cursor: question.one("cursor").map(str::to_owned), skip: 0 };
    let page = app.ask(move |store| {
        let page = store.spans(&filter, &paging)?;
        Ok((read(store, &page.items)?, page.next_cursor))
    });
    let (mut data, cursor) = page.await?;
    let groups: Vec<_> =
        question.one("fields").unwrap_or("core,basic").split(',').map(str::trim).collect();
    let is_json = question.one("parseIoAsJson") == Some("true");
    for observation in &mut data {
        let Value::Object(fields) = observation else { continue };
        fields.retain(|field, _| {
            let mut wanted =
                GROUPS.iter().filter(|(group, _)| *group == "core" || groups.contains(group));
            wanted.any(|(_, names)| names.contains(&field.as_str()))
        });
        for field in ["input", "output"] {
            // What is not asked for as JSON is text.
            if let Some(value) = fields
                .get_mut(field)
                .filter(|value| !is_json && !value.is_string() && !value.is_null())
            {
                *value = Value::String(value.to_string());
            }
        }
    }
    Ok(Json(json!({ "data": data, "meta": { "cursor": cursor } })))
}

pub(in super::super) async fn one(
    State(app): State<Arc<App>>,
    InPath(id): InPath<String>,
) -> Result<Json<Value>, Failed> {
    let condition =
        Condition::Text(TextKey::Span, Pattern::new(&langfuse_span_id(&id).to_string()));
    let filter = Filter { terms: vec![Term { negated: false, condition }] };
    let found = app.ask(move |store| {
        let spans = store.spans(&filter, &Paging { limit: 1, ..Paging::default() })?.items;
        read(store, &spans)
    });
    let found = found.await?.pop();
    Ok(Json(found.ok_or_else(|| Failed::not_found("observation"))?))
}

/// Reads spans of a list with their payloads.
fn read(store: &dyn Store, spans: &[SpanSummary]) -> Result<Vec<Value>, StoreError> {
    let mut names: HashMap<&str, String> = HashMap::new();
    let mut observations = Vec::new();
    for span in spans {
        let (Ok(trace_id), Ok(span_id)) = (span.trace_id.parse(), span.span_id.parse()) else {
            continue;
        };
        let name = match names.get(span.trace_id.as_str()) {
            Some(name) => name.clone(),
            None => store.trace(trace_id, 0)?.map(|view| view.trace.name).unwrap_or_default(),
        };
        observations.extend(
            store.span(trace_id, span_id)?.into_iter().flat_map(|raw| shown(vec![raw], &name)),
        );
        names.insert(&span.trace_id, name);
    }
    Ok(observations)
}

/// Shows spans of a trace of this name; what is said of the trace itself is none.
pub(super) fn shown(spans: Vec<RawSpan>, trace_name: &str) -> Vec<Value> {
    let is_record =
        |raw: &RawSpan| WireSpan::read(&raw.bytes).is_ok_and(|wire| wire.is_trace_record);
    spans
        .into_iter()
        .filter(|raw| !is_record(raw))
        .map(|raw| {
            let context = raw.context.clone();
            langfuse::observation(SpanDetail::read(raw), &context, Some(trace_name))
        })
        .collect()
}

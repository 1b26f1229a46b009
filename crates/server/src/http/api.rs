//! The query API: traces, one trace, one span.

use super::App;
use super::asked::{Asked, InPath, Nothing};
use super::clock::now_us;
use super::error::ApiError;
use crate::detail::SpanDetail;
use crate::filter::Filter;
use crate::insight::{Headline, Stretch, critical_path, headline};
use crate::store::{Order, Paging, Sort, TraceQuery};
use crate::view::{SpanSummary, TraceSummary, TraceView};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use glassbox_trace::id::{SpanId, TraceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// The most spans of a trace in one answer.
const MOST_SPANS: usize = 50_000;

/// What every list can be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    pub(super) q: Option<String>,
    pub(super) sort: Option<String>,
    pub(super) order: Option<String>,
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
}

impl ListParams {
    pub(super) fn filter(&self) -> Result<Filter, ApiError> {
        Ok(Filter::parse(self.q.as_deref().unwrap_or_default(), now_us())?)
    }

    /// Refuses an order where there is only one: an answer that ignored it would be wrong.
    pub(super) fn unsorted(self) -> Result<Self, ApiError> {
        match self.sort.is_some() || self.order.is_some() {
            true => Err(ApiError::bad_request(
                "sort and order are those of /api/v1/traces; leave them out here",
            )),
            false => Ok(self),
        }
    }

    pub(super) fn paging(&self) -> Result<Paging, ApiError> {
        let limit = self.limit.unwrap_or(50);
        if !(1..=500).contains(&limit) {
            return Err(ApiError::bad_request(format!(
                "limit cannot be {limit}; type a number from 1 to 500"
            )));
        }
        Ok(Paging { limit, cursor: self.cursor.clone(), ..Paging::default() })
    }
}

/// Answers with JSON, or with nothing if the asker has the same already.
pub(super) fn answer<T: Serialize>(headers: &HeaderMap, value: &T) -> Response {
    let Ok(body) = serde_json::to_vec(value) else {
        let message = "the answer could not be written";
        return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            .into_response();
    };
    let digest = Sha256::digest(&body);
    let tag: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    // Hex in quotation marks can stand in a header.
    let tag =
        HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""));
    let revalidate = (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag), revalidate]).into_response();
    }
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([json, (header::ETAG, tag), revalidate], body).into_response()
}

/// Tells whether the asker has the answer with this tag: the header is a list, and proxies mark tags as weak.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let said = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let mut tags = said.flat_map(|said| said.as_bytes().split(|byte| *byte == b','));
    tags.any(|one| {
        let one = one.trim_ascii();
        one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == tag.as_bytes()
    })
}

pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "OK", "name": "glassbox", "version": env!("CARGO_PKG_VERSION") }))
}

pub(super) async fn traces(
    State(app): State<Arc<App>>,
    Asked(params): Asked<ListParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let one_of = |name: &str, value: &str, words: &str| {
        ApiError::bad_request(format!("{name} cannot be {value:?}; type one of {words}"))
    };
    let sort = match params.sort.as_deref() {
        None | Some("start") => Sort::Start,
        Some("duration") => Sort::Duration,
        Some("cost") => Sort::Cost,
        Some("tokens") => Sort::Tokens,
        Some(other) => return Err(one_of("sort", other, "start, duration, cost, tokens")),
    };
    let order = match params.order.as_deref() {
        None | Some("desc") => Order::Descending,
        Some("asc") => Order::Ascending,
        Some(other) => return Err(one_of("order", other, "desc, asc")),
    };
    let query = TraceQuery { filter: params.filter()?, sort, order, paging: params.paging()? };
    let page = app.ask(move |store| store.traces(&query)).await?;
    Ok(answer(&headers, &page))
}

/// One trace with its spans.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TraceAnswer {
    /// What lists show of it.
    trace: TraceSummary,
    /// Its spans, the first to begin first.
    spans: Vec<SpanSummary>,
    /// Whether spans were left out since there are more than 50,000.
    truncated: bool,
    /// What the time went into, as far as the spans tell.
    headline: Headline,
}

pub(super) async fn trace(
    State(app): State<Arc<App>>,
    InPath(trace_id): InPath<String>,
    _: Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    of_trace(&app, &trace_id, move |TraceView { trace, spans, truncated }| {
        let headline = headline(&spans, now_us());
        answer(&headers, &TraceAnswer { trace, spans, truncated, headline })
    })
    .await
}

/// Answers from a trace, where it keeps nobody waiting: one of many spans is megabytes of JSON.
async fn of_trace(
    app: &App,
    trace_id: &str,
    answer: impl FnOnce(TraceView) -> Response + Send + 'static,
) -> Result<Response, ApiError> {
    let trace_id = id::<TraceId>(trace_id)?;
    let answered = app.ask(move |store| Ok(store.trace(trace_id, MOST_SPANS)?.map(answer))).await?;
    answered.ok_or_else(|| ApiError::not_found("trace"))
}

/// What a trace waited for.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PathAnswer {
    /// The stretches, earliest first: from the beginning of the root to its end, without gaps.
    items: Vec<Stretch>,
}

pub(super) async fn path(
    State(app): State<Arc<App>>,
    InPath(trace_id): InPath<String>,
    _: Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    of_trace(&app, &trace_id, move |view| {
        answer(&headers, &PathAnswer { items: critical_path(&view.spans, now_us()) })
    })
    .await
}

pub(super) async fn span(
    State(app): State<Arc<App>>,
    InPath((trace_id, span_id)): InPath<(String, String)>,
    _: Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (trace_id, span_id) = (id::<TraceId>(&trace_id)?, id::<SpanId>(&span_id)?);
    let detail =
        app.ask(move |store| Ok(store.span(trace_id, span_id)?.map(SpanDetail::read))).await?;
    let detail = detail.ok_or_else(|| ApiError::not_found("span"))?;
    Ok(answer(&headers, &detail))
}

pub(super) fn id<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("{error}")))
}

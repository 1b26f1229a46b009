//! The query API's lists besides traces: spans, sessions, users, and the values that filters can be completed with.

use super::App;
use super::api::{ListParams, answer};
use super::asked::Asked;
use super::error::ApiError;
use crate::store::FacetKey;
use crate::view::Facet;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) async fn spans(
    State(app): State<Arc<App>>,
    Asked(params): Asked<ListParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = params.unsorted()?;
    let (filter, paging) = (params.filter()?, params.paging()?);
    let page = app.ask(move |store| store.spans(&filter, &paging)).await?;
    Ok(answer(&headers, &page))
}

pub(super) async fn sessions(
    State(app): State<Arc<App>>,
    Asked(params): Asked<ListParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = params.unsorted()?;
    let (filter, paging) = (params.filter()?, params.paging()?);
    let page = app.ask(move |store| store.sessions(&filter, &paging)).await?;
    Ok(answer(&headers, &page))
}

pub(super) async fn users(
    State(app): State<Arc<App>>,
    Asked(params): Asked<ListParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = params.unsorted()?;
    let (filter, paging) = (params.filter()?, params.paging()?);
    let page = app.ask(move |store| store.users(&filter, &paging)).await?;
    Ok(answer(&headers, &page))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FacetParams {
    key: String,
    q: Option<String>,
}

/// The values of a key.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Facets {
    /// The most frequent first, at most 100.
    items: Vec<Facet>,
}

/// The most values of a key in one answer.
const MOST_FACETS: usize = 100;

pub(super) async fn facets(
    State(app): State<Arc<App>>,
    Asked(params): Asked<FacetParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key = match params.key.as_str() {
        "model" => FacetKey::Model,
        "name" => FacetKey::Name,
        "session" => FacetKey::Session,
        "user" => FacetKey::User,
        "tag" => FacetKey::Tag,
        "environment" => FacetKey::Environment,
        "service" => FacetKey::Service,
        other => {
            return Err(ApiError::bad_request(format!(
                "key cannot be {other:?}; type one of model, name, session, user, tag, environment, service"
            )));
        }
    };
    let filter = ListParams { q: params.q, ..ListParams::default() }.filter()?;
    let items = app.ask(move |store| store.facets(&filter, key, MOST_FACETS)).await?;
    Ok(answer(&headers, &Facets { items }))
}

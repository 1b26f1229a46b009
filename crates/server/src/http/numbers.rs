//! The query API's numbers: what models did, and counts over time.

use super::App;
use super::api::{ListParams, answer};
use super::asked::Asked;
use super::clock::now_us;
use super::error::ApiError;
use crate::store::{Grouping, StatsQuery, Window};
use crate::view::ModelSummary;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const DAY_US: i64 = 86_400_000_000;

/// The most buckets between the two ends of a window.
const MOST_BUCKETS: i64 = 2000;

/// The most models of an answer.
const MOST_MODELS: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelParams {
    from_us: Option<i64>,
    to_us: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    from_us: Option<i64>,
    to_us: Option<i64>,
    bucket_us: Option<i64>,
    group: Option<String>,
    q: Option<String>,
}

/// The last 24 hours, if nothing else is asked for.
fn window(from_us: Option<i64>, to_us: Option<i64>) -> Result<Window, ApiError> {
    let to_us = to_us.unwrap_or_else(now_us);
    let from_us = from_us.unwrap_or_else(|| to_us.saturating_sub(DAY_US));
    if from_us >= to_us {
        return Err(ApiError::bad_request(format!(
            "from_us, {from_us}, has to be before to_us, {to_us}; both are microseconds since 1970"
        )));
    }
    Ok(Window { from_us, to_us })
}

impl Params {
    /// A hundredth of the window, if nothing else is asked for.
    fn bucket_us(&self, window: Window) -> Result<i64, ApiError> {
        let length = window.to_us.saturating_sub(window.from_us);
        let bucket_us = self.bucket_us.unwrap_or((length / 100).max(1));
        let least = (length / MOST_BUCKETS).max(1);
        if bucket_us < least {
            return Err(ApiError::bad_request(format!(
                "bucket_us, {bucket_us}, makes more than {MOST_BUCKETS} buckets; type at least {least}"
            )));
        }
        Ok(bucket_us)
    }
}

/// What models did.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Models {
    /// The dearest first, at most 500.
    items: Vec<ModelSummary>,
}

pub(super) async fn models(
    State(app): State<Arc<App>>,
    Asked(params): Asked<ModelParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let window = window(params.from_us, params.to_us)?;
    let mut items = app.ask(move |store| store.models(window)).await?;
    items.truncate(MOST_MODELS);
    Ok(answer(&headers, &Models { items }))
}

pub(super) async fn stats(
    State(app): State<Arc<App>>,
    Asked(params): Asked<Params>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let window = window(params.from_us, params.to_us)?;
    let bucket_us = params.bucket_us(window)?;
    let grouping = match params.group.as_deref() {
        None | Some("none") => Grouping::None,
        Some("name") => Grouping::Name,
        Some("calls") => Grouping::Calls,
        Some("model") => Grouping::Model,
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "group cannot be {other:?}; type one of none, name, calls, model"
            )));
        }
    };
    let filter = ListParams { q: params.q, ..ListParams::default() }.filter()?;
    let query = StatsQuery { window, bucket_us, grouping, filter };
    let stats = app.ask(move |store| store.stats(&query)).await?;
    Ok(answer(&headers, &stats))
}

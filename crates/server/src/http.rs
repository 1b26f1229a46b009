//! What is answered over HTTP: ingest, the query API, the stream and the page.

mod clock;
mod error;
mod asked;
mod access;
mod body;
mod counters;
mod app;
mod otlp;
mod grpc;
mod langfuse;
mod announce;
mod api;
mod lists;
mod numbers;
mod scores;
mod records;
mod health;
mod export;
mod stream;
mod openapi;
mod page;

pub use access::{Access, Keys};
pub use app::{App, Connect};
pub use counters::Counters;
pub use error::ApiError;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::sync::Arc;

/// Returns all that the HTTP address answers.
pub fn router(app: &Arc<App>) -> Router {
    let senders = Router::new()
        .route("/v1/traces", post(otlp::export))
        .route("/api/public/otel/v1/traces", post(otlp::export))
        .route("/api/public/ingestion", post(langfuse::ingest))
        .route("/api/v1/live", post(announce::announce))
        .route_layer(from_fn_with_state(Arc::clone(app), access::sender));
    let viewers = Router::new()
        .route("/api/v1/traces", get(api::traces))
        .route("/api/v1/traces/{trace_id}", get(api::trace))
        .route("/api/v1/traces/{trace_id}/path", get(api::path))
        .route("/api/v1/traces/{trace_id}/records", get(records::of_trace))
        .route("/api/v1/traces/{trace_id}/otlp", get(export::trace))
        .route("/api/v1/traces/{trace_id}/spans/{span_id}", get(api::span))
        .route("/api/v1/spans", get(lists::spans))
        .route("/api/v1/sessions", get(lists::sessions))
        .route("/api/v1/users", get(lists::users))
        .route("/api/v1/facets", get(lists::facets))
        .route("/api/v1/models", get(numbers::models))
        .route("/api/v1/stats", get(numbers::stats))
        .route("/api/v1/scores", get(scores::list).post(scores::create))
        .route("/api/v1/health", get(health::health))
        .route("/api/v1/stream", get(stream::stream))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .route("/api/public/projects", get(langfuse::projects))
        .route("/api/public/traces", get(langfuse::traces))
        .route("/api/public/traces/{trace_id}", get(langfuse::trace))
        .route("/api/public/observations", get(langfuse::observations))
        .route("/api/public/observations/{observation_id}", get(langfuse::observation))
        .route("/api/public/v2/observations", get(langfuse::by_cursor))
        .route("/api/public/sessions", get(langfuse::sessions))
        .route("/api/public/sessions/{session_id}", get(langfuse::session))
        .route("/api/public/scores", get(langfuse::scores).post(langfuse::create_score))
        .route("/api/public/scores/{score_id}", get(langfuse::score))
        .route("/api/public/v2/scores", get(langfuse::scores))
        .route("/api/public/v2/scores/{score_id}", get(langfuse::score))
        .route("/api/public/v3/scores", get(langfuse::scores_by_cursor))
        .route("/api/public/metrics", get(langfuse::metrics))
        .route("/api/public/v2/metrics", get(langfuse::metrics))
        .route("/api/public/metrics/daily", get(langfuse::daily))
        .route_layer(from_fn_with_state(Arc::clone(app), access::viewer));
    Router::new()
        .merge(senders)
        .merge(viewers)
        .route("/healthz", get(api::healthz))
        .route("/api/public/health", get(api::healthz))
        .method_not_allowed_fallback(langfuse::wrong_method)
        .fallback(page::page)
        .layer(from_fn_with_state(Arc::clone(app), access::front))
        .with_state(Arc::clone(app))
}

/// Returns what the gRPC address answers.
pub fn grpc_router(app: &Arc<App>) -> Router {
    Router::new()
        .route(grpc::EXPORT, post(grpc::export))
        .fallback(grpc::unknown)
        .layer(from_fn_with_state(Arc::clone(app), grpc::http2))
        .with_state(Arc::clone(app))
}

//! What is answered over HTTP: ingest, the query API, the stream and the page.

mod error;
mod access;
mod body;
mod counters;
mod app;
mod otlp;
mod grpc;
mod langfuse;
mod announce;
mod api;
mod export;
mod stream;
mod page;

pub use access::{Access, Keys};
pub use app::App;
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
        .route("/api/v1/traces/{trace_id}/otlp", get(export::trace))
        .route("/api/v1/traces/{trace_id}/spans/{span_id}", get(api::span))
        .route("/api/v1/stream", get(stream::stream))
        .route_layer(from_fn_with_state(Arc::clone(app), access::viewer));
    Router::new()
        .merge(senders)
        .merge(viewers)
        .route("/healthz", get(api::healthz))
        .route("/api/public/health", get(api::healthz))
        .fallback(page::page)
        .layer(from_fn_with_state(Arc::clone(app), access::front))
        .with_state(Arc::clone(app))
}

/// Returns what the gRPC address answers.
pub fn grpc_router(app: &Arc<App>) -> Router {
    Router::new()
        .route(grpc::EXPORT, post(grpc::export))
        .fallback(grpc::unknown)
        .with_state(Arc::clone(app))
}

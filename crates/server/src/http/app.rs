//! What all requests share.

use super::access::Access;
use super::clock::now_us;
use super::counters::Counters;
use super::error::ApiError;
use crate::ingest::Limits;
use crate::live::{Hub, Registry};
use crate::store::{Batch, Store, StoreError, Written};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// What a program needs to send, and a person to look. Only who was let in is told.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Connect {
    /// Where to send OTLP over HTTP, without `/v1/traces`; `null` if the server listens on all addresses.
    pub otlp: Option<String>,
    /// The token: as `Authorization: Bearer`, or as the secret key of Langfuse's clients.
    pub token: String,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").field("otlp", &self.otlp).finish_non_exhaustive()
    }
}

/// What all requests share.
pub struct App {
    /// The traces.
    pub store: Arc<dyn Store>,
    /// What changes.
    pub hub: Arc<Hub>,
    /// Who announces spans.
    pub registry: Arc<Registry>,
    /// Who may come in.
    pub access: Access,
    /// What was received.
    pub counters: Counters,
    /// How much is accepted.
    pub limits: Limits,
    /// What a program needs to send, and a person to look.
    pub connect: Connect,
    /// When the server began.
    pub started: Instant,
    /// Says `true` when the server stops: streams end then.
    pub stopping: watch::Receiver<bool>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl App {
    /// Keeps a batch that a program sent, and returns when it is durable.
    ///
    /// # Errors
    ///
    /// If the store could not keep it; nothing of it is kept then.
    pub async fn receive(&self, batch: Batch) -> Result<Written, ApiError> {
        self.counters.sent(&batch, now_us());
        self.keep(batch).await
    }

    /// Keeps a batch, and returns when it is durable.
    ///
    /// # Errors
    ///
    /// If the store could not keep it; nothing of it is kept then.
    pub async fn keep(&self, batch: Batch) -> Result<Written, ApiError> {
        let spans = batch.blocks.iter().map(|block| block.spans.len()).sum::<usize>();
        let written = self.store.write(batch).await.map_err(|_| StoreError::Closed)??;
        self.counters.accept(spans.saturating_sub(written.surplus));
        if written.surplus > 0 {
            self.counters.reject("too many spans in one trace", written.surplus);
        }
        Ok(written)
    }

    /// Asks the store on a thread that may block.
    ///
    /// # Errors
    ///
    /// If the store could not answer.
    pub async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = Arc::clone(&self.store);
        Ok(work(move || ask(store.as_ref())).await??)
    }
}

/// Does work that takes its time where it does not keep others waiting.
pub(super) async fn work<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        let message = "the request could not be worked on; send again later";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message)
    })
}

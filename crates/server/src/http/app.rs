//! What all requests share.

use super::access::Access;
use super::counters::Counters;
use super::error::ApiError;
use crate::ingest::Limits;
use crate::live::{Hub, Registry};
use crate::store::{Batch, Store, StoreError, Written};
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

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
    /// Keeps a batch, and returns when it is durable.
    ///
    /// # Errors
    ///
    /// If the store could not keep it; nothing of it is kept then.
    pub async fn keep(&self, batch: Batch) -> Result<Written, ApiError> {
        let written = self.store.write(batch).await.map_err(|_| StoreError::Closed)??;
        self.counters.accept(written.changed + written.duplicates);
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

//! The query API's health: is anything being lost, who sends, how large is the store, and how to connect.

use super::api::answer;
use super::asked::{Asked, Nothing};
use super::counters::Counted;
use super::error::ApiError;
use super::{App, Connect};
use crate::live::Sender;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashSet;
use std::sync::Arc;

/// How the server does.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    /// The server's version.
    version: &'static str,
    /// Seconds since it was started.
    uptime_s: u64,
    /// The traces that it keeps.
    store: StoreHealth,
    /// What was received since it was started.
    ingest: Ingest,
    /// The programs that send, the last heard of first.
    senders: Vec<Sender>,
    /// Who watches.
    stream: StreamHealth,
    /// How to send and look.
    connect: Connect,
}

/// How the store does.
#[derive(Debug, Serialize, JsonSchema)]
struct StoreHealth {
    /// The file.
    path: String,
    /// Its size, with its log.
    bytes: u64,
    /// How many spans it has.
    spans: i64,
    /// How many traces it has.
    traces: i64,
    /// When its oldest trace began, microseconds since the epoch.
    oldest_us: Option<i64>,
    /// How many batches of spans wait to be searchable by their words.
    unindexed: i64,
    /// What is kept for how long.
    retention: Retention,
}

/// What is kept for how long.
#[derive(Debug, Serialize, JsonSchema)]
struct Retention {
    /// Traces that began so many seconds ago are removed; `null` for never.
    age_s: Option<u64>,
    /// The oldest traces are removed when the file has more bytes; `null` for never.
    bytes: Option<u64>,
}

/// What was received.
#[derive(Debug, Serialize, JsonSchema)]
struct Ingest {
    /// What was counted since the start.
    #[serde(flatten)]
    counted: Counted,
    /// How many batches wait to be written.
    queue: usize,
}

/// Who watches.
#[derive(Debug, Serialize, JsonSchema)]
struct StreamHealth {
    /// How many streams are open.
    readers: usize,
    /// How many events slow ones have missed.
    missed: u64,
}

pub(super) async fn health(
    State(app): State<Arc<App>>,
    _: Asked<Nothing>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let store = app.ask(|store| store.health()).await?;
    let health = Health {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: app.started.elapsed().as_secs(),
        ingest: Ingest { counted: app.counters.counted(), queue: store.queue },
        store: StoreHealth {
            path: store.path,
            bytes: store.bytes,
            spans: store.spans,
            traces: store.traces,
            oldest_us: store.oldest_us,
            unindexed: store.unindexed,
            retention: Retention {
                age_s: store.retention.age.map(|age| age.as_secs()),
                bytes: store.retention.bytes,
            },
        },
        senders: senders(&app),
        stream: StreamHealth { readers: app.hub.readers(), missed: app.hub.missed() },
        connect: app.connect.clone(),
    };
    Ok(answer(&headers, &health))
}

/// Processes that announce themselves, and services that send without.
fn senders(app: &App) -> Vec<Sender> {
    let mut senders = app.registry.senders();
    let announced: HashSet<_> = senders.iter().map(|sender| sender.service.clone()).collect();
    let silent = app.counters.services().into_iter();
    senders.extend(silent.filter(|sender| !announced.contains(&sender.service)));
    senders.sort_by_key(|sender| std::cmp::Reverse(sender.last_seen_us));
    senders
}

//! Changes as they happen, as server-sent events.

use super::App;
use super::app::work;
use super::asked::Asked;
use super::clock::now_us;
use super::error::ApiError;
use crate::filter::Filter;
use crate::live::select;
use crate::received::State as SpanState;
use crate::store::Change;
use crate::view::{SpanSummary, TraceSummary};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How often a trace is told anew at most.
const TRACE_EVERY: Duration = Duration::from_millis(250);

/// How often is told that nothing happened.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

/// How many changes are taken at a time, and how many events wait for a slow reader; what is beyond waits in the hub until
/// it is gone.
const AT_ONCE: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    q: Option<String>,
}

/// A span and how its output ends.
#[derive(Serialize)]
struct WithPreview<'a> {
    #[serde(flatten)]
    span: &'a SpanSummary,
    preview: Option<&'a str>,
}

pub(super) async fn stream(
    State(app): State<Arc<App>>,
    Asked(params): Asked<Params>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let filter = Arc::new(Filter::parse(params.q.as_deref().unwrap_or_default(), now_us())?);
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let from = last.map_or_else(|| app.hub.next(), |last| last.saturating_add(1));
    let (events, received) = mpsc::channel(AT_ONCE);
    tokio::spawn(async move {
        // It ends when the reader is gone or the server stops; either is how streams end.
        let _ = Reader { app, filter, from, events, traces: BTreeMap::new() }.run().await;
    });
    let stream = futures::stream::unfold(received, |mut received| async move {
        let event = received.recv().await?;
        Some((Ok::<_, Infallible>(event), received))
    });
    // A proxy that gathers what it hands on would keep it for as long as it is small.
    Ok(([("x-accel-buffering", "no")], Sse::new(stream)).into_response())
}

/// The reader is gone.
struct Gone;

struct Reader {
    app: Arc<App>,
    filter: Arc<Filter>,
    from: u64,
    events: mpsc::Sender<Event>,
    /// Traces that wait to be told, the latest of each.
    traces: BTreeMap<String, Arc<TraceSummary>>,
}

impl Reader {
    async fn run(mut self) -> Result<(), Gone> {
        let _reading = self.app.hub.enter();
        let mut latest = self.app.hub.watch();
        let mut stopping = self.app.stopping.clone();
        let mut traces_at = Instant::now();
        let mut heartbeat_at = Instant::now() + HEARTBEAT_EVERY;
        // Tells the page that it is connected.
        self.heartbeat().await?;
        loop {
            while self.catch_up().await? {}
            if !self.traces.is_empty() && Instant::now() >= traces_at {
                self.tell_traces().await?;
                traces_at = Instant::now() + TRACE_EVERY;
            }
            let next =
                if self.traces.is_empty() { heartbeat_at } else { heartbeat_at.min(traces_at) };
            tokio::select! {
                changed = latest.changed() => changed.map_err(|_| Gone)?,
                _ = stopping.wait_for(|stopping| *stopping) => return Err(Gone),
                () = self.events.closed() => return Err(Gone),
                () = tokio::time::sleep_until(next) => (),
            }
            if Instant::now() >= heartbeat_at {
                self.heartbeat().await?;
                heartbeat_at = Instant::now() + HEARTBEAT_EVERY;
            }
        }
    }

    /// Tells what came since the last time. Returns whether there may be more.
    async fn catch_up(&mut self) -> Result<bool, Gone> {
        let caught = self.app.hub.since(self.from, AT_ONCE);
        self.from = caught.next;
        if caught.missed > 0 {
            let data = serde_json::json!({ "count": caught.missed });
            self.send("missed", caught.next.saturating_sub(1), &data).await?;
        }
        let is_full = caught.changes.len() == AT_ONCE;
        for (seq, change) in self.wanted(caught.changes).await {
            match change {
                Change::Trace(trace) => drop(self.traces.insert(trace.trace_id.clone(), trace)),
                Change::Span(span) => {
                    let name =
                        if span.state == SpanState::Running { "span_start" } else { "span_end" };
                    let preview = span.output_end.as_deref();
                    let summary = SpanSummary::of(&span);
                    self.send(name, seq, &WithPreview { span: &summary, preview }).await?;
                }
            }
        }
        Ok(is_full)
    }

    /// Returns those changes that the filter asks for; none if the server stops.
    async fn wanted(&self, changes: Vec<(u64, Change)>) -> Vec<(u64, Change)> {
        if self.filter.is_empty() || changes.is_empty() {
            return changes;
        }
        let filter = Arc::clone(&self.filter);
        let store = Arc::clone(&self.app.store);
        work(move || select(store.as_ref(), &filter, changes)).await.unwrap_or_default()
    }

    async fn tell_traces(&mut self) -> Result<(), Gone> {
        let seq = self.from.saturating_sub(1);
        for trace in std::mem::take(&mut self.traces).into_values() {
            self.send("trace", seq, trace.as_ref()).await?;
        }
        Ok(())
    }

    async fn heartbeat(&self) -> Result<(), Gone> {
        let seq = self.from.saturating_sub(1);
        self.send("heartbeat", seq, &serde_json::json!({ "seq": seq })).await
    }

    async fn send(&self, name: &str, seq: u64, data: &impl Serialize) -> Result<(), Gone> {
        // Texts and numbers can always be written.
        let data = serde_json::to_string(data).unwrap_or_default();
        let event = Event::default().event(name).id(seq.to_string()).data(data);
        self.events.send(event).await.map_err(|_| Gone)
    }
}

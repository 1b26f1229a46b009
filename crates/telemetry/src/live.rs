//! Announces spans when they begin to a glassbox server, so that a call is seen while it runs: `docs/live.md` has the
//! format. It runs beside the exporter, on the worker's thread; what it cannot tell is seen when the span ends.

use crate::body::BodyStyle;
use crate::destination::LiveTarget;
use crate::http::Http;
use crate::lookout::Lookout;
use crate::mask::Masking;
use crate::queue::Queue;
use crate::starts::{Note, Starts};
use glassbox_trace::id::SpanId;
use glassbox_trace::span::{Detail, Span};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use url::Url;

/// How long a start waits for others. What has ended by then is not announced at all.
const TICK: Duration = Duration::from_millis(40);

/// How often it is told that the process is there, and how its export does. The server takes a process to be gone that
/// is silent for three times as long.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The most starts in a request, and the most spans that are known to run.
const AT_ONCE: usize = 1000;
const MOST_RUNNING: usize = 65_536;

/// The longest that the last word may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Announces the spans of one destination.
#[derive(Debug)]
pub(crate) struct Announcer {
    queue: Arc<Queue>,
    starts: Arc<Starts>,
    http: Http,
    target: LiveTarget,
    masking: Masking,
    /// The first line of every request.
    process: Value,
    /// The spans that run, whether they were announced or not.
    running: HashMap<SpanId, Arc<Span>>,
    /// Those that are to be announced next, though some may have ended.
    fresh: Vec<SpanId>,
    /// The server did not take the last announcement: it is tried again with the next heartbeat.
    is_down: bool,
    beats_at: Instant,
    /// Looks for the server, until it is started.
    lookout: Option<Lookout>,
}

/// Ends an announcer.
#[derive(Debug)]
pub(crate) struct Farewell(mpsc::Sender<oneshot::Sender<()>>);

impl Farewell {
    /// Lets the announcer say its last word, within a moment.
    pub(crate) async fn say(self, by: Option<std::time::Instant>) {
        let (said, is_said) = oneshot::channel();
        let latest = std::time::Instant::now() + FAREWELL;
        let by = by.map_or(latest, |by| by.min(latest));
        // A server that does not listen finds out by itself.
        let _ = tokio::time::timeout_at(by.into(), async {
            if self.0.send(said).await.is_ok() {
                let _ = is_said.await;
            }
        })
        .await;
    }
}

impl Announcer {
    pub(crate) fn new(
        queue: &Arc<Queue>,
        starts: Arc<Starts>,
        http: Http,
        target: LiveTarget,
        style: &BodyStyle,
    ) -> Self {
        let (resource, masking) = (&style.resource, style.masking.clone());
        let mut process = Map::new();
        let id = format!("{}-{:08x}", std::process::id(), fastrand::u32(..));
        process.insert("id".to_owned(), id.into());
        process.insert("service".to_owned(), (*resource.service_name).into());
        for (key, value) in [
            ("environment", &resource.environment),
            ("release", &resource.release),
            ("version", &resource.service_version),
        ] {
            if let Some(value) = value {
                process.insert(key.to_owned(), masking.redact(value).into());
            }
        }
        Self {
            queue: Arc::clone(queue),
            starts,
            http,
            target,
            masking,
            process: json!({ "process": process }),
            running: HashMap::new(),
            fresh: Vec::new(),
            is_down: false,
            beats_at: Instant::now(),
            lookout: None,
        }
    }

    /// Looks for the server besides, if it may be anywhere.
    pub(crate) fn looking_out(self, others: Vec<Url>) -> Self {
        let lookout = self.target.whereabouts().map(|whereabouts| Lookout {
            queue: Arc::clone(&self.queue),
            whereabouts: Arc::clone(whereabouts),
            others,
        });
        Self { lookout, ..self }
    }

    /// Starts it, within a runtime.
    pub(crate) fn start(mut self) -> Farewell {
        if let Some(lookout) = self.lookout.take() {
            drop(tokio::spawn(lookout.run()));
        }
        let (sender, receiver) = mpsc::channel(1);
        // It ends with its runtime at the latest.
        drop(tokio::spawn(self.run(receiver)));
        Farewell(sender)
    }

    async fn run(mut self, mut farewell: mpsc::Receiver<oneshot::Sender<()>>) {
        loop {
            let starts = Arc::clone(&self.starts);
            tokio::select! {
                biased;
                last = farewell.recv() => {
                    let Some(said) = last else { return };
                    self.post(vec![self.health(), json!({ "bye": {} })]).await;
                    // Whoever waited may have lost patience.
                    let _ = said.send(());
                    return;
                }
                () = starts.woken() => tokio::time::sleep(TICK).await,
                () = tokio::time::sleep_until(self.beats_at) => (),
            }
            self.take_notes();
            if Instant::now() >= self.beats_at {
                self.beat().await;
            }
            while !self.fresh.is_empty() && !self.is_down {
                self.announce(Vec::new()).await;
            }
        }
    }

    fn take_notes(&mut self) {
        // As many as can have waited, and not those that come meanwhile.
        for _ in 0..2 * MOST_RUNNING {
            match self.starts.pop() {
                Some(Note::Began(_)) if self.running.len() >= MOST_RUNNING => {
                    self.starts.drop_starts(1);
                }
                Some(Note::Began(span)) => {
                    self.fresh.push(span.span_id);
                    self.running.insert(span.span_id, span);
                }
                Some(Note::Ended(span)) => drop(self.running.remove(&span)),
                None => break,
            }
        }
        if self.starts.takes_lost_ends() {
            self.running.clear();
        }
        self.fresh.retain(|span| self.running.contains_key(span));
    }

    /// Tells that the process is there. A server that was away is told all that runs.
    async fn beat(&mut self) {
        if std::mem::take(&mut self.is_down) {
            self.fresh = self.running.keys().copied().collect();
        }
        self.beats_at = Instant::now() + HEARTBEAT;
        self.announce(vec![self.health()]).await;
    }

    /// Announces spans that run and are not announced, as many as go at once, after other lines.
    async fn announce(&mut self, mut lines: Vec<Value>) {
        let rest = self.fresh.split_off(self.fresh.len().min(AT_ONCE));
        let now = std::mem::replace(&mut self.fresh, rest);
        let began = now.iter().filter_map(|span| self.running.get(span));
        lines.extend(began.map(|span| json!({ "start": start(span, &self.masking) })));
        let answer = self.post(lines).await;
        if answer == Some(false) && self.running.len() > now.len() + self.fresh.len() {
            // A server that was started anew does not know what runs.
            let told: std::collections::HashSet<_> = now.into_iter().collect();
            self.fresh = self.running.keys().filter(|span| !told.contains(span)).copied().collect();
        }
    }

    /// Posts lines. Returns whether the server knew the process, or nothing if it did not take them.
    async fn post(&mut self, lines: Vec<Value>) -> Option<bool> {
        let mut body = format!("{}\n", self.process);
        lines.iter().for_each(|line| body.push_str(&format!("{line}\n")));
        // A server that has not been seen yet is told nothing, and begins with nothing.
        let (url, headers) = self.target.now()?;
        let request = self.http.elsewhere(Method::POST, url).headers(headers).body(body);
        let answer = self.http.call(request.header("content-type", "application/x-ndjson")).await;
        // What is wrong is told by the exporter, which has the same server before it.
        self.is_down = answer.is_err();
        let answer: Value = serde_json::from_slice(&answer.ok()?).ok()?;
        answer["known"].as_bool()
    }

    /// How the export does, as the server's page shows it.
    fn health(&self) -> Value {
        let health = self.queue.health();
        let dropped: Map<String, Value> = crate::health::DropReason::ALL
            .into_iter()
            .filter(|reason| health.dropped.of(*reason) > 0)
            .map(|reason| (reason.to_string(), health.dropped.of(reason).into()))
            .collect();
        let url = self.target.now().map(|(url, _)| url.origin().ascii_serialization());
        json!({ "health": {
            "destination": url,
            "queued": health.queued + health.in_flight,
            "sent": health.exported,
            "retried": health.retries,
            "spooled": health.spooled,
            "dropped": dropped,
            "unannounced": health.unannounced,
            "last_error": health.last_error.as_deref(),
        } })
    }
}

/// A span that began, as the server reads it. Inputs are not in it: they come with the end.
fn start(span: &Span, masking: &Masking) -> Value {
    let mut start = Map::new();
    let mut put = |key: &str, value: Option<&Arc<str>>| {
        if let Some(value) = value {
            start.insert(key.to_owned(), masking.redact(value).into());
        }
    };
    let trace = &span.trace;
    put("name", Some(&span.name));
    put("trace_name", trace.name.as_ref());
    put("session_id", trace.session_id.as_ref());
    put("user_id", trace.user_id.as_ref());
    match &span.detail {
        Detail::Generation(generation) => {
            put("model", Some(&generation.request_model));
            put("provider", Some(&generation.provider));
        }
        Detail::Tool(tool) => put("tool", Some(&tool.name)),
        _ => (),
    }
    start.insert("trace_id".to_owned(), span.trace_id.to_string().into());
    start.insert("span_id".to_owned(), span.span_id.to_string().into());
    if let Some(parent) = span.parent_id {
        start.insert("parent_id".to_owned(), parent.to_string().into());
    }
    start.insert("kind".to_owned(), span.kind().as_str().into());
    start.insert("start_us".to_owned(), (span.start.unix_nanos() / 1000).into());
    if !trace.tags.is_empty() {
        let tags = trace.tags.iter().map(|tag| Value::from(masking.redact(tag)));
        start.insert("tags".to_owned(), tags.collect());
    }
    let metadata: Map<String, Value> = trace
        .metadata
        .iter()
        .filter_map(|(key, value)| match value {
            Value::String(text) => Some((key, masking.redact_value(key, text).into())),
            Value::Bool(_) | Value::Number(_) => Some((key, value.clone())),
            _ => None,
        })
        .map(|(key, value)| (key.to_string(), value))
        .collect();
    if !metadata.is_empty() {
        start.insert("metadata".to_owned(), metadata.into());
    }
    Value::Object(start)
}

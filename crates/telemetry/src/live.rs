//! Announces spans when they begin to a glassbox server, so that a call is seen while it runs: `docs/live.md` has the
//! format. It runs beside the exporter, on the worker's thread; what it cannot tell is seen when the span ends.

use crate::announcement;
use crate::body::{BodyStyle, gzip};
use crate::http::Http;
use crate::lookout::Lookout;
use crate::queue::Queue;
use crate::starts::{Note, Starts};
use cpu_time::ThreadTime;
use glassbox_trace::id::SpanId;
use glassbox_trace::span::Span;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long a start waits for others. What has ended by then is not announced at all.
const TICK: Duration = Duration::from_millis(40);

/// How often it is told that the process is there, and how its export does. The server takes a process to be gone that
/// is silent for three times as long.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The most starts in a request, and about how many bytes.
const AT_ONCE: usize = 1000;
const MOST_BYTES: usize = 1 << 20;

/// The most processor time that goes into the starts of a request: rendering what went in takes as long as at the end.
/// What is left waits for some time, so that announcing takes a fifth of the thread at most.
const MOST_WORK: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_millis(80);

/// The most spans that are known to run.
const MOST_RUNNING: usize = 65_536;

/// The longest that the last word may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Announces the spans of one destination.
#[derive(Debug)]
pub(crate) struct Announcer {
    queue: Arc<Queue>,
    /// What is noted, from when a server is there.
    starts: Option<Arc<Starts>>,
    http: Http,
    lookout: Lookout,
    style: BodyStyle,
    /// The first line of every request.
    process: Value,
    /// The spans that run, whether they were announced or not.
    running: HashMap<SpanId, Arc<Span>>,
    /// Those that are to be announced next, though some may have ended.
    fresh: Vec<SpanId>,
    /// A request that is not answered yet: one at a time, so that what waits is bounded.
    posting: Option<JoinHandle<Posted>>,
    /// The server did not take the last announcement: it is tried again with the next heartbeat.
    is_down: bool,
    /// The server has heard of the process.
    is_known: bool,
    /// When all that runs was told once more, because the server did not know the process any more.
    told_again: Option<Instant>,
    beats_at: Instant,
    /// When the next starts may be announced.
    starts_at: Instant,
}

/// What became of a request.
#[derive(Debug)]
struct Posted {
    told: Vec<SpanId>,
    /// Whether the server knew the process, or with which status it did not take the announcement.
    answer: Result<bool, u16>,
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
    pub(crate) fn new(queue: &Arc<Queue>, http: Http, lookout: Lookout, style: &BodyStyle) -> Self {
        let (resource, masking) = (&style.resource, &style.masking);
        let mut process = Map::new();
        let id = format!("{}-{:08x}", std::process::id(), fastrand::u32(..));
        process.insert("id".to_owned(), id.into());
        process.insert("service".to_owned(), masking.redact(&resource.service_name).into());
        for (key, value) in [
            ("environment", &resource.environment),
            ("release", &resource.release),
            ("version", &resource.service_version),
        ] {
            if let Some(value) = value {
                process.insert(key.to_owned(), masking.redact(value).into());
            }
        }
        let now = Instant::now();
        Self {
            queue: Arc::clone(queue),
            starts: None,
            http,
            lookout,
            style: style.clone(),
            process: json!({ "process": process }),
            running: HashMap::new(),
            fresh: Vec::new(),
            posting: None,
            is_down: false,
            told_again: None,
            is_known: false,
            beats_at: now,
            starts_at: now,
        }
    }

    /// Starts it, within a runtime.
    pub(crate) fn start(self) -> Farewell {
        let (sender, receiver) = mpsc::channel(1);
        // It ends with its runtime at the latest.
        drop(tokio::spawn(self.run(receiver)));
        Farewell(sender)
    }

    async fn run(mut self, mut farewell: mpsc::Receiver<oneshot::Sender<()>>) {
        loop {
            // Somebody else may have seen the server first.
            self.starts = self.queue.notes().cloned();
            let next = self.next_word();
            tokio::select! {
                biased;
                last = farewell.recv() => {
                    let Some(said) = last else { return };
                    self.say_bye().await;
                    // Whoever waited may have lost patience.
                    let _ = said.send(());
                    return;
                }
                posted = answered(&mut self.posting) => self.heed(posted),
                () = noted(self.starts.as_deref()) => tokio::time::sleep(TICK).await,
                () = self.lookout.due() => (),
                () = sleep_until(next) => (),
            }
            if self.lookout.look() {
                // It may be another one, and knows nothing.
                (self.is_down, self.fresh) = (false, self.running.keys().copied().collect());
                self.beats_at = Instant::now();
            }
            self.take_notes();
            self.speak();
        }
    }

    /// Returns when there is something to say without being told.
    fn next_word(&self) -> Option<Instant> {
        if self.starts.is_none() || self.posting.is_some() {
            return None;
        }
        let has_starts = !self.fresh.is_empty() && !self.is_down;
        Some(if has_starts { self.beats_at.min(self.starts_at) } else { self.beats_at })
    }

    fn take_notes(&mut self) {
        let Some(starts) = &self.starts else { return };
        // As many as can have waited, and not those that come meanwhile.
        for _ in 0..2 * MOST_RUNNING {
            match starts.pop() {
                Some(Note::Began(_)) if self.running.len() >= MOST_RUNNING => starts.drop_starts(1),
                Some(Note::Began(span)) => {
                    self.fresh.push(span.span_id);
                    self.running.insert(span.span_id, span);
                }
                Some(Note::Ended(span)) => drop(self.running.remove(&span)),
                None => break,
            }
        }
        if starts.takes_lost_ends() {
            self.running.clear();
        }
        self.fresh.retain(|span| self.running.contains_key(span));
    }

    /// Tells what there is to tell, unless an answer is still to come.
    fn speak(&mut self) {
        let now = Instant::now();
        if self.starts.is_none() || self.posting.is_some() {
            return;
        }
        let (mut lines, mut told) = (Vec::new(), Vec::new());
        if now >= self.beats_at {
            self.beats_at = now + HEARTBEAT;
            // A server that was away is told all that runs.
            if std::mem::take(&mut self.is_down) {
                self.fresh = self.running.keys().copied().collect();
            }
            lines.push(self.health().to_string());
        }
        if !self.is_down && now >= self.starts_at {
            told = self.render(&mut lines);
        }
        if !lines.is_empty() {
            self.post(&lines, told);
        }
    }

    /// Adds spans that run and are not announced, as many as go at once.
    fn render(&mut self, lines: &mut Vec<String>) -> Vec<SpanId> {
        let (began, mut bytes, mut at) = (ThreadTime::now(), 0, 0);
        while at < self.fresh.len().min(AT_ONCE) && bytes < MOST_BYTES {
            if began.elapsed() >= MOST_WORK {
                self.starts_at = Instant::now() + REST;
                break;
            }
            let span = self.running.get(&self.fresh[at]);
            let line = span.and_then(|span| announcement::start(span, &self.style));
            bytes += line.as_ref().map_or(0, String::len);
            lines.extend(line);
            at += 1;
        }
        self.fresh.drain(..at).collect()
    }

    /// Posts lines. A server that is not there is told nothing, and begins with nothing.
    fn post(&mut self, lines: &[String], told: Vec<SpanId>) {
        let Some(entrance) = self.lookout.entrance() else {
            self.is_down = true;
            return;
        };
        let mut body = format!("{}\n", self.process);
        lines.iter().for_each(|line| body.extend([line, "\n"]));
        let http = self.http.clone();
        let is_packed = http.target().gzip && told.len() > 1;
        self.posting = Some(tokio::spawn(async move {
            let request = http.elsewhere(Method::POST, entrance.url).map(|request| {
                let request = request
                    .headers(entrance.headers)
                    // Longer than that, and the process would seem to be gone.
                    .timeout(2 * HEARTBEAT)
                    .header("content-type", "application/x-ndjson");
                match is_packed {
                    true => request.header("content-encoding", "gzip").body(gzip(body.as_bytes())),
                    false => request.body(body),
                }
            });
            // What is wrong is told by the exporter, which has the same server before it.
            let answer = http.call(request).await.map_err(|(status, _)| status);
            let answer = answer.and_then(|answer| {
                let answer: Value = serde_json::from_slice(&answer).map_err(|_| NO_SERVER)?;
                answer["known"].as_bool().ok_or(NO_SERVER)
            });
            Posted { told, answer }
        }));
    }

    /// Draws the conclusions from what became of a request.
    fn heed(&mut self, posted: Posted) {
        match posted.answer {
            Ok(is_known) => {
                // Whoever did not know the process does now.
                let was_known = std::mem::replace(&mut self.is_known, true);
                let is_early = self.told_again.is_some_and(|at| at.elapsed() < HEARTBEAT);
                if was_known && !is_known && !is_early {
                    // A server that was started anew does not know what runs.
                    self.told_again = Some(Instant::now());
                    let told: HashSet<_> = posted.told.into_iter().collect();
                    let running = self.running.keys().copied();
                    self.fresh = running.filter(|span| !told.contains(span)).collect();
                }
            }
            Err(400 | 413) if !posted.told.is_empty() => {
                // What cannot be read today cannot be read later; it is seen at its end.
                if let Some(starts) = &self.starts {
                    starts.drop_starts(posted.told.len() as u64);
                }
                posted.told.iter().for_each(|span| drop(self.running.remove(span)));
            }
            Err(status) => {
                self.is_down = true;
                if matches!(status, 0 | 401 | 403 | NO_SERVER | 405) {
                    self.lookout.doubt();
                }
            }
        }
    }

    /// Says the last word, after what is being said.
    async fn say_bye(&mut self) {
        if self.starts.is_none() {
            return;
        }
        if self.posting.is_some() {
            answered(&mut self.posting).await;
        }
        self.post(&[self.health().to_string(), json!({ "bye": {} }).to_string()], Vec::new());
        if self.posting.is_some() {
            answered(&mut self.posting).await;
        }
    }

    /// How the export does, as the server's page shows it.
    fn health(&self) -> Value {
        let health = self.queue.health();
        let dropped: Map<String, Value> = crate::health::DropReason::ALL
            .into_iter()
            .filter(|reason| health.dropped.of(*reason) > 0)
            .map(|reason| (reason.to_string(), health.dropped.of(reason).into()))
            .collect();
        let at = self.lookout.entrance();
        let url = at.map(|entrance| entrance.url.origin().ascii_serialization());
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

/// The status of who has no such address.
const NO_SERVER: u16 = 404;

/// Waits for what becomes of a request, if there is one.
async fn answered(posting: &mut Option<JoinHandle<Posted>>) -> Posted {
    let Some(handle) = posting else { return std::future::pending().await };
    // It does not panic. If it did, nothing would have been taken.
    let posted = handle.await.unwrap_or(Posted { told: Vec::new(), answer: Err(0) });
    *posting = None;
    posted
}

/// Waits until something is noted.
async fn noted(starts: Option<&Starts>) {
    match starts {
        Some(starts) => starts.woken().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

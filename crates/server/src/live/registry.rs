//! The processes that announce their spans when they begin, and which of them are still there.

use crate::store::{Change, Changes};
use glassbox_trace::id::{SpanId, TraceId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The most processes, and the most running spans of all of them; what is beyond is refused.
const MOST_PROCESSES: usize = 10_000;
const MOST_RUNNING: usize = 500_000;

/// Processes by the id that they gave themselves.
#[derive(Debug)]
pub struct Registry {
    timeout: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    processes: HashMap<String, Process>,
    /// Whose span it is that runs.
    running: HashMap<(TraceId, SpanId), String>,
}

/// A process that announces its spans.
#[derive(Clone, Debug)]
pub struct Process {
    /// The service that it belongs to.
    pub service: Option<String>,
    /// When it was last heard of.
    pub last_seen: Instant,
    /// The same, microseconds since the epoch.
    pub last_seen_us: i64,
    /// The spans that have begun and not ended.
    pub running: HashSet<(TraceId, SpanId)>,
    /// How many spans it has announced.
    pub spans: u64,
    /// How its own export does, as it told.
    pub health: Option<Value>,
}

/// A process as the health page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Sender {
    /// The service that it belongs to.
    pub service: Option<String>,
    /// Its own id; none if it only sends spans that ended.
    pub process: Option<String>,
    /// When it was last heard of, microseconds since the epoch.
    pub last_seen_us: i64,
    /// How many of its spans run.
    pub running: usize,
    /// How many spans it has announced, or sent if it announces none.
    pub spans: u64,
    /// How its own export does, as it told.
    pub health: Option<Value>,
}

/// What a process told at once.
#[derive(Clone, Debug, Default)]
pub struct Announced {
    /// The id that it gave itself.
    pub process: String,
    /// The service that it belongs to.
    pub service: Option<String>,
    /// The spans that have begun.
    pub started: Vec<(TraceId, SpanId)>,
    /// How its own export does.
    pub health: Option<Value>,
    /// Whether it goes away.
    pub bye: bool,
}

/// What follows from what a process told.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Whether it was known before.
    pub is_known: bool,
    /// The spans that nobody will end any more.
    pub abandoned: Vec<(TraceId, SpanId)>,
}

/// More processes or running spans are not watched over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {MOST_PROCESSES} processes announce spans, or more than {MOST_RUNNING} spans run; announce again later"
)]
pub struct NoRoom;

impl Registry {
    /// Waits so long for a process to be heard of again.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, inner: Mutex::default() }
    }

    /// Takes note of what a process told. Returns whether it was known, and the spans that are abandoned by it.
    ///
    /// # Errors
    ///
    /// If there is no room: a span that nobody watches over would seem to run for ever.
    pub fn hear(&self, announced: Announced) -> Result<Heard, NoRoom> {
        let mut inner = self.inner();
        let is_known = inner.processes.contains_key(&announced.process);
        if announced.bye {
            let gone = inner.processes.remove(&announced.process);
            let mut abandoned: Vec<_> =
                gone.map(|process| process.running).unwrap_or_default().into_iter().collect();
            abandoned.iter().for_each(|span| drop(inner.running.remove(span)));
            // What begins with the last words of a process ends with them.
            abandoned.extend(announced.started);
            return Ok(Heard { is_known, abandoned });
        }
        if (!is_known && inner.processes.len() >= MOST_PROCESSES)
            || inner.running.len() + announced.started.len() > MOST_RUNNING
        {
            return Err(NoRoom);
        }
        let Inner { processes, running } = &mut *inner;
        for span in &announced.started {
            // Whoever announces it last is waited for.
            if let Some(before) = running.insert(*span, announced.process.clone())
                && let Some(before) = processes.get_mut(&before)
            {
                before.running.remove(span);
            }
        }
        let process = processes.entry(announced.process).or_insert_with(|| Process {
            service: None,
            last_seen: Instant::now(),
            last_seen_us: 0,
            running: HashSet::new(),
            spans: 0,
            health: None,
        });
        process.last_seen = Instant::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        process.last_seen_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        process.service = announced.service.or_else(|| process.service.take());
        process.health = announced.health.or_else(|| process.health.take());
        process.spans += announced.started.len() as u64;
        process.running.extend(announced.started);
        Ok(Heard { is_known, abandoned: Vec::new() })
    }

    /// Forgets spans that have ended.
    pub fn forget(&self, spans: &[(TraceId, SpanId)]) {
        let mut inner = self.inner();
        for span in spans {
            if let Some(process) = inner.running.remove(span)
                && let Some(process) = inner.processes.get_mut(&process)
            {
                process.running.remove(span);
            }
        }
    }

    /// Takes note of spans that ended.
    pub fn ended(&self, changes: &Changes) {
        if self.inner().running.is_empty() {
            return;
        }
        let ended = changes.iter().filter_map(|change| match change {
            Change::Span(span) if span.state.is_final() => Some((span.trace_id, span.span_id)),
            Change::Span(_) | Change::Trace(_) => None,
        });
        self.forget(&ended.collect::<Vec<_>>());
    }

    /// Forgets processes that were not heard of for too long, and returns the spans that they left running.
    pub fn abandoned(&self) -> Vec<(TraceId, SpanId)> {
        let mut inner = self.inner();
        let timeout = self.timeout;
        let gone = inner.processes.extract_if(|_, process| process.last_seen.elapsed() > timeout);
        let running: Vec<_> = gone.flat_map(|(_, process)| process.running).collect();
        running.iter().for_each(|span| drop(inner.running.remove(span)));
        running
    }

    /// Returns the processes, the last heard of first.
    #[must_use]
    pub fn senders(&self) -> Vec<Sender> {
        let inner = self.inner();
        let sender = |(name, process): (&String, &Process)| Sender {
            service: process.service.clone(),
            process: Some(name.clone()),
            last_seen_us: process.last_seen_us,
            running: process.running.len(),
            spans: process.spans,
            health: process.health.clone(),
        };
        let mut senders: Vec<_> = inner.processes.iter().map(sender).collect();
        senders.sort_by_key(|sender| std::cmp::Reverse(sender.last_seen_us));
        senders
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(process: usize, spans: std::ops::Range<u64>) -> Announced {
        let id = |at: u64| (TraceId::from_bytes([1; 16]), SpanId::from_bytes(at.to_be_bytes()));
        let started = spans.map(id).collect();
        Announced { process: process.to_string(), started, ..Announced::default() }
    }

    #[test]
    fn no_more_is_taken_than_is_watched_over() {
        let registry = Registry::new(Duration::from_secs(3600));
        for process in 0..MOST_PROCESSES {
            assert!(!registry.hear(announced(process, 0..0)).unwrap().is_known);
        }
        assert!(registry.hear(announced(MOST_PROCESSES, 1..2)).is_err());
        let most = MOST_RUNNING as u64;
        assert!(registry.hear(announced(7, 1..most)).unwrap().is_known);
        assert!(registry.hear(announced(7, most..most + 2)).is_err());
        registry.hear(announced(7, most..most + 1)).unwrap();
        let bye = Announced { bye: true, ..announced(7, 0..0) };
        assert_eq!(registry.hear(bye).unwrap().abandoned.len(), MOST_RUNNING);
        assert!(!registry.hear(announced(MOST_PROCESSES, 1..2)).unwrap().is_known);
    }
}

//! What a flush has to tell: what was exported, and what could not be.

use crate::ledger::{Ledger, Told};
use crate::queue::Queue;
use std::fmt;
use std::sync::Arc;

/// What became of the spans since the last flush.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FlushReport {
    /// What became of them at each destination.
    pub destinations: Vec<Flushed>,
}

/// What became of the spans at a destination since the last flush.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Flushed {
    /// The destination's name.
    pub name: Arc<str>,
    /// Spans that were accepted.
    pub exported: u64,
    /// Spans that were lost, for whatever reason.
    pub lost: u64,
    /// Spans that still waited when the time was over. They are exported later, unless the program ends.
    pub pending: u64,
    /// Spans that are in the spool, on disk. They are exported later, if need be by the next process.
    pub spooled: u64,
    /// What went wrong last, for people.
    pub last_error: Option<Arc<str>>,
}

impl FlushReport {
    /// Returns how many spans were accepted, by all destinations together.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.destinations.iter().map(|flushed| flushed.exported).sum()
    }

    /// Makes an error of it if spans were not delivered.
    pub(crate) fn into_result(self) -> Result<Self, FlushError> {
        let complete = self.destinations.iter().all(Flushed::is_complete);
        if complete { Ok(self) } else { Err(FlushError { report: self }) }
    }

    /// Adds what a queue answered; without an answer, what stands in its books.
    pub(crate) fn add(&mut self, queue: &Queue, answer: Option<Told>) {
        let pending = match answer {
            Some(_) => 0,
            None => {
                let health = queue.health();
                health.queued + health.in_flight
            }
        };
        let told = answer.unwrap_or_else(|| queue.book(Ledger::tell));
        self.destinations.push(Flushed {
            name: Arc::clone(queue.name()),
            exported: told.exported,
            lost: told.lost,
            pending,
            spooled: told.spooled,
            last_error: told.last_error,
        });
    }
}

impl Flushed {
    const fn is_complete(&self) -> bool {
        self.lost + self.pending + self.spooled == 0
    }
}

/// Tells that not all spans could be delivered.
#[derive(Clone, Debug)]
pub struct FlushError {
    report: FlushReport,
}

impl FlushError {
    /// Returns what became of the spans.
    #[must_use]
    pub const fn report(&self) -> &FlushReport {
        &self.report
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for flushed in self.report.destinations.iter().filter(|flushed| !flushed.is_complete()) {
            write!(f, "{separator}{}: ", flushed.name)?;
            separator = "; ";
            let all = [
                (flushed.lost, "lost"),
                (flushed.pending, "not yet delivered"),
                (flushed.spooled, "kept on disk"),
            ];
            let parts = all.into_iter().filter(|(count, _)| *count > 0).enumerate();
            for (at, (count, what)) in parts {
                let (comma, spans) = if at == 0 { ("", " spans") } else { (", ", "") };
                write!(f, "{comma}{count}{spans} {what}")?;
            }
            if let Some(error) = &flushed.last_error {
                write!(f, " ({error})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for FlushError {}

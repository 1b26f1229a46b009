//! A comparison that is made again and again, and tells what got worse.

use super::Regression;
use super::report::Report;
use super::sampler::Sampler;
use crate::bus::Bus;
use crate::context::Context;
use crate::event::EventData;
use crate::pattern::PatternError;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Compares with a baseline until it is dropped.
#[must_use = "watching ends when this is dropped; write `let _watching = ..`, not `let _ = ..`"]
pub struct RegressionWatch {
    shared: Arc<(Regression, Sampler)>,
    /// Dropped to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RegressionWatch {
    pub(super) fn start(
        regression: Regression,
        bus: &Bus,
        kept: usize,
        every: Duration,
    ) -> Result<Self, PatternError> {
        let shared = Arc::new((regression, Sampler::start(bus, kept)?));
        let (end, ended) = channel::<()>();
        let (compared, bus) = (Arc::clone(&shared), bus.clone());
        let life = move || {
            let place = Context::current().child(&"regressions".into());
            let mut told = BTreeSet::new();
            while matches!(ended.recv_timeout(every), Err(RecvTimeoutError::Timeout)) {
                let report = compared.0.compare(&compared.1.samples());
                let found = report.worse().map(|finding| {
                    (Arc::clone(&finding.facts.subject), Arc::clone(&finding.facts.measure))
                });
                let found: BTreeSet<_> = found.collect();
                for finding in report.worse() {
                    let key =
                        (Arc::clone(&finding.facts.subject), Arc::clone(&finding.facts.measure));
                    if !told.contains(&key)
                        && let Some(span) = place.span()
                    {
                        let facts = Arc::clone(&finding.facts);
                        bus.emit(span, EventData::RegressionDetected(facts));
                    }
                }
                told = found;
            }
        };
        let thread = thread::Builder::new().name("glassbox-regressions".to_owned()).spawn(life);
        if let Err(error) = &thread {
            tracing::warn!(%error, "regressions are not watched: the system gives no thread");
        }
        Ok(Self { shared, end: Some(end), thread: thread.ok() })
    }

    /// Compares what was sampled so far with the baseline.
    #[must_use]
    pub fn report(&self) -> Report {
        self.shared.0.compare(&self.sampler().samples())
    }

    /// Returns what takes the samples.
    pub fn sampler(&self) -> &Sampler {
        &self.shared.1
    }
}

impl Drop for RegressionWatch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It does not panic; were it so, there is nothing to save here.
            let _ended = thread.join();
        }
    }
}

impl fmt::Debug for RegressionWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegressionWatch").field("sampler", self.sampler()).finish_non_exhaustive()
    }
}

//! All that the server knows: its settings, and what it remembers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::fault::{Fault, FaultPlan};
use crate::latency::Latency;
use crate::limit::{Bucket, Cached, PromptCache, Seen};
use crate::record::{Counters, Log, Received};
use crate::script::Script;

/// What the builder has set.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    pub(crate) latency: Latency,
    pub(crate) script: Script,
    pub(crate) max_concurrent: Option<u64>,
    pub(crate) requests_per_minute: Option<u32>,
    pub(crate) requests_at_once: Option<u32>,
    pub(crate) lenient_schemas: bool,
    pub(crate) kept_requests: usize,
}

/// Shared by the server's thread and the handle.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    /// Held only while nothing waits.
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    faults: FaultPlan,
    log: Log,
    counters: Counters,
    attempts: Seen,
    cache: PromptCache,
    bucket: Option<Bucket>,
}

/// A model call's place in the order of arrival.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The number of the record.
    pub(crate) record: u64,
    /// Among all model calls, from 1.
    pub(crate) number: u64,
    /// Among equal ones, from 1.
    pub(crate) attempt: u64,
}

/// A model call being answered; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<State>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.memory().counters.in_flight -= 1;
    }
}

impl State {
    pub(crate) fn new(config: Config, faults: FaultPlan) -> Self {
        let memory = Memory {
            faults,
            log: Log::new(config.kept_requests),
            counters: Counters::default(),
            attempts: Seen::default(),
            cache: PromptCache::default(),
            bucket: bucket(&config),
        };
        Self { config, memory: Mutex::new(memory) }
    }

    pub(crate) fn connected(&self) {
        self.memory().counters.connections += 1;
    }

    /// Records a request that is no model call.
    pub(crate) fn received(&self, received: Received) -> u64 {
        self.memory().log.push(received)
    }

    /// Records a model call.
    pub(crate) fn called(&self, mut received: Received, request: u64) -> Arrival {
        let mut memory = self.memory();
        memory.counters.calls += 1;
        let attempt = memory.attempts.count(request);
        received.attempt = attempt;
        Arrival { record: memory.log.push(received), number: memory.counters.calls, attempt }
    }

    /// Completes a record.
    pub(crate) fn note(&self, record: u64, complete: impl FnOnce(&mut Received)) {
        if let Some(received) = self.memory().log.get_mut(record) {
            complete(received);
        }
    }

    /// Records the status answered.
    pub(crate) fn answered(&self, record: u64, status: u16) {
        let mut memory = self.memory();
        if status < 400 {
            memory.counters.succeeded += 1;
        } else {
            memory.counters.refused += 1;
        }
        if let Some(received) = memory.log.get_mut(record) {
            received.status = Some(status);
        }
    }

    /// Lets a model call in, or tells how long it should wait before it tries again.
    pub(crate) fn admit(self: &Arc<Self>, now: Instant) -> Result<InFlight, Duration> {
        let mut memory = self.memory();
        let is_full =
            self.config.max_concurrent.is_some_and(|most| memory.counters.in_flight >= most);
        let admitted = match &mut memory.bucket {
            _ if is_full => Err(Duration::from_secs(1)),
            Some(bucket) => bucket.take(now),
            None => Ok(()),
        };
        if let Err(wait) = admitted {
            memory.counters.limited += 1;
            return Err(wait);
        }
        memory.counters.in_flight += 1;
        memory.counters.most_in_flight =
            memory.counters.most_in_flight.max(memory.counters.in_flight);
        Ok(InFlight(Arc::clone(self)))
    }

    /// Picks and records the fault of a model call.
    pub(crate) fn fault(&self, request: u64, arrival: Arrival) -> Option<Fault> {
        let mut memory = self.memory();
        let fault =
            memory.faults.pick(self.config.seed, request, arrival.number, arrival.attempt)?;
        memory.counters.faults += 1;
        if let Some(received) = memory.log.get_mut(arrival.record) {
            received.fault = Some(fault.clone());
        }
        Some(fault)
    }

    pub(crate) fn cached(&self, model: &str, prompt: &str) -> Cached {
        self.memory().cache.look_up(model, prompt)
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.memory().log.to_vec()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.memory().counters
    }

    pub(crate) fn set_faults(&self, faults: FaultPlan) {
        self.memory().faults = faults;
    }

    /// Forgets everything but the calls that are being answered now.
    pub(crate) fn clear(&self) {
        let mut memory = self.memory();
        let in_flight = memory.counters.in_flight;
        memory.log.clear();
        memory.counters = Counters { in_flight, most_in_flight: in_flight, ..Counters::default() };
        memory.attempts = Seen::default();
        memory.cache = PromptCache::default();
        memory.bucket = bucket(&self.config);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing in here can be left half done by a panic.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bucket(config: &Config) -> Option<Bucket> {
    let at_once = config.requests_at_once;
    let bucket = |limit| Bucket::new(limit, at_once, config.speed, Instant::now());
    config.requests_per_minute.map(bucket)
}

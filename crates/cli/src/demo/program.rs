//! What the demo can play: a program that serves one customer after another.

use glassbox::trace::id::TraceId;
use glassbox::{BoxFuture, Error, Prediction};

/// What is played for each customer.
pub(super) trait Program: Send + Sync {
    /// Serves the customer of that number, from 1.
    fn serve(&self, customer: u64) -> BoxFuture<'_, Result<Served, Error>>;
}

/// What a customer got.
#[derive(Debug)]
pub(super) struct Served {
    /// What was done, in a few words after "customer 1".
    pub(super) did: String,
    /// What was said.
    pub(super) said: String,
    pub(super) trace_id: Option<TraceId>,
}

impl Served {
    pub(super) fn new<T>(prediction: &Prediction<T>, did: String, said: String) -> Self {
        Self { did, said, trace_id: prediction.trace_id() }
    }
}

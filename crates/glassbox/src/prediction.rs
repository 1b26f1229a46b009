//! A prediction: the typed output of a call, with what it used, what it cost and where its trace is.

use glassbox_events::context::Context;
use glassbox_trace::cost::Cost;
use glassbox_trace::id::TraceId;
use glassbox_trace::usage::Usage;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The output of a call; it dereferences to the signature's output.
///
/// ```
/// # struct Output { answer: String }
/// # fn show(reply: &glassbox::Prediction<Output>) {
/// println!("{} ({} tokens, ${})", reply.answer, reply.usage().total(), reply.cost());
/// # }
/// ```
pub struct Prediction<O> {
    output: Arc<O>,
    facts: Arc<Facts>,
}

#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) reasoning: Option<Arc<str>>,
    pub(crate) usage: Usage,
    pub(crate) cost: Cost,
    pub(crate) model: Option<Arc<str>>,
    pub(crate) trace_id: Option<TraceId>,
}

impl<O> Prediction<O> {
    pub(crate) fn new(
        output: O,
        reasoning: Option<Arc<str>>,
        usage: Usage,
        cost: Cost,
        model: Option<Arc<str>>,
    ) -> Self {
        let trace_id = Context::current().span().map(|span| span.trace_id);
        Self {
            output: Arc::new(output),
            facts: Arc::new(Facts { reasoning, usage, cost, model, trace_id }),
        }
    }

    /// Returns the output.
    #[must_use]
    pub fn output(&self) -> &O {
        &self.output
    }

    /// Returns the output by value, cloning it if it is shared still.
    #[must_use]
    pub fn into_output(self) -> O
    where
        O: Clone,
    {
        Arc::unwrap_or_clone(self.output)
    }

    pub(crate) fn shared_output(&self) -> Arc<O> {
        Arc::clone(&self.output)
    }

    /// Returns the reasoning: a chain of thought's own, or else the model's, where the provider tells it.
    #[must_use]
    pub fn reasoning(&self) -> Option<&str> {
        self.facts.reasoning.as_deref()
    }

    /// Returns the tokens used by all model calls of the prediction.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.facts.usage
    }

    /// Returns what they cost, in US dollars; unknown if the model has no known price.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.facts.cost
    }

    /// Returns the model that answered.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.facts.model.as_deref()
    }

    /// Returns the trace in which it was made.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.facts.trace_id
    }
}

impl<O> Deref for Prediction<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.output
    }
}

impl<O> Clone for Prediction<O> {
    fn clone(&self) -> Self {
        Self { output: Arc::clone(&self.output), facts: Arc::clone(&self.facts) }
    }
}

impl<O: fmt::Debug> fmt::Debug for Prediction<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prediction")
            .field("output", &self.output)
            .field("facts", &self.facts)
            .finish()
    }
}

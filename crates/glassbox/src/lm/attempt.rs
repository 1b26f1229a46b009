//! One attempt to call a model: who lets it begin, and who is told what came of it.

use crate::lm::failure::Failure;
use crate::lm::record::{Tally, tell_failed_attempt};
use crate::lm::transport::Answer;
use crate::lm::{Backend, Inner};
use glassbox_events::clock;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, LlmAttempt};
use glassbox_events::gate::{Permit, Spent};
use glassbox_trace::time::Timestamp;
use glassbox_trace::usage::Usage;

/// An attempt that has begun. One that is dropped was cancelled: what was reserved for it counts as spent.
pub(super) struct Shot {
    pub(super) started: Timestamp,
    number: u32,
    permit: Permit,
}

impl Shot {
    /// Begins the `number`-th attempt of a call.
    pub(super) fn new(number: u32, permit: Permit) -> Self {
        Self { started: clock::now(), number, permit }
    }

    /// Ends it with an answer.
    pub(super) fn answered(self, lm: &Inner, context: &Context, answer: &Answer) {
        let usage = answer.facts.usage(lm.wire());
        let cost = lm.cost(answer.facts.model.as_deref(), &usage);
        self.permit.settle(match usage.is_unknown() {
            true => Spent::Unknown,
            false => Spent::Known { usage, cost },
        });
        context.emit(EventData::LlmAttempt(LlmAttempt {
            number: self.number,
            duration: clock::now().since(self.started),
            http_status: matches!(lm.backend, Backend::Http(_)).then_some(200),
            retry_after: None,
            failed: None,
        }));
    }

    /// Ends it without one. What it used all the same is added to the tally.
    pub(super) fn failed(
        self,
        lm: &Inner,
        context: &Context,
        tally: &mut Tally,
        failure: &Failure,
    ) {
        let spent = failure.spent(lm.cost(None, &failure.usage));
        self.permit.settle(spent);
        match spent {
            // Nothing used is no news: added to an answer that does not tell its usage, it would make that zero.
            Spent::Known { usage: Usage::ZERO, .. } => {}
            Spent::Known { usage, cost } => {
                tally.usage += usage;
                tally.cost += cost;
            }
            Spent::Nothing | Spent::Unknown => tally.uncounted = true,
        }
        tell_failed_attempt(context, self.number, self.started, failure);
    }
}

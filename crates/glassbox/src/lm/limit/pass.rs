//! The leave to make an attempt. It gives its place back when it is dropped.

use super::Limiter;
use crate::lm::failure::Failure;
use glassbox_trace::usage::Usage;
use std::time::Duration;
use tokio::time::Instant;

/// A place among the attempts in flight, with the tokens taken for it.
#[derive(Debug)]
pub(crate) struct Pass {
    limiter: Limiter,
    began: Instant,
    tokens: u64,
}

impl Pass {
    pub(super) fn new(limiter: Limiter, tokens: u64) -> Self {
        Self { limiter, began: Instant::now(), tokens }
    }

    /// Ends an attempt that had an answer.
    pub(crate) fn answered(self, usage: &Usage) {
        let mut state = self.limiter.state();
        state.window.grow();
        if !usage.is_unknown() {
            state.correct_tokens(self.tokens, usage.total());
            state.learn_output(usage.output_total().unwrap_or_default());
        }
    }

    /// Ends an attempt that had none. If the provider has too much to do, there will be fewer of them, and nobody comes
    /// back before the time that it asked for, unless that is longer than `patience`.
    pub(crate) fn failed(self, failure: &Failure, patience: Duration) {
        {
            let mut state = self.limiter.state();
            let in_flight = state.in_flight;
            if failure.overloaded && state.limits.adaptive {
                state.window.cut(self.began, in_flight, Instant::now());
            }
            if !failure.usage.is_unknown() {
                state.correct_tokens(self.tokens, failure.usage.total());
            } else if !failure.may_have_cost {
                state.correct_tokens(self.tokens, 0);
            }
        }
        if let Some(asked) =
            failure.retry_after.filter(|asked| failure.overloaded && *asked <= patience)
        {
            self.limiter.pause(asked);
        }
    }

    /// Gives everything back: the attempt was not made.
    pub(crate) fn unused(self) {
        let mut state = self.limiter.state();
        state.correct_tokens(self.tokens, 0);
        state.give_request_back();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.limiter.state().in_flight -= 1;
        self.limiter.freed();
    }
}

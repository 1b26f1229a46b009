//! What a limiter knows: who is in flight, what is left of the minute, and until when everybody waits.

use super::Limits;
use super::bucket::Bucket;
use super::window::Window;
use std::time::Duration;
use tokio::time::Instant;

/// How many output tokens an attempt is taken to need before any answer is known.
const FIRST_GUESS: f64 = 256.0;

/// What a new answer counts in the average of output tokens.
const WEIGHT: f64 = 0.125;

pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) window: Window,
    pub(super) in_flight: u32,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    paused_until: Option<Instant>,
    mean_output: f64,
}

/// What has to happen before an attempt may begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// So much time has to pass.
    For(Duration),
    /// An attempt in flight has to end.
    Place,
}

impl Default for State {
    /// Without any limit.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            window: Window::default(),
            in_flight: 0,
            requests: None,
            tokens: None,
            paused_until: None,
            mean_output: FIRST_GUESS,
        }
    }
}

impl State {
    pub(super) fn tighten(&mut self, limits: Limits) {
        let (before, after) = (self.limits, self.limits.and(limits));
        self.limits = after;
        if let Some(most) = after.concurrency.filter(|_| before.concurrency != after.concurrency) {
            self.window.limit(most);
        }
        if before.requests_per_minute != after.requests_per_minute {
            self.requests = after.requests_per_minute.map(Bucket::new);
        }
        if before.tokens_per_minute != after.tokens_per_minute {
            self.tokens = after.tokens_per_minute.map(Bucket::new);
        }
    }

    /// Takes a place, a request and so many tokens: all of it or nothing.
    pub(super) fn take(&mut self, now: Instant, tokens: u64) -> Result<(), Wait> {
        if let Some(until) = self.paused_until {
            if until > now {
                return Err(Wait::For(until - now));
            }
            self.paused_until = None;
        }
        if self.window.permits().is_some_and(|permits| self.in_flight >= permits) {
            return Err(Wait::Place);
        }
        if let Some(requests) = &mut self.requests {
            requests.take(1).map_err(Wait::For)?;
        }
        if let Some(bucket) = &mut self.tokens
            && let Err(wait) = bucket.take(tokens)
        {
            self.give_request_back();
            return Err(Wait::For(wait));
        }
        self.in_flight += 1;
        Ok(())
    }

    /// Gives back what an attempt had taken that was not made after all.
    pub(super) fn give_request_back(&mut self) {
        if let Some(requests) = &mut self.requests {
            requests.correct(1, 0);
        }
    }

    /// Settles that an attempt used other than the tokens that it had taken.
    pub(super) fn correct_tokens(&mut self, taken: u64, used: u64) {
        if let Some(tokens) = &mut self.tokens {
            tokens.correct(taken, used);
        }
    }

    pub(super) fn pause(&mut self, now: Instant, time: Duration) {
        let until = now.checked_add(time).unwrap_or(now);
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
    }

    pub(super) fn likely_output(&self) -> u64 {
        // The cast saturates; the average is never below zero.
        self.mean_output.ceil() as u64
    }

    pub(super) fn learn_output(&mut self, tokens: u64) {
        self.mean_output += (tokens as f64 - self.mean_output) * WEIGHT;
    }
}

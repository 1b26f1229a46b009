//! What a model call leaves behind: its span, the spans of its failed attempts, and its error.

use crate::error::Error;
use crate::lm::Inner;
use crate::lm::failure::Failure;
use crate::lm::request::{Request, Response};
use crate::lm::transport::Progress;
use glassbox_events::clock;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, LlmAttempt};
use glassbox_events::refusal::Refusal;
use glassbox_trace::cost::Cost;
use glassbox_trace::message::Message;
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Attempt, Detail, Generation, OutputType, Span, Status};
use glassbox_trace::time::Timestamp;
use glassbox_trace::usage::Usage;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What the attempts of a call that have ended come to.
#[derive(Default)]
pub(super) struct Sums {
    /// How many have begun.
    pub(super) attempts: u32,
    pub(super) usage: Usage,
    pub(super) cost: Cost,
    /// Whether an attempt broke off that may have cost something.
    pub(super) uncounted: bool,
}

/// What a call has come to so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) sums: Sums,
    pub(super) limiter_wait: Duration,
    /// Since when it waits in the limiter's queue, if it does.
    pub(super) queued_since: Option<Instant>,
    pub(super) backoff_wait: Duration,
    pub(super) retry_after_wait: Duration,
    /// Whether the last attempt is still going on.
    pub(super) in_flight: bool,
    /// What has come of the last attempt.
    pub(super) progress: Progress,
    pub(super) first_chunk: OnceLock<Timestamp>,
}

impl Sums {
    /// Returns what a call used that gave no answer: nothing, if every attempt was refused.
    pub(super) fn usage_of_failure(&self) -> Usage {
        if self.uncounted { self.usage } else { self.usage + Usage::ZERO }
    }

    /// Returns what a call cost that gave no answer: unknown where a broken attempt may have cost something.
    pub(super) const fn cost_of_failure(&self) -> Cost {
        if self.uncounted { Cost::UNKNOWN } else { self.cost }
    }
}

/// Why a call did not give an answer.
pub(super) enum Ending {
    /// By a gate or a stop; the latter may have left something of an answer.
    Refused(Refusal, Option<Arc<str>>),
    Failed(Failure),
}

/// Describes a call before its first attempt.
pub(super) fn generation(lm: &Inner, request: &Request) -> Generation {
    let base_url = lm.base_url();
    Generation {
        provider: Arc::clone(&lm.otel_provider),
        request_model: Arc::clone(&lm.model),
        parameters: lm.parameters.clone(),
        output_type: request.schema.as_ref().map(|_| OutputType::Json),
        messages: Arc::clone(&request.messages),
        tools: Arc::clone(&request.tools),
        server_address: base_url.and_then(|url| url.host_str()).map(Arc::from),
        server_port: base_url.and_then(|url| url.port_or_known_default()),
        ..Generation::default()
    }
}

/// Fills in what a generation knows at its end.
pub(super) fn record(span: &mut Span, tally: &Tally, more: impl FnOnce(&mut Generation, &Tally)) {
    let Detail::Generation(generation) = &mut span.detail else { return };
    generation.attempts = tally.sums.attempts;
    let queued = tally.queued_since.map(|since| since.elapsed()).unwrap_or_default();
    generation.limiter_wait = tally.limiter_wait + queued;
    generation.backoff_wait = tally.backoff_wait;
    generation.retry_after_wait = tally.retry_after_wait;
    generation.first_chunk = tally.first_chunk.get().copied();
    more(generation, tally);
}

pub(super) fn record_failure(
    generation: &mut Generation,
    tally: &Tally,
    partial: Option<Arc<str>>,
) {
    generation.output = partial.map(Message::assistant);
    generation.usage = tally.sums.usage_of_failure();
    generation.cost = tally.sums.cost_of_failure();
}

pub(super) fn record_response(generation: &mut Generation, response: &Response) {
    generation.response_model.clone_from(&response.model);
    generation.response_id.clone_from(&response.id);
    generation.finish_reasons = response.finish_reason.iter().cloned().collect();
    generation.output = Some(response.message.clone());
    generation.usage = response.usage;
    generation.cost = response.cost;
    generation.cache_hit = response.cache_hit;
}

/// Tells of a failed attempt, as an event and as a span below the generation.
pub(super) fn tell_failed_attempt(
    context: &Context,
    number: u32,
    started: Timestamp,
    failure: &Failure,
) {
    let error_type = failure.error_type();
    let name: Arc<str> = format!("attempt {number} ({error_type})").into();
    let place = context.child(&name);
    let Some(place) = place.span() else { return };
    let end = clock::now();
    let span = Span {
        trace_id: place.trace_id,
        span_id: place.span_id,
        parent_id: place.parent_id(),
        name,
        start: started,
        end: Some(end),
        status: Status::error(error_type, failure.message.as_str()),
        trace: Arc::clone(place.trace()),
        input: None,
        output: failure.partial.clone().map(Payload::Text),
        notes: Vec::new(),
        detail: Detail::Attempt(Attempt {
            number,
            http_status: failure.status,
            retry_after: failure.retry_after,
        }),
        attributes: Vec::new(),
    };
    context.emit(EventData::LlmAttempt(LlmAttempt {
        number,
        duration: end.since(started),
        http_status: failure.status,
        retry_after: failure.retry_after,
        failed: Some(Arc::new(span)),
    }));
}

/// Turns an ending into the error that the caller gets, with the partial output for the span.
pub(super) fn error(
    lm: &Inner,
    ending: Ending,
    tally: &Tally,
    context: &Context,
) -> (Error, Option<Arc<str>>) {
    let failure = match ending {
        Ending::Refused(refusal, partial) => {
            let error = Error::from(refusal).with(|facts| {
                facts.attempts = tally.sums.attempts;
                facts.usage = tally.sums.usage_of_failure();
                facts.cost = tally.sums.cost_of_failure();
                facts.trace_id = context.span().map(|span| span.trace_id);
                facts.model = Some(Arc::clone(&lm.full_name));
                facts.partial.clone_from(&partial);
            });
            return (error, partial);
        }
        Ending::Failed(failure) => failure,
    };
    let after = if tally.sums.attempts > 1 {
        format!(" (after {} attempts)", tally.sums.attempts)
    } else {
        String::new()
    };
    let (rejects_schema, rejects_tools) = (failure.rejects_schema, failure.rejects_tools);
    let error = Error::new(failure.kind, format!("{}{after}", failure.message)).with(|facts| {
        facts.model = Some(Arc::clone(&lm.full_name));
        facts.status = failure.status;
        facts.request_id = failure.request_id;
        facts.retry_after = failure.retry_after;
        facts.attempts = tally.sums.attempts;
        facts.usage = tally.sums.usage_of_failure();
        facts.cost = tally.sums.cost_of_failure();
        facts.trace_id = context.span().map(|span| span.trace_id);
        facts.partial.clone_from(&failure.partial);
        facts.rejects_schema = rejects_schema;
        facts.rejects_tools = rejects_tools;
    });
    (error, failure.partial)
}

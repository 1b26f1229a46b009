//! The call of a model: gates, attempts, waits, events, usage and cost. Nothing else turns a call into events.

use crate::error::{Error, ErrorKind};
use crate::lm::failure::Failure;
use crate::lm::request::{Finish, Request, Response};
use crate::lm::transport::{Answer, Progress};
use crate::lm::wire::Wire;
use crate::lm::{Backend, Inner, Lm};
use glassbox_events::clock;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, LlmAttempt, LlmFirstChunk, LlmWait, WaitReason};
use glassbox_events::gate::{Action, Spent};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::refusal::Refusal;
use glassbox_trace::cost::Cost;
use glassbox_trace::message::{Message, Part};
use glassbox_trace::span::{Attempt, Detail, Generation, OutputType, Span, Status};
use glassbox_trace::time::Timestamp;
use glassbox_trace::usage::Usage;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

/// What the attempts of a call have come to so far.
#[derive(Default)]
struct Tally {
    attempts: u32,
    usage: Usage,
    cost: Cost,
    /// Whether an attempt broke off that may have cost something.
    uncounted: bool,
    backoff_wait: Duration,
    retry_after_wait: Duration,
    first_chunk: Option<Timestamp>,
}

/// Why a call did not give an answer.
enum Ending {
    Refused(Refusal),
    Failed(Failure),
}

/// Calls a model, trying again where that may help. One `generation` span holds all attempts.
pub(crate) async fn generate(lm: &Lm, request: Request) -> Result<Response, Error> {
    let lm = &*lm.0;
    let detail = Detail::Generation(Box::new(generation(lm, &request)));
    let mut span = OpenSpan::begin(&Context::current(), Family::Llm, &lm.span_name, detail, None);
    let mut tally = Tally { cost: Cost::ZERO, ..Tally::default() };

    let ended = attempts(lm, &request, span.context(), &mut tally).await;
    match ended {
        Ok(answer) => {
            let response = response(lm, answer, &tally);
            span.edit(|span| record(span, &tally, |generation| record_response(generation, &response)));
            span.end(Status::Ok, None);
            Ok(response)
        }
        Err(ending) => {
            let (error, partial) = error(lm, ending, &tally, &span);
            span.edit(|span| {
                record(span, &tally, |generation| {
                    generation.output = partial.map(Message::assistant);
                    generation.usage = tally.usage_of_failure();
                    generation.cost = tally.cost_of_failure();
                });
            });
            span.end(Status::error(error.error_type(), error.to_string()), None);
            Err(error)
        }
    }
}

/// Makes attempts until one works, the policy gives up, or a gate refuses.
async fn attempts(lm: &Inner, request: &Request, context: &Context, tally: &mut Tally) -> Result<Answer, Ending> {
    let action = action(lm, request);
    loop {
        let permit = context.ask(&action, &lm.gates).map_err(Ending::Refused)?;
        tally.attempts += 1;
        let started = clock::now();
        let mut progress = Progress::default();
        let first_chunk = OnceLock::new();
        let tell_first_chunk = || {
            let now = *first_chunk.get_or_init(clock::now);
            context.emit(EventData::LlmFirstChunk(LlmFirstChunk { after: now.since(started) }));
        };
        let result = attempt(lm, request, &mut progress, tell_first_chunk).await;
        tally.first_chunk = first_chunk.get().copied();
        let failure = match result {
            Ok(answer) => {
                let usage = answer.facts.usage(lm.wire());
                let cost = lm.cost(answer.facts.model.as_deref(), &usage);
                permit.settle(if usage.is_unknown() { Spent::Unknown } else { Spent::Known { usage, cost } });
                let duration = clock::now().since(started);
                context.emit(EventData::LlmAttempt(LlmAttempt {
                    number: tally.attempts,
                    duration,
                    http_status: matches!(lm.backend, Backend::Http(_)).then_some(200),
                    retry_after: None,
                    failed: None,
                }));
                return Ok(answer);
            }
            Err(failure) => failure.with_progress(progress, lm.wire()),
        };

        let spent = failure.spent(lm.cost(None, &failure.usage));
        permit.settle(spent);
        match spent {
            // Nothing used is no news: added to an answer that does not tell its usage, it would make that zero.
            Spent::Known { usage: Usage::ZERO, .. } => {}
            Spent::Known { usage, cost } => {
                tally.usage += usage;
                tally.cost += cost;
            }
            Spent::Nothing | Spent::Unknown => tally.uncounted = true,
        }
        tell_failed_attempt(context, tally.attempts, started, &failure);
        let Some((reason, pause)) = lm.retry.pause(tally.attempts, &failure) else {
            return Err(Ending::Failed(failure));
        };
        tally.backoff_wait += pause;
        if reason == WaitReason::RetryAfter {
            tally.retry_after_wait += pause;
        }
        context.emit(EventData::LlmWait(LlmWait { reason, duration: pause, next_attempt: tally.attempts + 1 }));
        wait(pause).await;
    }
}

/// Waits, if there is a clock to wait by: outside of a Tokio runtime only a script is asked, which needs no patience.
async fn wait(pause: Duration) {
    if Handle::try_current().is_ok() {
        sleep(pause).await;
    }
}

async fn attempt(
    lm: &Inner,
    request: &Request,
    progress: &mut Progress,
    first_chunk: impl Fn(),
) -> Result<Answer, Failure> {
    match &lm.backend {
        Backend::Script(script) => script.answer(request),
        Backend::Http(_) if Handle::try_current().is_err() => {
            let message = "no Tokio runtime is running here: call models within one, as #[tokio::main] gives";
            Err(Failure::new(ErrorKind::Config, message))
        }
        Backend::Http(transport) => {
            let sent = transport.send(request, &lm.parameters, progress, first_chunk);
            match timeout(lm.timeout, sent).await {
                Ok(result) => result,
                Err(_) => {
                    let message = format!("no answer within {:?}; raise the timeout with `.timeout(..)`", lm.timeout);
                    Err(Failure::new(ErrorKind::Timeout, message))
                }
            }
        }
    }
}

impl Failure {
    /// Adds what had come of the answer when it broke off.
    fn with_progress(mut self, progress: Progress, wire: Wire) -> Self {
        self.may_have_cost |= progress.chunks > 0;
        // Before its end a stream tells only what it has used so far: Anthropic begins with one output token.
        if self.usage.is_unknown() && progress.facts.finish_reason.is_some() {
            self.usage = progress.facts.usage(wire);
        }
        if self.partial.is_none() && !progress.text.is_empty() {
            self.partial = Some(progress.text.into());
        }
        self
    }
}

impl Inner {
    fn wire(&self) -> Wire {
        match &self.backend {
            Backend::Http(transport) => transport.wire,
            Backend::Script(_) => Wire::OpenAi,
        }
    }

    /// Prices tokens by the model that answered, or else by the one that was asked.
    fn cost(&self, response_model: Option<&str>, usage: &Usage) -> Cost {
        let price = |model| self.prices.cost(&self.provider, model, usage, self.service_tier);
        let cost = response_model.map_or(Cost::UNKNOWN, price);
        if cost.is_unknown() { price(&self.model) } else { cost }
    }
}

/// Bounds what an attempt can use, for the gates.
fn action(lm: &Inner, request: &Request) -> Action {
    let input_tokens = request.max_input_tokens();
    let output_tokens = lm.parameters.max_tokens.unwrap_or(super::DEFAULT_MAX_TOKENS);
    let cost = lm.prices.upper_bound(&lm.provider, &lm.model, input_tokens, output_tokens);
    Action::LlmAttempt { model: Arc::clone(&lm.full_name), input_tokens, output_tokens, cost }
}

fn generation(lm: &Inner, request: &Request) -> Generation {
    let base_url = match &lm.backend {
        Backend::Http(transport) => Some(&transport.base_url),
        Backend::Script(_) => None,
    };
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

fn response(lm: &Inner, answer: Answer, tally: &Tally) -> Response {
    let usage = answer.facts.usage(lm.wire());
    let cost = lm.cost(answer.facts.model.as_deref(), &usage);
    let finish = match (&answer.facts.finish_reason, &answer.facts.refusal) {
        (_, Some(_)) => Finish::Filter,
        (Some(reason), None) => Finish::of(reason),
        (None, None) => Finish::Other,
    };
    let mut message = answer.message;
    if let Some(refusal) = answer.facts.refusal.filter(|_| message.to_text().is_empty()) {
        message.parts.push(Part::Text(refusal));
    }
    Response {
        message,
        finish,
        finish_reason: answer.facts.finish_reason,
        usage: usage + tally.usage,
        cost: cost + tally.cost,
        model: answer.facts.model,
        id: answer.facts.id,
    }
}

/// Fills in what a generation knows at its end.
fn record(span: &mut Span, tally: &Tally, more: impl FnOnce(&mut Generation)) {
    let Detail::Generation(generation) = &mut span.detail else { return };
    generation.attempts = tally.attempts;
    generation.usage = tally.usage;
    generation.cost = tally.cost;
    generation.backoff_wait = tally.backoff_wait;
    generation.retry_after_wait = tally.retry_after_wait;
    generation.first_chunk = tally.first_chunk;
    more(generation);
}

fn record_response(generation: &mut Generation, response: &Response) {
    generation.response_model.clone_from(&response.model);
    generation.response_id.clone_from(&response.id);
    generation.finish_reasons = response.finish_reason.iter().cloned().collect();
    generation.output = Some(response.message.clone());
    generation.usage = response.usage;
    generation.cost = response.cost;
}

/// Tells of a failed attempt, as an event and as a span below the generation.
fn tell_failed_attempt(context: &Context, number: u32, started: Timestamp, failure: &Failure) {
    let error_type = failure.error_type();
    let name: Arc<str> = format!("attempt {number} ({error_type})").into();
    let place = context.child(&name);
    let Some(place) = place.span() else { return };
    let end = clock::now();
    let span = Span {
        trace_id: place.trace_id,
        span_id: place.span_id,
        parent_id: place.parent.as_ref().map(|parent| parent.span_id),
        name,
        start: started,
        end: Some(end),
        status: Status::error(error_type, failure.message.as_str()),
        trace: Arc::clone(&place.trace),
        input: None,
        output: failure.partial.clone().map(glassbox_trace::payload::Payload::Text),
        notes: Vec::new(),
        detail: Detail::Attempt(Attempt { number, http_status: failure.status, retry_after: failure.retry_after }),
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

impl Tally {
    /// Returns what a call used that gave no answer: nothing, if every attempt was refused.
    fn usage_of_failure(&self) -> Usage {
        if self.uncounted { self.usage } else { self.usage + Usage::ZERO }
    }

    /// Returns what a call cost that gave no answer: unknown where a broken attempt may have cost something.
    const fn cost_of_failure(&self) -> Cost {
        if self.uncounted { Cost::UNKNOWN } else { self.cost }
    }
}

/// Turns an ending into the error that the caller gets, with the partial output for the span.
fn error(lm: &Inner, ending: Ending, tally: &Tally, span: &OpenSpan) -> (Error, Option<Arc<str>>) {
    let failure = match ending {
        Ending::Refused(refusal) => {
            let error = Error::from(refusal).with(|facts| {
                facts.attempts = tally.attempts;
                facts.usage = tally.usage_of_failure();
                facts.cost = tally.cost_of_failure();
                facts.trace_id = span.context().span().map(|span| span.trace_id);
                facts.model = Some(Arc::clone(&lm.full_name));
            });
            return (error, None);
        }
        Ending::Failed(failure) => failure,
    };
    let after = if tally.attempts > 1 { format!(" (after {} attempts)", tally.attempts) } else { String::new() };
    let rejects_schema = failure.rejects_schema;
    let error = Error::new(failure.kind, format!("{}{after}", failure.message)).with(|facts| {
        facts.model = Some(Arc::clone(&lm.full_name));
        facts.status = failure.status;
        facts.request_id = failure.request_id;
        facts.retry_after = failure.retry_after;
        facts.attempts = tally.attempts;
        facts.usage = tally.usage_of_failure();
        facts.cost = tally.cost_of_failure();
        facts.trace_id = span.context().span().map(|span| span.trace_id);
        facts.partial.clone_from(&failure.partial);
        facts.rejects_schema = rejects_schema;
    });
    (error, failure.partial)
}

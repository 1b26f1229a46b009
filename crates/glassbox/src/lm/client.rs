//! The call of a model: gates, attempts, waits, events, usage and cost. Nothing else turns a call into events.

use crate::error::{Error, ErrorKind};
use crate::lm::attempt::Shot;
use crate::lm::failure::Failure;
use crate::lm::patience::Patience;
use crate::lm::record::{
    Ending, Tally, error, generation, record, record_failure, record_response,
};
use crate::lm::request::{Finish, Request, Response};
use crate::lm::stream::{Deltas, within};
use crate::lm::transport::{Answer, Progress};
use crate::lm::wire::Wire;
use crate::lm::{Backend, Inner, Lm};
use crate::rollout;
use glassbox_events::clock;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, LlmFirstChunk, LlmWait, WaitReason};
use glassbox_events::gate::Action;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::cost::Cost;
use glassbox_trace::message::Part;
use glassbox_trace::span::{Detail, Generation, Parameters, Status};
use glassbox_trace::usage::Usage;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::sleep;

/// A call under way. One that is dropped before its end was cancelled; its span still tells what had come.
struct Ongoing {
    /// There until the call ends.
    span: Option<OpenSpan>,
    tally: Tally,
    wire: Wire,
}

/// Calls a model, trying again where that may help. One `generation` span holds all attempts. Where there are `deltas`,
/// the answer is streamed, and its pieces are handed out there.
pub(crate) async fn generate(
    lm: &Lm,
    request: Request,
    deltas: Option<&Deltas>,
) -> Result<Response, Error> {
    let lm = &*lm.0;
    let request = Request { rollout: request.rollout.or_else(rollout::current), ..request };
    let mut generation = generation(lm, &request);
    generation.parameters.stream |= deltas.is_some();
    let parameters = generation.parameters.clone();
    let detail = Detail::Generation(Box::new(generation));
    let span = OpenSpan::begin_here(Family::Llm, &lm.span_name, detail, None);
    let context = span.context().clone();
    let tally = Tally { cost: Cost::ZERO, ..Tally::default() };
    let mut call = Ongoing { span: Some(span), tally, wire: lm.wire() };

    let ended = attempts(lm, &request, &parameters, &context, &mut call.tally, deltas).await;
    match ended {
        Ok(answer) => {
            let response = response(lm, answer, &call.tally);
            call.end(Status::Ok, |generation, _| record_response(generation, &response));
            Ok(response)
        }
        Err(ending) => {
            let (error, partial) = error(lm, ending, &call.tally, &context);
            let status = Status::error(error.error_type(), error.to_string());
            call.end(status, |generation, tally| record_failure(generation, tally, partial));
            Err(error)
        }
    }
}

impl Ongoing {
    fn end(mut self, status: Status, more: impl FnOnce(&mut Generation, &Tally)) {
        if let Some(mut span) = self.span.take() {
            span.edit(|span| record(span, &self.tally, more));
            span.end(status, None);
        }
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        let Some(span) = &mut self.span else { return };
        if self.tally.in_flight {
            self.tally.uncounted = true;
            self.tally.usage += self.tally.progress.facts.usage_so_far(self.wire);
        }
        let text = std::mem::take(&mut self.tally.progress.text);
        let partial = (!text.is_empty()).then(|| text.into());
        span.edit(|span| {
            record(span, &self.tally, |generation, tally| {
                record_failure(generation, tally, partial)
            });
        });
    }
}

/// Makes attempts until one works, the policy gives up, a gate refuses, or the call is cut off.
async fn attempts(
    lm: &Inner,
    request: &Request,
    parameters: &Parameters,
    context: &Context,
    tally: &mut Tally,
    deltas: Option<&Deltas>,
) -> Result<Answer, Ending> {
    let action = action(lm, request);
    let patience = Patience::new(context, lm.retry.total);
    loop {
        let permit =
            context.ask(&action, &lm.gates).map_err(|refusal| Ending::Refused(refusal, None))?;
        tally.attempts += 1;
        let shot = Shot::new(tally.attempts, permit);
        let started = shot.started;
        tally.progress = Progress::default();
        tally.first_chunk = OnceLock::new();
        let tell_first_chunk = || {
            let now = *tally.first_chunk.get_or_init(clock::now);
            context.emit(EventData::LlmFirstChunk(LlmFirstChunk { after: now.since(started) }));
        };
        tally.in_flight = true;
        let send = Sending { request, parameters, context, deltas };
        let result = patience.bear(attempt(lm, &send, &mut tally.progress, tell_first_chunk)).await;
        tally.in_flight = false;
        let progress = std::mem::take(&mut tally.progress);
        let (failure, cut) = match result {
            Ok(Ok(answer)) => {
                shot.answered(lm, context, &answer);
                return Ok(answer);
            }
            Ok(Err(failure)) => (failure.with_progress(progress, lm.wire()), None),
            Err(cut) => (cut.failure().with_progress(progress, lm.wire()), Some(cut)),
        };
        shot.failed(lm, context, tally, &failure);
        if let Some(cut) = cut {
            return Err(cut.ending(failure.partial));
        }
        let Some((reason, pause)) = lm.retry.pause(tally.attempts, &failure) else {
            return Err(Ending::Failed(failure));
        };
        if !patience.allows(pause) {
            return Err(Ending::Failed(failure));
        }
        tally.backoff_wait += pause;
        if reason == WaitReason::RetryAfter {
            tally.retry_after_wait += pause;
        }
        context.emit(EventData::LlmWait(LlmWait {
            reason,
            duration: pause,
            next_attempt: tally.attempts + 1,
        }));
        if let Some(deltas) = deltas {
            deltas.restart().await;
        }
        patience.bear(wait(pause)).await.map_err(|cut| cut.ending(None))?;
    }
}

/// Waits, if there is a clock to wait by: outside of a Tokio runtime only a script is asked, which needs no patience.
pub(super) async fn wait(pause: Duration) {
    if Handle::try_current().is_ok() {
        sleep(pause).await;
    }
}

/// What an attempt sends, and where pieces of the answer go.
struct Sending<'a> {
    request: &'a Request,
    parameters: &'a Parameters,
    context: &'a Context,
    deltas: Option<&'a Deltas>,
}

async fn attempt(
    lm: &Inner,
    send: &Sending<'_>,
    progress: &mut Progress,
    first_chunk: impl Fn(),
) -> Result<Answer, Failure> {
    if let Some(deltas) = send.deltas {
        deltas.restart().await;
    }
    match &lm.backend {
        Backend::Script(script) => {
            let answer = script.answer(send.request)?;
            if let Some(deltas) = send.deltas {
                first_chunk();
                deltas.replay(&answer.message).await;
            }
            Ok(answer)
        }
        Backend::Http(_) if Handle::try_current().is_err() => {
            let message =
                "no Tokio runtime is running here: call models within one, as #[tokio::main] gives";
            Err(Failure::new(ErrorKind::Config, message))
        }
        Backend::Http(transport) => {
            let mut headers = Vec::new();
            if lm.propagates {
                send.context.inject(|name, value| headers.push((name, value)));
            }
            let (request, parameters, deltas) = (send.request, send.parameters, send.deltas);
            let sent = transport.send(request, parameters, headers, progress, first_chunk, deltas);
            match within(lm.timeout, deltas, sent).await {
                Some(result) => result,
                None => {
                    let message = format!(
                        "no answer within {:?}; raise the timeout with `.timeout(..)`",
                        lm.timeout
                    );
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
    pub(super) fn wire(&self) -> Wire {
        match &self.backend {
            Backend::Http(transport) => transport.wire,
            Backend::Script(_) => Wire::OpenAi,
        }
    }

    /// Prices tokens by the model that answered, or else by the one that was asked.
    pub(super) fn cost(&self, response_model: Option<&str>, usage: &Usage) -> Cost {
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

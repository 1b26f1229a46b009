//! The call of a model: gates, attempts, waits, events, usage and cost. Nothing else turns a call into events.

use crate::error::Error;
use crate::lm::attempt::{Call, Shot};
use crate::lm::cache::{Cache, Found, key as cache_key};
use crate::lm::hedge::{Raced, lost, race};
use crate::lm::patience::Patience;
use crate::lm::record::{
    Ending, Sums, Tally, error, generation, record, record_failure, record_response,
};
use crate::lm::request::{Finish, Request, Response};
use crate::lm::stream::Deltas;
use crate::lm::transport::{Answer, Progress};
use crate::lm::wire::Wire;
use crate::lm::{Backend, Inner};
use crate::rollout;
use glassbox_events::clock;
use glassbox_events::event::{EventData, LlmFirstChunk, LlmWait, WaitReason};
use glassbox_events::gate::Action;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::cost::Cost;
use glassbox_trace::message::Part;
use glassbox_trace::span::{Detail, Generation, Status};
use glassbox_trace::usage::Usage;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
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
    lm: &Inner,
    request: Request,
    deltas: Option<&Deltas>,
) -> Result<Response, Error> {
    let request = Request { rollout: request.rollout.or_else(rollout::current), ..request };
    let mut generation = generation(lm, &request);
    generation.parameters.stream |= deltas.is_some();
    let parameters = generation.parameters.clone();
    let detail = Detail::Generation(Box::new(generation));
    let span = OpenSpan::begin_here(Family::Llm, &lm.span_name, detail, None);
    let context = span.context().clone();
    let sums = Sums { cost: Cost::ZERO, ..Sums::default() };
    let tally = Tally { sums, ..Tally::default() };
    let mut call = Ongoing { span: Some(span), tally, wire: lm.wire() };

    let action = action(lm, &request);
    let (request, parameters, context) = (&request, &parameters, &context);
    let asked = Call { lm, request, parameters, context, deltas, action };
    let patience = Patience::new(context, lm.retry.total);
    let answered = match &lm.cache {
        Some(cache) => Box::pin(cached(cache, &asked, &mut call.tally, &patience)).await,
        None => attempts(&asked, &mut call.tally, &patience).await,
    };
    match answered {
        Ok(response) => {
            call.end(Status::Ok, |generation, _| record_response(generation, &response));
            Ok(response)
        }
        Err(ending) => {
            let (error, partial) = error(lm, ending, &call.tally, context);
            let status = Status::error(error.error_type(), error.to_string());
            call.end(status, |generation, tally| record_failure(generation, tally, partial));
            Err(error)
        }
    }
}

/// Takes the answer from the cache, or makes the call and keeps its answer there.
async fn cached(
    cache: &Cache,
    call: &Call<'_>,
    tally: &mut Tally,
    patience: &Patience<'_>,
) -> Result<Response, Ending> {
    let key = cache_key(call.lm, call.parameters, call.request);
    let lead = match patience.bear(cache.find(key)).await.map_err(|cut| cut.ending(None))? {
        Found::Hit(response) => {
            if let Some(deltas) = call.deltas {
                let told = deltas.replay(&response.message);
                patience.bear(told).await.map_err(|cut| cut.ending(None))?;
            }
            return Ok(*response);
        }
        Found::Miss(lead) => lead,
    };
    let response = attempts(call, tally, patience).await?;
    lead.keep(&response).await;
    Ok(response)
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
            self.tally.sums.uncounted = true;
            self.tally.sums.usage += self.tally.progress.facts.usage_so_far(self.wire);
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
    call: &Call<'_>,
    tally: &mut Tally,
    patience: &Patience<'_>,
) -> Result<Response, Ending> {
    let (lm, context) = (call.lm, call.context);
    loop {
        let shot = Shot::begin(call, tally, patience).await?;
        let started = shot.started;
        tally.progress = Progress::default();
        tally.first_chunk = OnceLock::new();
        let first_chunk = || {
            let mut is_first = false;
            let now = *tally.first_chunk.get_or_init(|| {
                is_first = true;
                clock::now()
            });
            if is_first {
                context.emit(EventData::LlmFirstChunk(LlmFirstChunk { after: now.since(started) }));
            }
        };
        tally.in_flight = true;
        let first = call.send(&mut tally.progress, &first_chunk);
        let raced = patience.bear(race(call, &mut tally.sums, first, &first_chunk)).await;
        tally.in_flight = false;
        let progress = std::mem::take(&mut tally.progress);
        let (failure, second, cut) = match raced {
            Ok(Raced { first: Some(Ok(answer)), .. }) => {
                shot.answered(call, &answer);
                return Ok(response(lm, answer, tally));
            }
            Ok(Raced { first: Some(Err(failure)), second }) => (failure, second, None),
            Ok(Raced { first: None, second }) => (lost(), second, None),
            Err(cut) => (cut.failure(), None, Some(cut)),
        };
        let so_far = progress.facts.usage_so_far(lm.wire());
        let failure = failure.with_progress(progress, lm.wire());
        if cut.is_some() && failure.usage.is_unknown() {
            tally.sums.usage += so_far;
        }
        shot.failed(call, &mut tally.sums, &failure);
        match (second, cut) {
            (Some(answer), _) => return Ok(response(lm, answer, tally)),
            (None, Some(cut)) => return Err(cut.ending(failure.partial)),
            (None, None) => {}
        }
        let pause = lm.retry.pause(tally.sums.attempts, &failure);
        let Some((reason, pause)) = pause.filter(|(_, pause)| patience.allows(*pause)) else {
            return Err(Ending::Failed(failure));
        };
        if call.check_circuit().is_err() {
            return Err(Ending::Failed(failure));
        }
        if let Some(deltas) = call.deltas {
            deltas.restart().await;
        }
        rest(call, tally, patience, reason, pause).await?;
    }
}

/// Pauses before the next attempt, and tells so.
async fn rest(
    call: &Call<'_>,
    tally: &mut Tally,
    patience: &Patience<'_>,
    reason: WaitReason,
    pause: Duration,
) -> Result<(), Ending> {
    tally.backoff_wait += pause;
    if reason == WaitReason::RetryAfter {
        tally.retry_after_wait += pause;
    }
    let next_attempt = tally.sums.attempts + 1;
    call.context.emit(EventData::LlmWait(LlmWait { reason, duration: pause, next_attempt }));
    let began = Instant::now();
    patience.bear(wait(pause)).await.map_err(|cut| {
        let unused = pause.saturating_sub(began.elapsed());
        tally.backoff_wait -= unused;
        if reason == WaitReason::RetryAfter {
            tally.retry_after_wait -= unused;
        }
        cut.ending(None)
    })
}

/// Waits, if there is a clock to wait by: outside of a Tokio runtime only a script is asked, which needs no patience.
pub(super) async fn wait(pause: Duration) {
    if Handle::try_current().is_ok() {
        sleep(pause).await;
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
        usage: usage + tally.sums.usage,
        cost: cost + tally.sums.cost,
        model: answer.facts.model,
        id: answer.facts.id,
        cache_hit: false,
    }
}

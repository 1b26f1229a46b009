//! One attempt to call a model: who lets it begin, how it goes out, and who is told what came of it.

use crate::error::ErrorKind;
use crate::lm::breaker::Fuse;
use crate::lm::failure::Failure;
use crate::lm::limit::Pass;
use crate::lm::patience::Patience;
use crate::lm::record::{Ending, Sums, Tally, tell_failed_attempt};
use crate::lm::request::Request;
use crate::lm::stream::{Deltas, within};
use crate::lm::transport::{Answer, Progress};
use crate::lm::wire::Wire;
use crate::lm::{Backend, Inner};
use glassbox_events::clock;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, LlmAttempt, LlmWait, WaitReason};
use glassbox_events::gate::{Action, Permit, Spent};
use glassbox_events::refusal::Refusal;
use glassbox_trace::span::Parameters;
use glassbox_trace::time::Timestamp;
use glassbox_trace::usage::Usage;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// What all attempts of a call share.
pub(super) struct Call<'a> {
    pub(super) lm: &'a Inner,
    pub(super) request: &'a Request,
    pub(super) parameters: &'a Parameters,
    pub(super) context: &'a Context,
    /// Where pieces of the answer go.
    pub(super) deltas: Option<&'a Deltas>,
    /// What an attempt can use at most, for the gates.
    pub(super) action: Action,
}

/// An attempt that has begun. One that is dropped was cancelled: what was reserved for it counts as spent, and its place
/// is free for another.
pub(super) struct Shot {
    pub(super) started: Timestamp,
    pub(super) number: u32,
    permit: Permit,
    /// None where nothing limits: outside of a Tokio runtime nothing is sent.
    pass: Option<Pass>,
    fuse: Option<Fuse>,
}

impl Shot {
    /// Begins an attempt, once limiter, circuit breaker and gates let it.
    pub(super) async fn begin(
        call: &Call<'_>,
        tally: &mut Tally,
        patience: &Patience<'_>,
    ) -> Result<Self, Ending> {
        call.check_circuit()?;
        let pass = match call.is_limited() {
            true => Some(call.admit(tally, patience).await?),
            false => None,
        };
        Self::admitted(call, &mut tally.sums, pass)
    }

    /// Begins an attempt beside another one, if it may begin at once.
    pub(super) fn begin_at_once(call: &Call<'_>, sums: &mut Sums) -> Option<Self> {
        let pass = match call.is_limited() {
            true => Some(call.lm.limiter.try_admit(call.tokens())?),
            false => None,
        };
        Self::admitted(call, sums, pass).ok()
    }

    fn admitted(call: &Call<'_>, sums: &mut Sums, pass: Option<Pass>) -> Result<Self, Ending> {
        let may = || {
            let fuse = call.fuse()?;
            Ok((fuse, call.ask()?))
        };
        match may() {
            Ok((fuse, permit)) => {
                sums.attempts += 1;
                Ok(Self { started: clock::now(), number: sums.attempts, permit, pass, fuse })
            }
            Err(ending) => {
                if let Some(pass) = pass {
                    pass.unused();
                }
                Err(ending)
            }
        }
    }

    /// Ends it with an answer.
    pub(super) fn answered(self, call: &Call<'_>, answer: &Answer) {
        let lm = call.lm;
        let usage = answer.facts.usage(lm.wire());
        let cost = lm.cost(answer.facts.model.as_deref(), &usage);
        if let Some(fuse) = self.fuse {
            fuse.held();
        }
        if let Some(pass) = self.pass {
            pass.answered(&usage);
        }
        self.permit.settle(match usage.is_unknown() {
            true => Spent::Unknown,
            false => Spent::Known { usage, cost },
        });
        let duration = clock::now().since(self.started);
        lm.pace.learn(duration);
        call.context.emit(EventData::LlmAttempt(LlmAttempt {
            number: self.number,
            duration,
            http_status: matches!(lm.backend, Backend::Http(_)).then_some(200),
            retry_after: None,
            failed: None,
        }));
    }

    /// Ends it without one. What it used all the same is added to the sums.
    pub(super) fn failed(self, call: &Call<'_>, sums: &mut Sums, failure: &Failure) {
        if let Some(fuse) = self.fuse.filter(|_| failure.is_the_providers_fault()) {
            fuse.blown(Instant::now());
        }
        if let Some(pass) = self.pass {
            pass.failed(failure, call.lm.retry.max_retry_after);
        }
        let spent = failure.spent(call.lm.cost(None, &failure.usage));
        self.permit.settle(spent);
        match spent {
            // Nothing used is no news: added to an answer that does not tell its usage, it would make that zero.
            Spent::Known { usage: Usage::ZERO, .. } => {}
            Spent::Known { usage, cost } => {
                sums.usage += usage;
                sums.cost += cost;
            }
            Spent::Nothing | Spent::Unknown => sums.uncounted = true,
        }
        tell_failed_attempt(call.context, self.number, self.started, failure);
    }
}

impl Call<'_> {
    fn is_limited(&self) -> bool {
        matches!(self.lm.backend, Backend::Script(_)) || Handle::try_current().is_ok()
    }

    /// Returns how many tokens an attempt is likely to use.
    fn tokens(&self) -> u64 {
        match &self.action {
            Action::LlmAttempt { input_tokens, output_tokens, .. } => {
                self.lm.limiter.estimate(*input_tokens, *output_tokens)
            }
            _ => 0,
        }
    }

    /// Waits for the limiter. The wait is told when it is over, since nobody knows before how long it will be.
    async fn admit(&self, tally: &mut Tally, patience: &Patience<'_>) -> Result<Pass, Ending> {
        let (limiter, tokens) = (&self.lm.limiter, self.tokens());
        if let Some(pass) = limiter.try_admit(tokens) {
            return Ok(pass);
        }
        // Who has no budget left need not wait to hear it. Nothing stays reserved meanwhile: those in the queue would take
        // from those in flight.
        self.ask()?.settle(Spent::Nothing);
        let began = Instant::now();
        tally.queued_since = Some(began);
        let admitted = patience.bear(limiter.admit(tokens)).await;
        tally.queued_since = None;
        let duration = began.elapsed();
        tally.limiter_wait += duration;
        let next_attempt = tally.sums.attempts + 1;
        let reason = WaitReason::Limiter;
        self.context.emit(EventData::LlmWait(LlmWait { reason, duration, next_attempt }));
        admitted.map_err(|cut| cut.ending(None))
    }

    fn ask(&self) -> Result<Permit, Ending> {
        let refused = |refusal: Refusal| Ending::Refused(refusal, None);
        self.context.ask(&self.action, &self.lm.gates).map_err(refused)
    }

    fn fuse(&self) -> Result<Option<Fuse>, Ending> {
        let Some(breaker) = &self.lm.breaker else { return Ok(None) };
        let asked = self.lm.account.circuit.ask(breaker, Instant::now());
        asked.map(Some).map_err(|left| Ending::Failed(circuit_open(left)))
    }

    /// Fails if the provider is left alone for now.
    pub(super) fn check_circuit(&self) -> Result<(), Ending> {
        let Some(breaker) = &self.lm.breaker else { return Ok(()) };
        match self.lm.account.circuit.is_open(breaker, Instant::now()) {
            Some(left) => Err(Ending::Failed(circuit_open(left))),
            None => Ok(()),
        }
    }

    /// Sends the request and waits for the answer.
    pub(super) async fn send(
        &self,
        progress: &mut Progress,
        first_chunk: impl Fn(),
    ) -> Result<Answer, Failure> {
        if let Some(deltas) = self.deltas {
            deltas.restart().await;
        }
        let (request, parameters, deltas) = (self.request, self.parameters, self.deltas);
        match &self.lm.backend {
            Backend::Script(script) => {
                let answer = script.answer(request)?;
                if let Some(deltas) = deltas {
                    first_chunk();
                    deltas.replay(&answer.message).await;
                }
                Ok(answer)
            }
            Backend::Http(_) if Handle::try_current().is_err() => {
                let message = "no Tokio runtime is running here: call models within one, as #[tokio::main] gives";
                Err(Failure::new(ErrorKind::Config, message))
            }
            Backend::Http(transport) => {
                let mut headers = Vec::new();
                if self.lm.propagates {
                    self.context.inject(|name, value| headers.push((name, value)));
                }
                let sent =
                    transport.send(request, parameters, headers, progress, first_chunk, deltas);
                // It is large, and would be several times in the future of a call: one for each way to race it.
                let sent = Box::pin(sent);
                match within(self.lm.timeout, deltas, sent).await {
                    Some(result) => result,
                    None => {
                        let message = format!(
                            "no answer within {:?}; raise the timeout with `.timeout(..)`",
                            self.lm.timeout
                        );
                        Err(Failure::new(ErrorKind::Timeout, message))
                    }
                }
            }
        }
    }
}

fn circuit_open(left: Duration) -> Failure {
    let message = format!(
        "the provider failed too often, so it is not asked for another {left:.1?}; wait, or name another model with \
         `Lm::any(..)`"
    );
    let failure = Failure::new(ErrorKind::CircuitOpen, message);
    Failure { retry_after: Some(left), ..failure }
}

impl Failure {
    /// Tells whether the failure says something about the provider's health.
    fn is_the_providers_fault(&self) -> bool {
        use ErrorKind::{Malformed, Network, Server, Timeout};
        self.retryable && matches!(self.kind, Malformed | Network | Server | Timeout)
    }

    /// Adds what had come of the answer when it broke off.
    pub(super) fn with_progress(mut self, progress: Progress, wire: Wire) -> Self {
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

//! Several models for one answer: if one does not give it, the next is asked.

use crate::error::{Error, ErrorKind};
use crate::lm::request::{Request, Response};
use crate::lm::stream::Deltas;
use crate::lm::{Inner, Lm, client};
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, LlmFallback};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::cost::Cost;
use glassbox_trace::span::{Detail, Status};
use glassbox_trace::usage::Usage;
use std::sync::Arc;

impl Lm {
    /// Makes a model of several: the first is asked, and if it does not answer, the next.
    ///
    /// The next is asked after errors that it may not have: a refused key, an unknown model, a rate limit, a server that
    /// fails or is left alone by its [`CircuitBreaker`](crate::CircuitBreaker), a timeout, a broken connection, a prompt that is too long; each
    /// model makes its own attempts before. It is not asked after a refusal of the request or its content, nor of a gate.
    ///
    /// Each model that is asked is one generation in the trace, below the span of the caller, which has a note
    /// `llm.fallback` for each change. Usage and cost of the answer are those of all of them together. If no model
    /// answers, the error is the last one's.
    ///
    /// ```
    /// use glassbox::Lm;
    /// let lm = Lm::any([
    ///     Lm::builder("openai/gpt-4o-mini").api_key("sk-..").build()?,
    ///     Lm::builder("anthropic/claude-haiku-4-5").api_key("sk-ant-..").build()?,
    /// ])?;
    /// assert_eq!(lm.name(), "openai/gpt-4o-mini");
    /// # Ok::<(), glassbox::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// There is no model.
    pub fn any(models: impl IntoIterator<Item = Self>) -> Result<Self, Error> {
        let all = models.into_iter().flat_map(|Self(first, rest)| {
            std::iter::once(first).chain(rest.iter().cloned().collect::<Vec<_>>())
        });
        let mut all = all.collect::<Vec<_>>().into_iter();
        match all.next() {
            Some(first) => Ok(Self(first, all.collect())),
            None => Err(Error::new(
                ErrorKind::Config,
                "`Lm::any` has no model to ask: give it at least one",
            )),
        }
    }
}

/// Asks one model after another until one answers, or fails with something that the next would fail with as well.
pub(super) async fn generate(
    lm: &Lm,
    request: Request,
    deltas: Option<&Deltas>,
) -> Result<Response, Error> {
    if lm.1.is_empty() {
        return client::generate(&lm.0, request, deltas).await;
    }
    // Boxed, so that the future of a model alone does not grow by that of several.
    if Context::current().span().is_some() {
        return Box::pin(one_after_another(lm, request, deltas)).await;
    }
    // The models' spans are siblings below the span of the caller. Where there is none, they get one, so that they are in
    // one trace.
    let span = OpenSpan::begin_here(Family::Module, &"Lm::any".into(), Detail::Span, None);
    let context = span.context().clone();
    let answered = context.scope(Box::pin(one_after_another(lm, request, deltas))).await;
    let status = match &answered {
        Ok(_) => Status::Ok,
        Err(error) => Status::error(error.error_type(), error.to_string()),
    };
    span.end(status, None);
    answered
}

async fn one_after_another(
    lm: &Lm,
    request: Request,
    deltas: Option<&Deltas>,
) -> Result<Response, Error> {
    let (mut usage, mut cost, mut attempts) = (Usage::UNKNOWN, Cost::ZERO, 0);
    let mut model = &lm.0;
    let mut rest = lm.1.iter();
    loop {
        let error = match client::generate(model, request.clone(), deltas).await {
            Ok(response) => {
                let (usage, cost) = (response.usage + usage, response.cost + cost);
                return Ok(Response { usage, cost, ..response });
            }
            Err(error) => error,
        };
        usage += error.usage();
        cost += error.cost();
        attempts += error.attempts();
        match rest.next().filter(|_| another_may_help(&error)) {
            Some(next) => {
                tell_fallback(model, next, &error);
                model = next;
                if let Some(deltas) = deltas {
                    deltas.restart().await;
                }
            }
            None => {
                return Err(error.with(|facts| {
                    (facts.usage, facts.cost, facts.attempts) = (usage, cost, attempts);
                }));
            }
        }
    }
}

/// Tells whether another model may give an answer where one failed like this: its provider may be up, have room, know our
/// key, and take a longer prompt. What is wrong with the request itself, a refusal of its content, a budget and a stop would
/// be the same there.
fn another_may_help(error: &Error) -> bool {
    use ErrorKind::{
        Auth, CircuitOpen, ContextLength, Malformed, Network, NotFound, RateLimited, Server,
        Timeout,
    };
    let kind = error.kind();
    let of_the_provider = matches!(kind, Auth | NotFound | RateLimited | Server | CircuitOpen);
    let of_the_way = matches!(kind, Timeout | Network | Malformed);
    of_the_provider || of_the_way || kind == ContextLength
}

fn tell_fallback(from: &Inner, to: &Inner, error: &Error) {
    let reason: Arc<str> = error.to_string().into();
    let message = format!("{} is asked instead: {reason}", to.full_name);
    let (from, to) = (Arc::clone(&from.full_name), Arc::clone(&to.full_name));
    Context::current().note(EventData::LlmFallback(LlmFallback { from, to, reason }), message);
}

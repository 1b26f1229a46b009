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

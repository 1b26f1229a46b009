//! A model's answer as it comes: text, reasoning and tool calls, piece by piece, and the whole of it at the end.

use crate::error::Error;
use crate::lm::request::Response;
use crate::outlet::{Flow, Outlet, Step};
use futures::Stream;
use glassbox_trace::message::{Message, Part};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A piece of a model's answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Delta {
    /// More of the text.
    Text(String),
    /// More of the model's own thinking, where the provider tells it.
    Reasoning(String),
    /// More of a tool call.
    ToolCall(ToolCallDelta),
    /// The attempt broke off and another one is made: what has come so far is void.
    Restarted,
    /// The whole answer, with usage and cost; the last that comes.
    Done(Box<Response>),
}

/// More of a tool call. Several calls may come interleaved; their ids tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCallDelta {
    /// The provider's id of the call.
    pub id: Arc<str>,
    /// The tool's name.
    pub name: Arc<str>,
    /// The next piece of the arguments: pieces of one call, joined, are a JSON object.
    pub arguments: String,
}

/// A model's answer as it comes, from [`Lm::stream`](crate::Lm::stream): a stream of [`Delta`]s that ends with
/// [`Delta::Done`] or with an error.
///
/// The call runs only while the stream is polled: a slow reader slows the reading down. Dropping it cancels the call,
/// and the call's span ends as cancelled with what had come.
#[must_use = "a stream does nothing unless it is polled"]
pub struct LmStream(Flow<Delta, Result<Response, Error>>);

impl LmStream {
    pub(super) fn new<F>(begin: impl FnOnce(Deltas) -> F) -> Self
    where
        F: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        Self(Flow::new(|outlet| begin(Deltas { outlet, begun: AtomicBool::new(false) })))
    }

    /// Waits for the next piece; `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<Delta, Error>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }
}

impl Stream for LmStream {
    type Item = Result<Delta, Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Delta, Error>>> {
        self.0.poll_step(task).map(|step| match step? {
            Step::Item(delta) => Some(Ok(delta)),
            Step::End(result) => Some(result.map(|response| Delta::Done(Box::new(response)))),
        })
    }
}

impl fmt::Debug for LmStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LmStream").field(&self.0).finish()
    }
}

/// Where a call hands out the pieces of its answer.
pub(crate) struct Deltas {
    outlet: Outlet<Delta>,
    /// Whether the consumer has pieces that a restart would make void.
    begun: AtomicBool,
}

impl Deltas {
    /// Hands out a piece, and waits for a consumer that is slower than the model.
    pub(crate) async fn tell(&self, delta: Delta) {
        self.begun.store(true, Ordering::Relaxed);
        self.outlet.send(delta).await;
    }

    /// Tells that what has come is void, if anything has.
    pub(crate) async fn restart(&self) {
        if self.begun.swap(false, Ordering::Relaxed) {
            self.outlet.send(Delta::Restarted).await;
        }
    }

    /// Hands out an answer that is there already, in pieces of a word, as a stream would bring it.
    pub(super) async fn replay(&self, message: &Message) {
        for part in &message.parts {
            match part {
                Part::Text(text) => {
                    for word in text.split_inclusive(' ') {
                        self.tell(Delta::Text(word.to_owned())).await;
                    }
                }
                Part::Reasoning(text) => self.tell(Delta::Reasoning(text.as_ref().into())).await,
                Part::ToolCall(call) => {
                    let (id, name) = (Arc::clone(&call.id), Arc::clone(&call.name));
                    let arguments = call.arguments.to_string();
                    self.tell(Delta::ToolCall(ToolCallDelta { id, name, arguments })).await;
                }
                Part::ToolResult(_) => {}
            }
        }
    }
}

/// Waits for a future as long as `limit`; `None` if that was too short. The time in which a consumer was busy with what
/// it had got does not count: the provider is not to blame for it.
pub(super) async fn within<F: Future>(
    limit: Duration,
    deltas: Option<&Deltas>,
    future: F,
) -> Option<F::Output> {
    let held = || deltas.map_or(Duration::ZERO, |deltas| deltas.outlet.held());
    let (started, held_before) = (Instant::now(), held());
    let mut future = std::pin::pin!(future);
    let mut left = limit;
    loop {
        if let Ok(output) = timeout(left, &mut future).await {
            return Some(output);
        }
        let spent = started.elapsed().saturating_sub(held() - held_before);
        left = limit.checked_sub(spent).filter(|left| !left.is_zero())?;
    }
}

/// Tells what is new in a tool call. Where arguments come in pieces, the transport repeats all that it has got.
#[derive(Default)]
pub(super) struct ToolCallsSoFar(Vec<(Arc<str>, usize)>);

impl ToolCallsSoFar {
    /// Returns the piece of a call's arguments that has not been told yet.
    pub(super) fn news(&mut self, id: &str, name: &str, arguments: &serde_json::Value) -> Delta {
        let at = self.0.iter().position(|(known, _)| **known == *id).unwrap_or_else(|| {
            self.0.push((id.into(), 0));
            self.0.len() - 1
        });
        let (id, told) = &mut self.0[at];
        let piece = match arguments.as_str() {
            Some(so_far) => so_far.get(*told..).unwrap_or_default().to_owned(),
            None => arguments.to_string(),
        };
        *told += piece.len();
        Delta::ToolCall(ToolCallDelta { id: Arc::clone(id), name: name.into(), arguments: piece })
    }
}

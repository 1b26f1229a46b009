//! Modules that hand out their answer while it is being written.

use crate::error::Error;
use crate::module::{self, Module};
use crate::outlet::{Flow, Step};
use crate::stream::{Chunk, Chunks};
use futures::Stream;
use glassbox_events::context::Context;
use glassbox_events::open_span::OpenSpan;
use glassbox_trace::payload::Payload;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};

/// A module that can hand out its answer while it is being written. [`Predict`](crate::Predict) and
/// [`ChainOfThought`](crate::ChainOfThought) can; one of your own can by passing the chunks on.
///
/// ```
/// use glassbox::{ChainOfThought, Chunk, Chunks, Error, Lm, Module, Prediction, Signature, Streaming};
/// use std::sync::Arc;
///
/// /// Answer the question of a guest.
/// #[derive(Signature)]
/// struct Concierge { #[input] question: String, #[output] answer: String }
///
/// #[derive(Clone)]
/// struct FrontDesk { concierge: ChainOfThought<Concierge> }
///
/// impl Module for FrontDesk {
///     type Input = ConciergeInput;
///     type Output = Prediction<ConciergeOutput>;
///     async fn forward(&self, input: Arc<ConciergeInput>) -> Result<Self::Output, Error> {
///         self.concierge.call(input).await
///     }
/// }
///
/// impl Streaming for FrontDesk {
///     async fn forward_stream(&self, input: Arc<ConciergeInput>, chunks: &Chunks) -> Result<Self::Output, Error> {
///         self.concierge.call_into(input, chunks).await
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let lm = Lm::scripted([serde_json::json!({ "reasoning": "Hotels do.", "answer": "At seven." })]);
/// let desk = FrontDesk { concierge: ChainOfThought::new(&lm) };
/// let mut stream = desk.call_stream(ConciergeInput { question: "When is breakfast?".into() });
/// while let Some(chunk) = stream.next().await {
///     match chunk? {
///         Chunk::Field { name, change } => println!("{name}: {change:?}"),
///         Chunk::Restarted => println!("forget that"),
///         Chunk::Done(reply) => assert_eq!(reply.answer, "At seven."),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub trait Streaming: Module {
    /// Does the work as [`forward`](Module::forward) does, and hands out what comes of it on the way.
    fn forward_stream(
        &self,
        input: Arc<Self::Input>,
        chunks: &Chunks,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;

    /// Calls the module as [`call`](Module::call) does, with what comes of it going to the chunks of the module around.
    ///
    /// # Errors
    ///
    /// What [`forward_stream`](Self::forward_stream) returns.
    fn call_into(
        &self,
        input: impl Into<Arc<Self::Input>> + Send,
        chunks: &Chunks,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send {
        let input = input.into();
        async move {
            let call = Call { span: Some(module::begin(self, &input)), partial: chunks.partial() };
            let context = call.span.as_ref().map(|span| span.context().clone());
            let result = match context {
                Some(context) => context.scope(self.forward_stream(input, chunks)).await,
                None => self.forward_stream(input, chunks).await,
            };
            call.end(&result);
            result
        }
    }

    /// Calls the module, and gives its answer as it comes. The stream ends with [`Chunk::Done`], or with an error.
    fn call_stream(&self, input: impl Into<Arc<Self::Input>>) -> ChunkStream<Self::Output>
    where
        Self: Clone + 'static,
    {
        let (module, input) = (self.clone(), input.into());
        ChunkStream(Flow::new(|outlet| {
            let chunks = Chunks::new(outlet);
            Context::current().scope(async move { module.call_into(input, &chunks).await })
        }))
    }
}

/// A call under way. One that is dropped before its end was cancelled; its span tells what the model had written.
struct Call {
    /// There until the call ends.
    span: Option<OpenSpan>,
    partial: Arc<Mutex<String>>,
}

impl Call {
    fn end<O: module::Record>(mut self, result: &Result<O, Error>) {
        if let Some(span) = self.span.take() {
            module::end(span, result);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(span) = &mut self.span else { return };
        let partial =
            std::mem::take(&mut *self.partial.lock().unwrap_or_else(PoisonError::into_inner));
        if !partial.is_empty() {
            span.edit(|span| span.output = Some(Payload::Text(partial.into())));
        }
    }
}

/// An answer as it comes, from [`Streaming::call_stream`].
///
/// The call runs only while the stream is polled, in the context in which the stream was made: a slow reader slows the
/// reading down, and nothing piles up. Dropping the stream cancels the call; its spans end as cancelled, with what had
/// come.
#[must_use = "a stream does nothing unless it is polled"]
pub struct ChunkStream<T>(Flow<Chunk<Infallible>, Result<T, Error>>);

impl<T> ChunkStream<T> {
    /// Waits for the next piece; `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<Chunk<T>, Error>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }

    /// Waits for the output, and lets the pieces go.
    ///
    /// # Errors
    ///
    /// What the call returns. A stream that has ended before has no output any more.
    pub async fn output(mut self) -> Result<T, Error> {
        while let Some(chunk) = self.next().await {
            if let Chunk::Done(output) = chunk? {
                return Ok(output);
            }
        }
        Err(Error::other("the stream has ended before: take its output from `Chunk::Done`"))
    }
}

impl<T> Stream for ChunkStream<T> {
    type Item = Result<Chunk<T>, Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Chunk<T>, Error>>> {
        self.0.poll_step(task).map(|step| match step? {
            Step::Item(chunk) => Some(Ok(chunk.of())),
            Step::End(result) => Some(result.map(Chunk::Done)),
        })
    }
}

impl<T> fmt::Debug for ChunkStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChunkStream").field(&self.0).finish()
    }
}

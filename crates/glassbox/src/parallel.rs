//! Parallel: runs a module over many inputs at the same time.

use crate::error::Error;
use crate::field::Field;
use crate::module::{Module, Record};
use futures::stream::{self, StreamExt};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{Chain, Detail, Status};
use glassbox_trace::vocabulary::glassbox as keys;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many calls run at the same time where nothing else is set.
const DEFAULT_LIMIT: usize = 8;

/// Runs a module over many inputs, a limited number of them at the same time: one span over all calls, with how many
/// worked and how many failed. Outputs come in the order of the inputs.
///
/// ```
/// # use glassbox::{Lm, Parallel, Predict, Signature};
/// /// Answer in one word.
/// #[derive(Signature)]
/// struct Trivia { #[input] question: String, #[output] answer: String }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let lm = Lm::scripted([serde_json::json!({ "answer": "Paris" }), serde_json::json!({ "answer": "Rome" })]);
/// let trivia = Parallel::new(Predict::<Trivia>::new(&lm)).limit(1);
/// let questions = ["The capital of France?", "The capital of Italy?"];
/// let replies = trivia.call(questions.map(|question| TriviaInput { question: question.into() })).await;
/// for (question, reply) in questions.iter().zip(replies) {
///     match reply {
///         Ok(reply) => println!("{question} {}", reply.answer),
///         Err(error) => println!("{question} {error}"),
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Parallel<M> {
    module: M,
    limit: usize,
    span_name: Arc<str>,
}

impl<M: Module> Parallel<M> {
    /// Makes it of the module to run.
    #[must_use]
    pub fn new(module: M) -> Self {
        let span_name = format!("Parallel({})", module.span_name()).into();
        Self { module, limit: DEFAULT_LIMIT, span_name }
    }

    /// Sets how many calls run at the same time: at least one, by default eight.
    #[must_use]
    pub fn limit(self, calls: usize) -> Self {
        Self { limit: calls.max(1), ..self }
    }

    /// Calls the module with each input and returns what came of each, in their order. A call that fails does not
    /// disturb the others.
    pub async fn call<I: Into<Arc<M::Input>>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
    ) -> Vec<Result<M::Output, Error>> {
        let (results, _) = self.run(inputs.into_iter().map(Into::into).collect(), false).await;
        // Every input has its result, since nothing ended the batch early.
        results.into_iter().flatten().collect()
    }

    /// Calls the module with each input and returns the outputs in their order, or else the first error: calls that are
    /// under way then are cancelled, and the others are not begun.
    ///
    /// # Errors
    ///
    /// The first error of a call.
    pub async fn try_call<I: Into<Arc<M::Input>>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
    ) -> Result<Vec<M::Output>, Error> {
        let (results, failed) = self.run(inputs.into_iter().map(Into::into).collect(), true).await;
        match failed {
            Some(error) => Err(error),
            None => results.into_iter().flatten().collect(),
        }
    }

    /// Returns what came of each input, and the error that ended the batch before its time, if one may.
    async fn run(
        &self,
        inputs: Vec<Arc<M::Input>>,
        stops_early: bool,
    ) -> (Vec<Option<Result<M::Output, Error>>>, Option<Error>) {
        let mut batch = Batch::begin(self, &inputs);
        let context = batch.context();
        let mut results: Vec<_> = inputs.iter().map(|_| None).collect();
        // Collected here, so that no closure is held across an await: it would keep the future from being `Send`.
        let calls: Vec<_> = inputs
            .into_iter()
            .enumerate()
            .map(|(at, input)| async move { (at, self.module.call(input).await) })
            .collect();
        let mut failed = None;
        let run = async {
            let mut calls = stream::iter(calls).buffer_unordered(self.limit);
            while let Some((at, result)) = calls.next().await {
                batch.count(at, &result);
                match result {
                    Err(error) if stops_early => {
                        failed = Some(error);
                        break;
                    }
                    result => results[at] = Some(result),
                }
            }
        };
        match context {
            Some(context) => context.scope(run).await,
            None => run.await,
        }
        batch.end(failed.as_ref());
        (results, failed)
    }
}

/// A batch under way. One that is dropped before its end was cancelled; its span still tells the counts.
struct Batch {
    /// There until the batch ends.
    span: Option<OpenSpan>,
    outputs: Vec<Option<Result<Payload, Arc<str>>>>,
    limit: usize,
}

impl Batch {
    fn begin<M: Module>(parallel: &Parallel<M>, inputs: &[Arc<M::Input>]) -> Self {
        let (name, detail) = (&parallel.span_name, Detail::Chain(Chain::default()));
        let input = Payload::shared(Arc::new(Inputs(inputs.to_vec())));
        let span = OpenSpan::begin_here(Family::Module, name, detail, Some(input));
        Self {
            span: Some(span),
            outputs: inputs.iter().map(|_| None).collect(),
            limit: parallel.limit,
        }
    }

    fn context(&self) -> Option<glassbox_events::context::Context> {
        self.span.as_ref().map(|span| span.context().clone())
    }

    fn count<O: Record>(&mut self, at: usize, result: &Result<O, Error>) {
        self.outputs[at] = Some(match result {
            Ok(output) => Ok(output.record()),
            Err(error) => Err(error.to_string().into()),
        });
    }

    /// Ends the span: as an error if one ended the batch.
    fn end(mut self, failed: Option<&Error>) {
        self.tell();
        let Some(span) = self.span.take() else { return };
        let status = match failed {
            Some(error) => Status::error(error.error_type(), error.to_string()),
            None => Status::Ok,
        };
        span.end(status, None);
    }

    fn tell(&mut self) {
        let Some(span) = &mut self.span else { return };
        let results = || self.outputs.iter().flatten();
        let counts = [
            (keys::PARALLEL_INPUTS, self.outputs.len()),
            (keys::PARALLEL_SUCCEEDED, results().filter(|result| result.is_ok()).count()),
            (keys::PARALLEL_FAILED, results().filter(|result| result.is_err()).count()),
            (keys::PARALLEL_LIMIT, self.limit),
        ];
        let outputs = Payload::shared(Arc::new(Outputs(std::mem::take(&mut self.outputs))));
        span.edit(|span| {
            span.attributes.extend(counts.map(|(key, count)| (key.into(), count.into())));
            span.output = Some(outputs);
        });
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.tell();
    }
}

/// The inputs as a JSON array.
struct Inputs<I>(Vec<Arc<I>>);

impl<I: Field> Render for Inputs<I> {
    fn render(&self) -> Value {
        self.0.iter().map(|input| input.to_json()).collect()
    }
}

/// What came of each input as a JSON array: the output, an error, or nothing.
struct Outputs(Vec<Option<Result<Payload, Arc<str>>>>);

impl Render for Outputs {
    fn render(&self) -> Value {
        let render = |output: &Option<Result<Payload, Arc<str>>>| match output {
            Some(Ok(output)) => output.render(),
            Some(Err(error)) => json!({ "error": error.as_ref() }),
            None => Value::Null,
        };
        self.0.iter().map(render).collect()
    }
}

//! Predict: asks a model for a signature's outputs.

use crate::adapter::{self, Answered, Shot, Task};
use crate::error::Error;
use crate::example::Example;
use crate::field::{Field, FieldError};
use crate::lm::Lm;
use crate::module::Module;
use crate::prediction::Prediction;
use crate::signature::{FieldSpec, Signature};
use crate::stream::Chunks;
use crate::streaming::Streaming;
use glassbox_events::context::Context;
use glassbox_trace::span::Detail;
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// What [`Predict`] and [`ChainOfThought`](crate::ChainOfThought) share: a task, a model, examples.
pub(crate) struct Predictor<S> {
    task: Arc<Task>,
    lm: Lm,
    shots: Arc<[Shot]>,
    asks_again: bool,
    pub(crate) span_name: Arc<str>,
    signature: PhantomData<fn() -> S>,
}

impl<S: Signature> Predictor<S> {
    pub(crate) fn new(lm: &Lm, module: &str, leading: &'static [FieldSpec]) -> Self {
        Self {
            task: Arc::new(Task::new(S::NAME, S::INSTRUCTIONS, S::INPUTS, leading, S::OUTPUTS)),
            lm: lm.clone(),
            shots: Arc::default(),
            asks_again: true,
            span_name: format!("{module}({})", S::NAME).into(),
            signature: PhantomData,
        }
    }

    pub(crate) fn with_lm(mut self, lm: &Lm) -> Self {
        self.lm = lm.clone();
        self
    }

    pub(crate) fn with_examples(mut self, examples: impl IntoIterator<Item = Example<S>>) -> Self {
        self.shots = examples.into_iter().map(|example| example.shot(self.task.leading)).collect();
        self
    }

    pub(crate) const fn asking_again(mut self, asks_again: bool) -> Self {
        self.asks_again = asks_again;
        self
    }

    /// Asks the model of the scope, or else the own one.
    pub(crate) async fn ask<T>(
        &self,
        input: &S::Input,
        chunks: Option<&Chunks>,
        read: impl Fn(&Value) -> Result<T, FieldError>,
    ) -> Result<Answered<T>, Error> {
        let scoped = Context::current().carried::<Lm>();
        let lm = scoped.as_deref().unwrap_or(&self.lm);
        let input = input.to_json();
        adapter::ask(&self.task, lm, &self.shots, &input, self.asks_again, chunks, read).await
    }
}

impl<S> Clone for Predictor<S> {
    fn clone(&self) -> Self {
        Self {
            task: Arc::clone(&self.task),
            lm: self.lm.clone(),
            shots: Arc::clone(&self.shots),
            asks_again: self.asks_again,
            span_name: Arc::clone(&self.span_name),
            signature: PhantomData,
        }
    }
}

impl<S> fmt::Debug for Predictor<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(&self.span_name)
            .field("lm", &self.lm)
            .field("examples", &self.shots.len())
            .finish()
    }
}

/// Asks a model for the outputs of a signature: one span `Predict(..)` over one generation.
///
/// ```
/// use glassbox::{Lm, Module, Predict, Signature};
///
/// /// Answer in one word.
/// #[derive(Signature)]
/// struct Trivia {
///     #[input]
///     question: String,
///     #[output]
///     answer: String,
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), glassbox::Error> {
/// let lm = Lm::scripted([serde_json::json!({ "answer": "Paris" })]);
/// let trivia = Predict::<Trivia>::new(&lm);
/// let reply = trivia.call(TriviaInput { question: "What is the capital of France?".into() }).await?;
/// assert_eq!(reply.answer, "Paris");
/// # Ok(())
/// # }
/// ```
pub struct Predict<S>(Predictor<S>);

impl<S: Signature> Predict<S> {
    /// Makes the module with the model that it asks.
    #[must_use]
    pub fn new(lm: &Lm) -> Self {
        Self(Predictor::new(lm, "Predict", &[]))
    }

    /// Shows the model examples of inputs with good outputs.
    #[must_use]
    pub fn with_examples(self, examples: impl IntoIterator<Item = Example<S>>) -> Self {
        Self(self.0.with_examples(examples))
    }

    /// Asks another model. For everything within a scope, see [`with_lm`](crate::with_lm).
    #[must_use]
    pub fn with_lm(self, lm: &Lm) -> Self {
        Self(self.0.with_lm(lm))
    }

    /// Decides whether an answer that cannot be read is told to the model once more, at the price of a second call.
    /// By default it is.
    #[must_use]
    pub fn ask_again(self, asks_again: bool) -> Self {
        Self(self.0.asking_again(asks_again))
    }

    async fn answer(
        &self,
        input: &S::Input,
        chunks: Option<&Chunks>,
    ) -> Result<Prediction<S::Output>, Error> {
        let answered = self.0.ask(input, chunks, S::Output::from_json).await?;
        let reasoning = answered.response.reasoning().cloned();
        Ok(Prediction::new(
            answered.output,
            reasoning,
            answered.usage,
            answered.cost,
            answered.response.model,
        ))
    }
}

impl<S: Signature> Module for Predict<S> {
    type Input = S::Input;
    type Output = Prediction<S::Output>;

    async fn forward(&self, input: Arc<S::Input>) -> Result<Self::Output, Error> {
        self.answer(&input, None).await
    }

    fn span_name(&self) -> Arc<str> {
        Arc::clone(&self.0.span_name)
    }

    fn detail(&self) -> Detail {
        Detail::Span
    }
}

impl<S: Signature> Streaming for Predict<S> {
    async fn forward_stream(
        &self,
        input: Arc<S::Input>,
        chunks: &Chunks,
    ) -> Result<Self::Output, Error> {
        self.answer(&input, Some(chunks)).await
    }
}

// Derived, these two would ask for a signature that can be cloned and shown.
impl<S> Clone for Predict<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for Predict<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

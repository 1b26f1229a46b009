//! ChainOfThought: lets the model reason first and answer then.

use crate::error::Error;
use crate::example::Example;
use crate::field::Field;
use crate::lm::Lm;
use crate::module::Module;
use crate::predict::Predictor;
use crate::prediction::Prediction;
use crate::signature::{FieldSpec, Signature};
use crate::stream::Chunks;
use crate::streaming::Streaming;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, ReasoningComplete};
use glassbox_trace::span::{Chain, Detail};
use std::fmt;
use std::sync::Arc;

/// The field that the model writes before the answer, so that the answer follows from it.
const REASONING: [FieldSpec; 1] = [FieldSpec {
    name: "reasoning",
    description: "Think step by step before you answer.",
    required: true,
    schema: <String as Field>::schema,
}];

/// Asks a model to reason first and then to give the outputs of a signature: one `chain` span over one generation.
///
/// The reasoning is the first field of the answer, told as `chain_of_thought.reasoning_complete`, and kept in
/// [`Prediction::reasoning`]. A signature that has an output `reasoning` of its own keeps it where it is.
///
/// ```
/// use glassbox::{ChainOfThought, Lm, Module, Signature};
///
/// /// Solve the riddle.
/// #[derive(Signature)]
/// struct Riddle {
///     #[input]
///     riddle: String,
///     #[output]
///     answer: String,
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), glassbox::Error> {
/// let lm = Lm::scripted([serde_json::json!({ "reasoning": "It has keys but opens nothing.", "answer": "a piano" })]);
/// let reply = ChainOfThought::<Riddle>::new(&lm).call(RiddleInput { riddle: "What has keys?".into() }).await?;
/// assert_eq!(reply.reasoning(), Some("It has keys but opens nothing."));
/// # Ok(())
/// # }
/// ```
pub struct ChainOfThought<S>(Predictor<S>);

impl<S: Signature> ChainOfThought<S> {
    /// Makes the module with the model that it asks.
    #[must_use]
    pub fn new(lm: &Lm) -> Self {
        let has_own = S::OUTPUTS.iter().any(|field| field.name == "reasoning");
        Self(Predictor::new(lm, "ChainOfThought", if has_own { &[] } else { &REASONING }))
    }

    /// Shows the model examples of inputs with good reasoning and outputs.
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
        let read = |fields: &serde_json::Value| {
            let reasoning: Option<Arc<str>> = fields["reasoning"].as_str().map(Arc::from);
            Ok((S::Output::from_json(fields)?, reasoning))
        };
        let answered = self.0.ask(input, chunks, read).await?;
        let (output, reasoning) = answered.output;
        let reasoning = reasoning.or_else(|| answered.response.reasoning().cloned());
        if let Some(reasoning) = &reasoning {
            Context::current().emit(EventData::ReasoningComplete(ReasoningComplete {
                signature: S::NAME.into(),
                reasoning: Arc::clone(reasoning),
            }));
        }
        Ok(Prediction::new(
            output,
            reasoning,
            answered.usage,
            answered.cost,
            answered.response.model,
        ))
    }
}

impl<S: Signature> Module for ChainOfThought<S> {
    type Input = S::Input;
    type Output = Prediction<S::Output>;

    async fn forward(&self, input: Arc<S::Input>) -> Result<Self::Output, Error> {
        self.answer(&input, None).await
    }

    fn span_name(&self) -> Arc<str> {
        Arc::clone(&self.0.span_name)
    }

    fn detail(&self) -> Detail {
        Detail::Chain(Chain { signature: Some(S::NAME.into()) })
    }
}

impl<S: Signature> Streaming for ChainOfThought<S> {
    async fn forward_stream(
        &self,
        input: Arc<S::Input>,
        chunks: &Chunks,
    ) -> Result<Self::Output, Error> {
        self.answer(&input, Some(chunks)).await
    }
}

// Derived, these two would ask for a signature that can be cloned and shown.
impl<S> Clone for ChainOfThought<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for ChainOfThought<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

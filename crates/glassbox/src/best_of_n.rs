//! BestOfN: makes several candidates for an answer and keeps the best.

use crate::error::Error;
use crate::module::{Module, Record};
use crate::rollout;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Chain, Detail, Evaluator, Status};
use std::fmt;
use std::sync::Arc;

/// Says how good an output is for an input; more is better.
type Reward<M> = Arc<dyn Fn(&<M as Module>::Input, &<M as Module>::Output) -> f64 + Send + Sync>;

/// Makes up to `n` candidates for an answer, one after another, and keeps the one with the highest reward. The first
/// that reaches the threshold ends the search.
///
/// Each candidate is a span `candidate 1` with its reward, over the spans of the module. Each is asked for with a number
/// of its own ([`Request::rollout`](crate::Request::rollout)), so that a cache does not give the same answer each time.
/// A model that is set to temperature 0 gives it all the same.
///
/// A candidate that fails counts for nothing; the error of the last one is returned only if all fail. A budget that
/// refuses ends the search with the best candidate so far, if there is one.
///
/// ```
/// # use glassbox::{BestOfN, Lm, Module, Predict, Signature};
/// /// Answer in one word.
/// #[derive(Signature)]
/// struct Trivia { #[input] question: String, #[output] answer: String }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), glassbox::Error> {
/// # let lm = Lm::scripted([serde_json::json!({ "answer": "The city of Paris" }), serde_json::json!({ "answer": "Paris" })]);
/// let one_word = |_: &TriviaInput, reply: &glassbox::Prediction<TriviaOutput>| {
///     if reply.answer.contains(' ') { 0.0 } else { 1.0 }
/// };
/// let trivia = BestOfN::new(Predict::<Trivia>::new(&lm), 3, one_word).threshold(1.0);
/// let reply = trivia.call(TriviaInput { question: "What is the capital of France?".into() }).await?;
/// assert_eq!(reply.answer, "Paris");
/// # Ok(())
/// # }
/// ```
pub struct BestOfN<M: Module> {
    contest: Contest<M>,
    span_name: Arc<str>,
}

impl<M: Module> BestOfN<M> {
    /// Makes it of the module, the most candidates (at least one) and the reward of an output; more is better.
    #[must_use]
    pub fn new(
        module: M,
        n: u32,
        reward: impl Fn(&M::Input, &M::Output) -> f64 + Send + Sync + 'static,
    ) -> Self {
        let span_name = format!("BestOfN({})", module.span_name()).into();
        Self { contest: Contest::new(module, n, reward), span_name }
    }

    /// Sets the reward that is good enough. By default none is, so that all candidates are made.
    #[must_use]
    pub fn threshold(mut self, reward: f64) -> Self {
        self.contest.threshold = reward;
        self
    }
}

impl<M: Module> Module for BestOfN<M> {
    type Input = M::Input;
    type Output = M::Output;

    async fn forward(&self, input: Arc<M::Input>) -> Result<M::Output, Error> {
        let mut standing = Standing::default();
        for number in 0..self.contest.candidates {
            let candidate = self.contest.candidate(&input, number, None).await;
            if standing.take(candidate, self.contest.threshold).is_over {
                break;
            }
        }
        standing.end()
    }

    fn span_name(&self) -> Arc<str> {
        Arc::clone(&self.span_name)
    }

    fn detail(&self) -> Detail {
        Detail::Chain(Chain::default())
    }
}

impl<M: Module> fmt::Debug for BestOfN<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(&self.span_name)
            .field("n", &self.contest.candidates)
            .field("threshold", &self.contest.threshold)
            .finish_non_exhaustive()
    }
}

/// Candidates for an answer, and how they are judged.
pub(crate) struct Contest<M: Module> {
    module: M,
    pub(crate) candidates: u32,
    pub(crate) threshold: f64,
    reward: Reward<M>,
}

/// A candidate with its reward.
pub(crate) struct Candidate<O> {
    pub(crate) output: O,
    pub(crate) reward: f64,
}

impl<M: Module> Contest<M> {
    pub(crate) fn new(
        module: M,
        n: u32,
        reward: impl Fn(&M::Input, &M::Output) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self { module, candidates: n.max(1), threshold: f64::INFINITY, reward: Arc::new(reward) }
    }

    /// Makes candidate number `number`, from 0, as a span with its reward.
    pub(crate) async fn candidate(
        &self,
        input: &Arc<M::Input>,
        number: u32,
        advice: Option<Arc<str>>,
    ) -> Result<Candidate<M::Output>, Error> {
        let evaluator = Evaluator { name: "reward".into(), ..Evaluator::default() };
        let name = format!("candidate {}", number + 1).into();
        let told = advice.as_ref().map(|advice| Payload::Text(Arc::clone(advice)));
        let mut span =
            OpenSpan::begin_here(Family::Module, &name, Detail::Evaluator(evaluator), told);
        let scope = span.context().enter(|| rollout::scope(number, self.candidates, advice));
        let result = scope.run(self.module.call(Arc::clone(input))).await;
        match result {
            Ok(output) => {
                // A reward that is no number is no reason to prefer anything.
                let reward = (self.reward)(input, &output);
                let reward = if reward.is_nan() { f64::NEG_INFINITY } else { reward };
                let label = if reward >= self.threshold { "accepted" } else { "rejected" };
                span.edit(|span| {
                    let Detail::Evaluator(evaluator) = &mut span.detail else { return };
                    evaluator.score = Some(reward).filter(|reward| reward.is_finite());
                    evaluator.label = self.threshold.is_finite().then(|| label.into());
                });
                span.end(Status::Ok, Some(output.record()));
                Ok(Candidate { output, reward })
            }
            Err(error) => {
                span.end(Status::error(error.error_type(), error.to_string()), None);
                Err(error)
            }
        }
    }

    pub(crate) fn module_name(&self) -> Arc<str> {
        self.module.span_name()
    }
}

/// The best candidate so far.
pub(crate) struct Standing<O> {
    best: Option<Candidate<O>>,
    error: Option<Error>,
    /// Whether there is no use in another candidate: this one is good enough, or a gate refused it.
    pub(crate) is_over: bool,
}

impl<O> Default for Standing<O> {
    fn default() -> Self {
        Self { best: None, error: None, is_over: false }
    }
}

impl<O> Standing<O> {
    /// Takes a candidate, which replaces the best so far if it is better.
    pub(crate) fn take(&mut self, candidate: Result<Candidate<O>, Error>, threshold: f64) -> &Self {
        match candidate {
            Ok(candidate) => {
                self.is_over = candidate.reward >= threshold;
                if self.best.as_ref().is_none_or(|best| candidate.reward > best.reward) {
                    self.best = Some(candidate);
                }
            }
            Err(error) => {
                self.is_over = error.refusal().is_some();
                self.error = Some(error);
            }
        }
        self
    }

    /// Returns the best output, or else the last error.
    pub(crate) fn end(self) -> Result<O, Error> {
        match (self.best, self.error) {
            (Some(best), _) => Ok(best.output),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::other("no candidate was made")),
        }
    }
}

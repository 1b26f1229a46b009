//! Refine: makes candidates for an answer, each with advice from what was wrong with the one before.

use crate::best_of_n::{Candidate, Contest, Standing};
use crate::error::Error;
use crate::field::Field;
use crate::lm::Lm;
use crate::module::{Module, Record};
use crate::predict::Predict;
use glassbox_macros::Signature;
use glassbox_trace::span::{Chain, Detail};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A program gave an answer that was not good enough, by a reward that is higher for better answers. Find out what is to
/// blame, and advise how to do better the next time. The advice is read by the models in the program.
#[derive(Signature)]
#[allow(dead_code, reason = "the derive makes two other structs of the fields")]
struct OfferAdvice {
    /// The name of the program.
    #[input]
    program: String,
    #[input]
    program_input: Value,
    /// What it answered, or the error with which it failed.
    #[input]
    program_output: Value,
    /// The reward of the answer; none if it failed.
    #[input]
    reward: Option<f64>,
    /// The reward that is wanted; none if the best that can be had is wanted.
    #[input]
    wanted_reward: Option<f64>,
    /// What was wrong with the answer.
    #[output]
    discussion: String,
    /// What to do the next time, concrete and short.
    #[output]
    advice: String,
}

/// Makes up to `n` candidates for an answer as [`BestOfN`](crate::BestOfN) does. After one that is not good enough, a
/// model is asked what was wrong with it, and its advice is told to all models within the next.
///
/// ```
/// # use glassbox::{Lm, Module, Predict, Refine, Signature};
/// /// Answer in one word.
/// #[derive(Signature)]
/// struct Trivia { #[input] question: String, #[output] answer: String }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), glassbox::Error> {
/// # let lm = Lm::scripted([
/// #     serde_json::json!({ "answer": "The city of Paris" }),
/// #     serde_json::json!({ "discussion": "It has several words.", "advice": "Leave out all but the name." }),
/// #     serde_json::json!({ "answer": "Paris" }),
/// # ]);
/// let one_word = |_: &TriviaInput, reply: &glassbox::Prediction<TriviaOutput>| {
///     if reply.answer.contains(' ') { 0.0 } else { 1.0 }
/// };
/// let trivia = Refine::new(Predict::<Trivia>::new(&lm), &lm, 3, one_word).threshold(1.0);
/// let reply = trivia.call(TriviaInput { question: "What is the capital of France?".into() }).await?;
/// assert_eq!(reply.answer, "Paris");
/// # Ok(())
/// # }
/// ```
pub struct Refine<M: Module> {
    contest: Contest<M>,
    advisor: Predict<OfferAdvice>,
    span_name: Arc<str>,
}

impl<M: Module> Refine<M> {
    /// Makes it of the module, the model that gives advice, the most candidates (at least one) and the reward of an
    /// output; more is better.
    #[must_use]
    pub fn new(
        module: M,
        advisor: &Lm,
        n: u32,
        reward: impl Fn(&M::Input, &M::Output) -> f64 + Send + Sync + 'static,
    ) -> Self {
        let span_name = format!("Refine({})", module.span_name()).into();
        let contest = Contest::new(module, n, reward);
        Self { contest, advisor: Predict::new(advisor), span_name }
    }

    /// Sets the reward that is good enough. By default none is, so that all candidates are made.
    #[must_use]
    pub fn threshold(mut self, reward: f64) -> Self {
        self.contest.threshold = reward;
        self
    }

    /// Says what to find advice for.
    fn question(
        &self,
        input: &M::Input,
        candidate: &Result<Candidate<M::Output>, Error>,
    ) -> OfferAdviceInput {
        let finite = |reward: f64| Some(reward).filter(|reward| reward.is_finite());
        OfferAdviceInput {
            program: self.contest.module_name().as_ref().into(),
            program_input: input.to_json(),
            program_output: match candidate {
                Ok(candidate) => candidate.output.record().render(),
                Err(error) => error.to_string().into(),
            },
            reward: candidate.as_ref().ok().and_then(|candidate| finite(candidate.reward)),
            wanted_reward: finite(self.contest.threshold),
        }
    }

    /// Asks what was wrong with a candidate. Without advice the next one is made all the same.
    async fn advice(&self, question: OfferAdviceInput) -> Option<Arc<str>> {
        // Its span tells why, if it fails; the next candidate then meets the same gates.
        let offered = self.advisor.call(question).await.ok()?;
        Some(offered.advice.as_str().into())
    }
}

impl<M: Module> Module for Refine<M> {
    type Input = M::Input;
    type Output = M::Output;

    async fn forward(&self, input: Arc<M::Input>) -> Result<M::Output, Error> {
        let mut standing = Standing::default();
        let mut advice = None;
        for number in 0..self.contest.candidates {
            let candidate = self.contest.candidate(&input, number, advice.take()).await;
            let question = self.question(&input, &candidate);
            if standing.take(candidate, self.contest.threshold).is_over {
                break;
            }
            if number + 1 < self.contest.candidates {
                advice = self.advice(question).await;
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

impl<M: Module> fmt::Debug for Refine<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(&self.span_name)
            .field("n", &self.contest.candidates)
            .field("threshold", &self.contest.threshold)
            .finish_non_exhaustive()
    }
}

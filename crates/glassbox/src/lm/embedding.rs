//! Embedding models of providers: gates, attempts and waits as for any model call.

use crate::embedder::{Embedded, Embedder};
use crate::error::{Error, ErrorKind};
use crate::lm::classify::classify;
use crate::lm::client::wait;
use crate::lm::failure::Failure;
use crate::lm::record::{Ending, Sums, Tally, error, tell_failed_attempt};
use crate::lm::transport::Transport;
use crate::lm::wire::AnswerFacts;
use crate::lm::{Backend, Lm, LmBuilder, RetryPolicy};
use genai::embed::{EmbedOptions, EmbedRequest};
use glassbox_events::clock;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, LlmWait};
use glassbox_events::gate::{Action, Gate, Spent};
use glassbox_trace::cost::Cost;
use glassbox_trace::span::Embedding;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// The most tokens that a provider's own frame around a text has, generously.
const FRAME: usize = 32;

/// An embedding model of a provider, or of any server that speaks OpenAI's protocol. Clones share connections.
///
/// ```no_run
/// use glassbox::{Embedder, EmbeddingModel};
/// # async fn example() -> Result<(), glassbox::Error> {
/// let model = EmbeddingModel::from_env("openai/text-embedding-3-small")?; // reads OPENAI_API_KEY
/// let embedded = model.embed(["When is breakfast?", "From seven."]).await?;
/// println!("{} vectors for ${}", embedded.vectors.len(), embedded.cost);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EmbeddingModel {
    /// The model as any other: its way, its gates, its prices.
    lm: Lm,
    dimensions: Option<u32>,
}

impl EmbeddingModel {
    /// Makes a model whose key stands in the provider's usual variable, such as `OPENAI_API_KEY`.
    ///
    /// # Errors
    ///
    /// As [`Lm::from_env`].
    pub fn from_env(model: &str) -> Result<Self, Error> {
        Self::builder(model).build()
    }

    /// Begins to make a model, named `provider/model`.
    pub fn builder(model: impl Into<String>) -> EmbeddingModelBuilder {
        EmbeddingModelBuilder { lm: Lm::builder(model), dimensions: None }
    }

    /// Returns the model's name with its provider: `openai/text-embedding-3-small`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.lm.name()
    }

    /// Bounds what an attempt can use, for the gates. No tokenizer makes more tokens than there are bytes.
    fn action(&self, texts: &[String]) -> Action {
        let lm = &*self.lm.0;
        let bytes: usize = texts.iter().map(|text| text.len() + FRAME).sum();
        let input_tokens = bytes as u64;
        let cost = lm.prices.upper_bound(&lm.provider, &lm.model, input_tokens, 0);
        Action::LlmAttempt {
            model: Arc::clone(&lm.full_name),
            input_tokens,
            output_tokens: 0,
            cost,
        }
    }

    /// Makes attempts until one works, the policy gives up, or a gate refuses.
    async fn attempts(
        &self,
        texts: &[String],
        context: &Context,
        tally: &mut Tally,
    ) -> Result<Embedded, Ending> {
        let lm = &*self.lm.0;
        let action = self.action(texts);
        loop {
            let permit = context
                .ask(&action, &lm.gates)
                .map_err(|refusal| Ending::Refused(refusal, None))?;
            tally.sums.attempts += 1;
            let started = clock::now();
            let failure = match self.attempt(texts).await {
                Ok((vectors, facts)) => {
                    let usage = facts.usage(lm.wire());
                    let cost = lm.cost(facts.model.as_deref(), &usage);
                    permit.settle(if usage.is_unknown() {
                        Spent::Unknown
                    } else {
                        Spent::Known { usage, cost }
                    });
                    let cost = if tally.sums.uncounted { Cost::UNKNOWN } else { cost };
                    return Ok(Embedded { vectors, usage, cost, model: facts.model });
                }
                Err(failure) => failure,
            };
            let spent = failure.spent(lm.cost(None, &failure.usage));
            permit.settle(spent);
            tally.sums.uncounted |= spent == Spent::Unknown;
            tell_failed_attempt(context, tally.sums.attempts, started, &failure);
            let Some((reason, duration)) = lm.retry.pause(tally.sums.attempts, &failure) else {
                return Err(Ending::Failed(failure));
            };
            let next_attempt = tally.sums.attempts + 1;
            context.emit(EventData::LlmWait(LlmWait { reason, duration, next_attempt }));
            wait(duration).await;
        }
    }

    async fn attempt(&self, texts: &[String]) -> Result<(Vec<Vec<f32>>, AnswerFacts), Failure> {
        let (lm, no_runtime) = (&*self.lm.0, Handle::try_current().is_err());
        let Backend::Http(transport) = &lm.backend else {
            return Err(Failure::new(ErrorKind::Config, "a script has no embeddings"));
        };
        if no_runtime {
            let message =
                "no Tokio runtime is running here: call models within one, as #[tokio::main] gives";
            return Err(Failure::new(ErrorKind::Config, message));
        }
        let sent = transport.embed(texts, self.dimensions);
        timeout(lm.timeout, sent).await.unwrap_or_else(|_| {
            let message =
                format!("no answer within {:?}; raise the timeout with `.timeout(..)`", lm.timeout);
            Err(Failure::new(ErrorKind::Timeout, message))
        })
    }
}

impl Embedder for EmbeddingModel {
    fn detail(&self) -> Embedding {
        let lm = &*self.lm.0;
        Embedding {
            provider: Arc::clone(&lm.otel_provider),
            request_model: Arc::clone(&lm.model),
            dimensions: self.dimensions,
            ..Embedding::default()
        }
    }

    async fn forward(&self, texts: Arc<[String]>) -> Result<Embedded, Error> {
        if texts.is_empty() {
            return Ok(Embedded::new(Vec::new()));
        }
        let (lm, context) = (&*self.lm.0, Context::current());
        let sums = Sums { cost: Cost::ZERO, ..Sums::default() };
        let mut tally = Tally { sums, ..Tally::default() };
        let ended = self.attempts(&texts, &context, &mut tally).await;
        ended.map_err(|ending| error(lm, ending, &tally, &context).0)
    }
}

impl fmt::Debug for EmbeddingModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingModel").field("model", &self.name()).finish_non_exhaustive()
    }
}

impl Transport {
    /// Makes one attempt to turn texts into vectors.
    async fn embed(
        &self,
        texts: &[String],
        dimensions: Option<u32>,
    ) -> Result<(Vec<Vec<f32>>, AnswerFacts), Failure> {
        let mut options = EmbedOptions::new().with_capture_raw_body(true);
        options.dimensions = dimensions.and_then(|dimensions| usize::try_from(dimensions).ok());
        let request = EmbedRequest::new_batch(texts.to_vec());
        let response =
            self.clients.plain().exec_embed(self.target.clone(), request, Some(&options)).await;
        let response = response.map_err(|error| classify(&error, self.wire, &self.base_url))?;
        let mut facts = AnswerFacts::default();
        let body = response.captured_raw_body.as_ref();
        facts.read(self.wire, body.unwrap_or(&serde_json::Value::Null));
        let mut embeddings = response.embeddings;
        embeddings.sort_by_key(|embedding| embedding.index);
        let vectors: Vec<_> =
            embeddings.into_iter().map(|embedding| embedding.into_vector()).collect();
        let length = vectors.first().map_or(0, Vec::len);
        if vectors.len() != texts.len() || vectors.iter().any(|vector| vector.len() != length) {
            let message = format!(
                "the provider's answer has {} vectors for {} texts, or vectors of several lengths",
                vectors.len(),
                texts.len()
            );
            return Err(Failure::new(ErrorKind::Malformed, message));
        }
        Ok((vectors, facts))
    }
}

/// Sets how an embedding model is called.
#[must_use = "`build()` makes the model"]
#[derive(Clone, Debug)]
pub struct EmbeddingModelBuilder {
    lm: LmBuilder,
    dimensions: Option<u32>,
}

impl EmbeddingModelBuilder {
    /// Sets the key; by default it is read from the provider's usual variable.
    pub fn api_key(self, key: impl Into<String>) -> Self {
        Self { lm: self.lm.api_key(key), ..self }
    }

    /// Sets the address to which the protocol's paths are appended, such as `http://localhost:8000/v1`.
    pub fn base_url(self, url: impl Into<String>) -> Self {
        Self { lm: self.lm.base_url(url), ..self }
    }

    /// Asks for vectors of so many dimensions, where the model can make shorter ones.
    pub fn dimensions(self, dimensions: u32) -> Self {
        Self { dimensions: Some(dimensions), ..self }
    }

    /// Sets how long one attempt may take; by default [`DEFAULT_TIMEOUT`](crate::DEFAULT_TIMEOUT).
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { lm: self.lm.timeout(timeout), ..self }
    }

    /// Sets when to try again.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        Self { lm: self.lm.retry(policy), ..self }
    }

    /// Adds a gate that is asked before each attempt.
    pub fn gate(self, gate: impl Gate + 'static) -> Self {
        Self { lm: self.lm.gate(gate), ..self }
    }

    /// Makes the model. Nothing is called yet.
    ///
    /// # Errors
    ///
    /// As [`LmBuilder::build`]; the dimensions are zero.
    pub fn build(self) -> Result<EmbeddingModel, Error> {
        if self.dimensions == Some(0) {
            let message = "dimensions is 0, so a vector could say nothing: type at least 1";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(EmbeddingModel { lm: self.lm.build()?, dimensions: self.dimensions })
    }
}

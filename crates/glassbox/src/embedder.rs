//! Embedders: what turns texts into vectors.

use crate::error::Error;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::cost::Cost;
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{Detail, Embedding, Status};
use glassbox_trace::usage::Usage;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;

/// Turns texts into vectors. Write [`forward`](Self::forward), call [`embed`](Self::embed): the call is one `embedding`
/// span with the texts, the model, usage and cost. [`EmbeddingModel`](crate::EmbeddingModel) asks a provider.
///
/// ```
/// use glassbox::trace::span::Embedding;
/// use glassbox::{Embedded, Embedder, Error};
/// use std::sync::Arc;
///
/// /// Counts vowels and the other letters.
/// struct Letters;
/// impl Embedder for Letters {
///     fn detail(&self) -> Embedding {
///         Embedding { provider: "letters".into(), request_model: "vowels".into(), ..Embedding::default() }
///     }
///     async fn forward(&self, texts: Arc<[String]>) -> Result<Embedded, Error> {
///         let count = |text: &String| {
///             let vowels = text.chars().filter(|c| "aeiou".contains(*c)).count() as f32;
///             vec![vowels, text.len() as f32 - vowels]
///         };
///         Ok(Embedded::new(texts.iter().map(count).collect()))
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let embedded = Letters.embed(["tea", "coffee"]).await?; // a span `embeddings vowels`
/// assert_eq!(embedded.vectors, [[2.0, 1.0], [3.0, 3.0]]);
/// # Ok(())
/// # }
/// ```
pub trait Embedder: Send + Sync {
    /// Says which model of whom is asked, for the span.
    fn detail(&self) -> Embedding;

    /// Does the work: a vector for each text, in their order.
    fn forward(&self, texts: Arc<[String]>)
    -> impl Future<Output = Result<Embedded, Error>> + Send;

    /// Turns texts into vectors, in a span `embeddings` and the model.
    ///
    /// # Errors
    ///
    /// What [`forward`](Self::forward) returns.
    fn embed<T: Into<String>>(
        &self,
        texts: impl IntoIterator<Item = T>,
    ) -> impl Future<Output = Result<Embedded, Error>> + Send {
        let texts: Arc<[String]> = texts.into_iter().map(Into::into).collect();
        async move {
            let detail = self.detail();
            let name = format!("embeddings {}", detail.request_model).into();
            let input = Payload::shared(Arc::new(Texts(Arc::clone(&texts))));
            let detail = Detail::Embedding(Box::new(detail));
            let mut span = OpenSpan::begin_here(Family::Module, &name, detail, Some(input));
            let context = span.context().clone();
            let result = context.scope(self.forward(texts)).await;
            span.edit(|span| {
                let Detail::Embedding(embedding) = &mut span.detail else { return };
                match &result {
                    Ok(embedded) => embedded.record(embedding),
                    Err(error) => {
                        (embedding.usage, embedding.cost) = (error.usage(), error.cost());
                    }
                }
            });
            let status = match &result {
                Ok(_) => Status::Ok,
                Err(error) => Status::error(error.error_type(), error.to_string()),
            };
            span.end(status, None);
            result
        }
    }
}

/// The vectors of texts, and what they cost.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Embedded {
    /// A vector for each text, in their order; all have as many dimensions.
    pub vectors: Vec<Vec<f32>>,
    /// The tokens used.
    pub usage: Usage,
    /// What they cost.
    pub cost: Cost,
    /// The model that answered.
    pub model: Option<Arc<str>>,
}

impl Embedded {
    /// Makes it of vectors that nobody charges for.
    #[must_use]
    pub const fn new(vectors: Vec<Vec<f32>>) -> Self {
        Self { vectors, usage: Usage::UNKNOWN, cost: Cost::ZERO, model: None }
    }

    fn record(&self, embedding: &mut Embedding) {
        embedding.response_model.clone_from(&self.model);
        let dimensions = self.vectors.first().and_then(|vector| u32::try_from(vector.len()).ok());
        embedding.dimensions = dimensions.or(embedding.dimensions);
        embedding.usage = self.usage;
        embedding.cost = self.cost;
    }
}

/// Texts as a JSON array.
struct Texts(Arc<[String]>);

impl Render for Texts {
    fn render(&self) -> Value {
        self.0.iter().map(String::as_str).collect()
    }
}

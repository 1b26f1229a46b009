//! Retrievers: what finds documents for a query.

use crate::error::Error;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_macros::Field;
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{self, Detail, Status};
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;

mod vector_index;

pub use vector_index::VectorIndex;

/// A document that was found, or is to be found.
#[derive(Clone, Debug, Default, PartialEq, Field)]
pub struct Document {
    /// Its id.
    pub id: String,
    /// Its text.
    pub content: String,
    /// How well it fits the query; more is better.
    pub score: Option<f64>,
    /// Further facts.
    #[field(default)]
    pub metadata: Value,
}

impl Document {
    /// Makes a document of its id and text.
    #[must_use]
    pub fn new(id: impl Into<String>, content: impl Into<String>) -> Self {
        Self { id: id.into(), content: content.into(), ..Self::default() }
    }
}

/// Finds documents for a query. Write [`forward`](Self::forward), call [`retrieve`](Self::retrieve): the call is one
/// `retriever` span with the query and the documents. [`VectorIndex`] finds what is near in meaning.
///
/// ```
/// use glassbox::{Document, Error, Retriever};
/// use std::sync::Arc;
///
/// struct HouseRules(Vec<Document>);
/// impl Retriever for HouseRules {
///     fn source(&self) -> Arc<str> {
///         "house rules".into()
///     }
///     async fn forward(&self, query: Arc<str>, top_k: usize) -> Result<Vec<Document>, Error> {
///         let fits = self.0.iter().filter(|rule| rule.content.contains(&*query));
///         Ok(fits.take(top_k).cloned().collect())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let rules = HouseRules(vec![Document::new("pets", "No pets in the pool.")]);
/// let found = rules.retrieve("pool", 3).await?; // a span `retrieval house rules`
/// assert_eq!(found[0].id, "pets");
/// # Ok(())
/// # }
/// ```
pub trait Retriever: Send + Sync {
    /// Names the index or collection that is searched.
    fn source(&self) -> Arc<str>;

    /// Does the work: at most `top_k` documents, the best first.
    fn forward(
        &self,
        query: Arc<str>,
        top_k: usize,
    ) -> impl Future<Output = Result<Vec<Document>, Error>> + Send;

    /// Finds documents, in a span `retrieval` and the source.
    ///
    /// # Errors
    ///
    /// What [`forward`](Self::forward) returns.
    fn retrieve(
        &self,
        query: impl Into<Arc<str>>,
        top_k: usize,
    ) -> impl Future<Output = Result<Vec<Document>, Error>> + Send {
        let query = query.into();
        async move {
            let source = self.source();
            let name = format!("retrieval {source}").into();
            let top_k_told = u32::try_from(top_k).ok();
            let detail =
                Detail::Retriever(span::Retriever { source: Some(source), top_k: top_k_told });
            let input = Payload::Text(Arc::clone(&query));
            let span = OpenSpan::begin_here(Family::Module, &name, detail, Some(input));
            let result = span.context().scope(self.forward(query, top_k)).await;
            match &result {
                Ok(documents) => {
                    let output = Payload::shared(Arc::new(Documents(documents.clone())));
                    span.end(Status::Ok, Some(output));
                }
                Err(error) => {
                    span.end(Status::error(error.error_type(), error.to_string()), None);
                }
            }
            result
        }
    }
}

/// Documents as a JSON array.
struct Documents(Vec<Document>);

impl Render for Documents {
    fn render(&self) -> Value {
        self.0.iter().map(crate::field::Field::to_json).collect()
    }
}

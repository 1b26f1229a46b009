//! Documents in memory, found by how near in meaning they are.

use super::{Document, Retriever};
use crate::embedder::Embedder;
use crate::error::Error;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// Documents in memory with their vectors. A search looks at each of them, which is quick enough for some ten thousand.
///
/// ```no_run
/// use glassbox::{Document, EmbeddingModel, Retriever, VectorIndex};
/// # async fn example() -> Result<(), glassbox::Error> {
/// let model = EmbeddingModel::from_env("openai/text-embedding-3-small")?;
/// let guide = VectorIndex::new("hotel guide", model);
/// guide.add([Document::new("breakfast", "Breakfast is served from seven.")]).await?;
/// let found = guide.retrieve("When can I eat in the morning?", 3).await?;
/// # Ok(())
/// # }
/// ```
pub struct VectorIndex<E> {
    name: Arc<str>,
    embedder: E,
    entries: RwLock<Vec<Entry>>,
}

struct Entry {
    document: Document,
    /// As long as one, so that the product of two says how near they are.
    vector: Vec<f32>,
}

impl<E: Embedder> VectorIndex<E> {
    /// Makes an empty index with its name and what turns texts into vectors.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, embedder: E) -> Self {
        Self { name: name.into(), embedder, entries: RwLock::default() }
    }

    /// Adds documents, with one call of the embedder. One whose id is there already takes its place.
    ///
    /// # Errors
    ///
    /// What the embedder returns; then none is added.
    pub async fn add(&self, documents: impl IntoIterator<Item = Document>) -> Result<(), Error> {
        let documents: Vec<Document> = documents.into_iter().collect();
        let texts: Vec<String> =
            documents.iter().map(|document| document.content.clone()).collect();
        let embedded = self.embedder.embed(texts).await?;
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for (document, vector) in documents.into_iter().zip(embedded.vectors) {
            entries.retain(|entry| entry.document.id != document.id);
            entries.push(Entry { document, vector: normal(vector) });
        }
        Ok(())
    }

    /// Returns how many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E: Embedder> Retriever for VectorIndex<E> {
    fn source(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    async fn forward(&self, query: Arc<str>, top_k: usize) -> Result<Vec<Document>, Error> {
        let embedded = self.embedder.embed([query.as_ref()]).await?;
        let Some(wanted) = embedded.vectors.into_iter().next().map(normal) else {
            return Err(Error::other("the embedder returned no vector for the query"));
        };
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<(f64, &Entry)> =
            entries.iter().map(|entry| (product(&wanted, &entry.vector), entry)).collect();
        found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let document = |(score, entry): (f64, &Entry)| Document {
            score: Some(score),
            ..entry.document.clone()
        };
        Ok(found.into_iter().take(top_k).map(document).collect())
    }
}

impl<E> fmt::Debug for VectorIndex<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectorIndex").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes a vector as long as one; one without any length stays.
fn normal(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 && length.is_finite() {
        for number in &mut vector {
            *number /= length;
        }
    }
    vector
}

fn product(one: &[f32], other: &[f32]) -> f64 {
    let products = one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other));
    // What is no number is as far away as can be.
    products.sum::<f64>().max(f64::NEG_INFINITY)
}

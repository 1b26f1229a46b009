//! A cache of answers: the same request is answered once. In memory, or on disk so that it outlives the process.

use crate::lm::request::{Finish, Response};
use memory::MemoryStore;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Mutex as Flight, OwnedMutexGuard};

mod key;
mod stored;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub(crate) use key::{Key, key};

/// How long and how much a [`Cache`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// How long an answer stays good; `None` for ever.
    pub ttl: Option<Duration>,
    /// The most bytes of answers; those that were not asked for the longest go first.
    pub max_bytes: u64,
}

impl Default for CachePolicy {
    /// For ever, and 256 MiB.
    fn default() -> Self {
        Self { ttl: None, max_bytes: 256 << 20 }
    }
}

/// Answers to requests that were made before. Clones are the same cache, and models may share it.
///
/// A request is the same if all of it is: provider, address, model, parameters, messages, schema, tools and
/// [`rollout`](crate::Request::rollout). A hit uses and costs nothing, asks no gate and makes no attempt; its span says
/// so (`cache_hit`). Where the same request is asked several times at once, one call is made and the others wait for its
/// answer. Errors are not kept, nor are answers that were cut off, filtered, or empty.
///
/// ```
/// use glassbox::{Cache, CachePolicy, Lm};
/// use std::time::Duration;
/// let day = CachePolicy { ttl: Some(Duration::from_secs(86_400)), ..CachePolicy::default() };
/// let lm = Lm::builder("openai/gpt-4o-mini").api_key("sk-..").cache(&Cache::memory(day)).build()?;
/// # Ok::<(), glassbox::Error>(())
/// ```
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    store: Store,
    /// Requests that are being made now, each with those who wait for it in a queue.
    flights: Mutex<HashMap<Key, Weak<Flight<()>>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

enum Store {
    Memory(MemoryStore),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::SqliteStore),
}

/// What a cache knows of a request.
pub(crate) enum Found {
    Hit(Box<Response>),
    /// Nothing: the caller makes the call, and whoever asks the same waits for it.
    Miss(Lead),
}

/// The duty to make a call that others may wait for. One that is dropped lets the next of them make it.
pub(crate) struct Lead {
    cache: Cache,
    key: Key,
    _flight: OwnedMutexGuard<()>,
}

impl Cache {
    /// Makes a cache in memory.
    #[must_use]
    pub fn memory(policy: CachePolicy) -> Self {
        Self::of(Store::Memory(MemoryStore::new(policy)))
    }

    /// Opens a cache in a SQLite file, which is made if it is missing, readable by the user alone. Several processes may
    /// share it; each makes its own calls at the same time.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or written, or is no SQLite database.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(
        path: impl AsRef<std::path::Path>,
        policy: CachePolicy,
    ) -> Result<Self, crate::Error> {
        Ok(Self::of(Store::Sqlite(sqlite::SqliteStore::open(path.as_ref(), policy)?)))
    }

    fn of(store: Store) -> Self {
        Self(Arc::new(Inner {
            store,
            flights: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }))
    }

    /// Returns how many calls were answered from the cache.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.0.hits.load(Ordering::Relaxed)
    }

    /// Returns how many calls had to be made.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.0.misses.load(Ordering::Relaxed)
    }

    /// Looks for an answer; waits for one that is under way.
    pub(crate) async fn find(&self, key: Key) -> Found {
        if let Some(response) = self.get(key).await {
            return Found::Hit(response);
        }
        let flight = self.flight(key).lock_owned().await;
        // Whoever was before may have brought it.
        if let Some(response) = self.get(key).await {
            return Found::Hit(response);
        }
        self.0.misses.fetch_add(1, Ordering::Relaxed);
        Found::Miss(Lead { cache: self.clone(), key, _flight: flight })
    }

    fn flight(&self, key: Key) -> Arc<Flight<()>> {
        let mut flights = self.0.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let flight = flights.get(&key).and_then(Weak::upgrade).unwrap_or_default();
        flights.insert(key, Arc::downgrade(&flight));
        flight
    }

    async fn get(&self, key: Key) -> Option<Box<Response>> {
        let bytes = match &self.0.store {
            Store::Memory(memory) => memory.get(&key)?,
            #[cfg(feature = "sqlite")]
            Store::Sqlite(sqlite) => sqlite.get(key).await?.into(),
        };
        let response = stored::read(&bytes)?;
        self.0.hits.fetch_add(1, Ordering::Relaxed);
        Some(Box::new(response))
    }
}

impl Lead {
    /// Keeps an answer, if it is one that may be given again.
    pub(crate) async fn keep(self, response: &Response) {
        if !is_whole(response) {
            return;
        }
        let bytes = stored::write(response);
        match &self.cache.0.store {
            Store::Memory(memory) => memory.put(self.key, bytes.into()),
            #[cfg(feature = "sqlite")]
            Store::Sqlite(sqlite) => sqlite.put(self.key, bytes).await,
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut flights = self.cache.0.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // This one holds it, and so do those who wait.
        if flights.get(&self.key).is_some_and(|flight| flight.strong_count() <= 1) {
            flights.remove(&self.key);
        }
    }
}

/// Tells whether an answer is what the model wanted to say.
fn is_whole(response: &Response) -> bool {
    let has_content = !response.text().trim().is_empty() || response.tool_calls().next().is_some();
    has_content && matches!(response.finish, Finish::Stop | Finish::ToolCalls)
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("hits", &self.hits())
            .field("misses", &self.misses())
            .finish_non_exhaustive()
    }
}

//! Answers in memory, by `moka`.

use super::{CachePolicy, Key};
use moka::sync::Cache;
use std::sync::Arc;

/// What an entry costs besides its bytes: key, counters and links.
const OVERHEAD: usize = 128;

pub(super) struct MemoryStore(Cache<Key, Arc<[u8]>>);

impl MemoryStore {
    pub(super) fn new(policy: CachePolicy) -> Self {
        let builder =
            Cache::builder().max_capacity(policy.max_bytes).weigher(|_, bytes: &Arc<[u8]>| {
                u32::try_from(bytes.len() + OVERHEAD).unwrap_or(u32::MAX)
            });
        Self(match policy.ttl {
            Some(ttl) => builder.time_to_live(ttl).build(),
            None => builder.build(),
        })
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<[u8]>> {
        self.0.get(key)
    }

    pub(super) fn put(&self, key: Key, bytes: Arc<[u8]>) {
        self.0.insert(key, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn old_answers_and_too_many_of_them_go() {
        let policy = CachePolicy { ttl: Some(Duration::ZERO), ..CachePolicy::default() };
        let store = MemoryStore::new(policy);
        store.put([1; 32], Arc::new([1]));
        assert!(store.get(&[1; 32]).is_none(), "it is old at once");

        let store = MemoryStore::new(CachePolicy { ttl: None, max_bytes: 10_000 });
        for number in 0..100 {
            store.put([number; 32], vec![0; 1000].into());
        }
        store.0.run_pending_tasks();
        assert!(store.0.weighted_size() <= 10_000);
    }
}

//! Answers in a SQLite file. A file that fails costs hits, never calls: it is said once, and nothing is found.

use super::{CachePolicy, Key};
use crate::error::{Error, ErrorKind};
use rusqlite::{Connection, OptionalExtension, params};
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(5);

/// The share of the most bytes that is left after some were thrown out.
const KEPT: f64 = 0.9;

#[derive(Clone)]
pub(super) struct SqliteStore(Arc<Inner>);

struct Inner {
    file: Mutex<Connection>,
    policy: CachePolicy,
    has_complained: AtomicBool,
}

impl SqliteStore {
    pub(super) fn open(path: &Path, policy: CachePolicy) -> Result<Self, Error> {
        let wrong = |error: &dyn std::fmt::Display| {
            let path = path.display();
            Error::new(
                ErrorKind::Config,
                format!(
                    "the cache {path} cannot be opened: {error}; name a file that can be written"
                ),
            )
        };
        make_private(path).map_err(|error| wrong(&error))?;
        let file = Connection::open(path).map_err(|error| wrong(&error))?;
        prepare(&file).map_err(|error| wrong(&error))?;
        let has_complained = AtomicBool::new(false);
        Ok(Self(Arc::new(Inner { file: Mutex::new(file), policy, has_complained })))
    }

    pub(super) async fn get(&self, key: Key) -> Option<Vec<u8>> {
        self.aside(move |inner| inner.with(|file| get(file, &inner.policy, &key, now()))).await?
    }

    pub(super) async fn put(&self, key: Key, bytes: Vec<u8>) {
        self.aside(move |inner| inner.with(|file| put(file, &inner.policy, &key, &bytes, now())))
            .await;
    }

    /// Runs something on a thread that may block, if there are any.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let inner = Arc::clone(&self.0);
        match Handle::try_current() {
            // A panic in there is as good as no answer.
            Ok(_) => spawn_blocking(move || work(&inner)).await.ok()?,
            Err(_) => work(&inner),
        }
    }
}

impl Inner {
    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match work(&file) {
            Ok(done) => Some(done),
            Err(error) => {
                if !self.has_complained.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the cache of answers fails; calls are made without it");
                }
                None
            }
        }
    }
}

/// Makes the file so that nobody else can read what models said.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn prepare(file: &Connection) -> rusqlite::Result<()> {
    file.busy_timeout(BUSY)?;
    file.pragma_update(None, "journal_mode", "wal")?;
    file.pragma_update(None, "synchronous", "normal")?;
    file.execute_batch(
        "CREATE TABLE IF NOT EXISTS answers (
            key BLOB PRIMARY KEY, answer BLOB NOT NULL, stored_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL
         ) WITHOUT ROWID;
         CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used_ms, key);",
    )
}

fn get(
    file: &Connection,
    policy: &CachePolicy,
    key: &Key,
    now: i64,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let oldest = policy.ttl.map_or(i64::MIN, |ttl| now.saturating_sub(millis(ttl)));
    let query = "SELECT answer FROM answers WHERE key = ?1 AND stored_ms > ?2";
    let mut query = file.prepare_cached(query)?;
    let answer = query.query_row(params![key, oldest], |row| row.get(0)).optional()?;
    if answer.is_some() {
        file.prepare_cached("UPDATE answers SET used_ms = ?2 WHERE key = ?1")?
            .execute(params![key, now])?;
    }
    Ok(answer)
}

fn put(
    file: &Connection,
    policy: &CachePolicy,
    key: &Key,
    answer: &[u8],
    now: i64,
) -> rusqlite::Result<()> {
    file.prepare_cached("INSERT OR REPLACE INTO answers VALUES (?1, ?2, ?3, ?3)")?
        .execute(params![key, answer, now])?;
    if let Some(ttl) = policy.ttl {
        file.prepare_cached("DELETE FROM answers WHERE stored_ms <= ?1")?
            .execute([now.saturating_sub(millis(ttl))])?;
    }
    let sum = "SELECT coalesce(sum(length(answer)), 0) FROM answers";
    let bytes: i64 = file.prepare_cached(sum)?.query_row([], |row| row.get(0))?;
    let most = i64::try_from(policy.max_bytes).unwrap_or(i64::MAX);
    if bytes > most {
        // The casts lose nothing that matters for a bound.
        throw_out(file, bytes - (most as f64 * KEPT) as i64)?;
    }
    Ok(())
}

/// Deletes the answers that were not asked for the longest, until so many bytes are gone.
fn throw_out(file: &Connection, bytes: i64) -> rusqlite::Result<()> {
    file.prepare_cached(
        "DELETE FROM answers WHERE key IN (
            SELECT key FROM (
                SELECT key, sum(length(answer)) OVER (ORDER BY used_ms, key) - length(answer) AS before FROM answers
            ) WHERE before < ?1
         )",
    )?
    .execute([bytes])?;
    Ok(())
}

fn now() -> i64 {
    millis(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Connection {
        let file = Connection::open_in_memory().unwrap();
        prepare(&file).unwrap();
        file
    }

    #[test]
    fn answers_get_old() {
        let (file, ttl) = (file(), Some(Duration::from_secs(1)));
        let policy = CachePolicy { ttl, ..CachePolicy::default() };
        put(&file, &policy, &[1; 32], b"answer", 10_000).unwrap();
        assert_eq!(get(&file, &policy, &[1; 32], 10_999).unwrap().unwrap(), b"answer");
        assert_eq!(get(&file, &policy, &[1; 32], 11_000).unwrap(), None);
        assert_eq!(get(&file, &policy, &[2; 32], 10_000).unwrap(), None);
        put(&file, &policy, &[2; 32], b"answer", 20_000).unwrap();
        let count: i64 =
            file.query_row("SELECT count(*) FROM answers", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 1, "the old one is gone");
    }

    #[test]
    fn those_that_were_not_asked_for_the_longest_go_first() {
        let (file, policy) = (file(), CachePolicy { ttl: None, max_bytes: 1000 });
        for number in 0..10 {
            put(&file, &policy, &[number; 32], &[0; 100], i64::from(number)).unwrap();
        }
        assert!(get(&file, &policy, &[0; 32], 100).unwrap().is_some(), "asked for again");
        put(&file, &policy, &[10; 32], &[0; 100], 101).unwrap();
        let left: Vec<_> = (0..=10)
            .filter(|number| get(&file, &policy, &[*number; 32], 102).unwrap().is_some())
            .collect();
        assert_eq!(left, [0, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
}

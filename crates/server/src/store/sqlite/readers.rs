//! Connections that read: lent for a question, and several at a time for a large one.

use super::{PATIENCE, phrase};
use crate::store::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many connections for reading are kept open.
const IDLE_READERS: usize = 8;

/// How many threads read numbers over time at once.
const MOST_THREADS: usize = 4;

/// For how long a question is worked on: whoever asked has given up by then.
const MOST_TIME: Duration = Duration::from_secs(30);

/// After how many steps of SQLite's machine the clock is looked at: some ten microseconds.
const STEPS_AT_ONCE: i32 = 1000;

/// Connections to one file, made as they are needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    most_time: Duration,
    idle: Mutex<Vec<Reader>>,
}

/// A connection that stops when it takes too long.
#[derive(Debug)]
struct Reader {
    connection: Connection,
    until: Arc<Mutex<Instant>>,
}

impl Readers {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, most_time: MOST_TIME, idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lends a connection to read with.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        self.read_until(Instant::now() + self.most_time, read)
    }

    fn read_until<T>(
        &self,
        until: Instant,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.open().map_err(|error| self.error(&error))?,
        };
        *lock(&reader.until) = until;
        let result = read(&reader.connection);
        let mut idle = self.idle();
        if idle.len() < IDLE_READERS {
            idle.push(reader);
        }
        drop(idle);
        result.map_err(|error| match error {
            ReadError::Sqlite(error) => self.error(&error),
            ReadError::Cursor => StoreError::Cursor,
            ReadError::TooMuch => StoreError::TooMuch,
        })
    }

    /// Reads pieces on several connections at a time; what is found comes in the order of the pieces.
    pub(super) fn read_pieces<P: Sync, T: Send>(
        &self,
        pieces: &[P],
        read: impl Fn(&Connection, &P) -> Result<T, ReadError> + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let (until, next) = (Instant::now() + self.most_time, AtomicUsize::new(0));
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = pieces.get(at) else { return Ok(done) };
                done.push((at, self.read_until(until, |connection| read(connection, piece))?));
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        thread::scope(|scope| {
            let start = |_| thread::Builder::new().spawn_scoped(scope, work);
            // Where no more threads are to be had, this one does it all.
            let others: Vec<_> = (1..threads.min(pieces.len())).flat_map(start).collect();
            let mut done: Vec<_> = work()?;
            for other in others {
                let ended = || StoreError::Failed("a thread that read the store ended".to_owned());
                done.extend(other.join().map_err(|_| ended())??);
            }
            done.sort_unstable_by_key(|(at, _)| *at);
            Ok(done.into_iter().map(|(_, found)| found).collect())
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        lock(&self.idle)
    }

    fn open(&self) -> rusqlite::Result<Reader> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch("PRAGMA cache_size = -4096; PRAGMA mmap_size = 0;")?;
        phrase::add(&connection)?;
        let until = Arc::new(Mutex::new(Instant::now()));
        let limit = Arc::clone(&until);
        let is_late = move || Instant::now() >= *lock(&limit);
        connection.progress_handler(STEPS_AT_ONCE, Some(is_late))?;
        Ok(Reader { connection, until })
    }

    fn error(&self, error: &rusqlite::Error) -> StoreError {
        store_error(error, &self.path.display().to_string())
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why something could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    Sqlite(rusqlite::Error),
    Cursor,
    TooMuch,
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

pub(super) fn store_error(error: &rusqlite::Error, path: &str) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => StoreError::Slow,
        Some(ErrorCode::DiskFull) => StoreError::Full(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked(path),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { path, reason: error.to_string() }
        }
        _ => StoreError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_stopped_and_the_next_question_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("traces.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let readers = Readers { most_time: Duration::from_millis(50), ..Readers::new(path) };
        let count_to = |most: i64| {
            readers.read(|connection| {
                let sql =
                    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?)
                     SELECT COUNT(*) FROM n";
                Ok(connection.query_row(sql, [most], |row| row.get::<_, i64>(0))?)
            })
        };
        assert!(matches!(count_to(i64::MAX), Err(StoreError::Slow)));
        assert_eq!(count_to(10).unwrap(), 10);
        assert_eq!(readers.idle().len(), 1);
    }
}

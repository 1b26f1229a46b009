//! Connections that read: lent for a question, and several at a time for a large one.

use super::{PATIENCE, phrase};
use crate::store::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// How many connections for reading are kept open.
const IDLE_READERS: usize = 8;

/// How many threads read numbers over time at once.
const MOST_THREADS: usize = 4;

/// Connections to one file, made as they are needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lends a connection to read with.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open().map_err(|error| self.error(&error))?,
        };
        let result = read(&connection);
        let mut idle = self.idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        drop(idle);
        result.map_err(|error| match error {
            ReadError::Sqlite(error) => self.error(&error),
            ReadError::Cursor => StoreError::Cursor,
            ReadError::TooMuch => StoreError::TooMuch,
            ReadError::Slow => StoreError::Slow,
        })
    }

    /// Reads pieces on several connections at a time; what is found comes in the order of the pieces.
    pub(super) fn read_pieces<P: Sync, T: Send>(
        &self,
        pieces: &[P],
        read: impl Fn(&Connection, &P) -> Result<T, ReadError> + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = pieces.get(at) else { return Ok(done) };
                done.push((at, self.read(|connection| read(connection, piece))?));
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

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch("PRAGMA cache_size = -4096; PRAGMA mmap_size = 0;")?;
        phrase::add(&connection)?;
        Ok(connection)
    }

    fn error(&self, error: &rusqlite::Error) -> StoreError {
        store_error(error, &self.path.display().to_string())
    }
}

/// Why something could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    Sqlite(rusqlite::Error),
    Cursor,
    TooMuch,
    Slow,
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

pub(super) fn store_error(error: &rusqlite::Error, path: &str) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked(path),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { path, reason: error.to_string() }
        }
        _ => StoreError::Failed(error.to_string()),
    }
}

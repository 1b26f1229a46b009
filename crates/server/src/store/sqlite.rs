//! The store in one SQLite file: one thread writes, any number of readers look at what is durable.
//!
//! ```text
//! batches -> queue -> writer thread: several batches a commit, answered after it
//!                        |   idle: index texts, remove what is too old, give pages back
//!                        v
//!                   one file + its log (WAL)  <- readers, each with a connection of its own
//! ```

mod phrase;
mod schema;
mod readers;
mod row;
mod trace;
mod numbers;
mod groups;
mod calls;
mod models;
mod table;
mod fragments;
mod index;
mod retention;
mod commit;
mod writer;
mod condition;
mod judgement;
mod list;
mod aggregate;
mod metrics;
mod detail;
mod examine;

pub use examine::{Examined, examine};

use super::{
    Batch, Changes, Countable, FacetKey, MetricsGroup, MetricsQuery, Paging, Retention, ScoreQuery,
    StatsQuery, Store, StoreError, StoreHealth, TraceQuery, Window, Written,
};
use crate::filter::Filter;
use crate::view::{
    Facet, GroupSummary, ModelSummary, Page, RawSpan, ScoreView, SpanSummary, Stats, TraceSummary,
    TraceView,
};
use glassbox_trace::id::{SpanId, TraceId};
use models::CallsByModel;
use readers::{ReadError, Readers, store_error};
use rusqlite::Connection;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use writer::{Job, Writer};

/// Into how many pieces a window is cut that several threads read: enough that no thread has long to do when the others are through.
const MOST_PIECES: i64 = 16;

/// How long a connection waits for another program that holds the file.
const PATIENCE: Duration = Duration::from_secs(2);

/// Is told what changed, after it is durable, on the thread that writes: it must be quick.
pub type Listener = Arc<dyn Fn(Changes) + Send + Sync>;

/// How the store is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// The file; it is made if it is not there.
    pub path: PathBuf,
    /// What is kept for how long.
    pub retention: Retention,
    /// Is told what changed.
    pub listener: Option<Listener>,
    /// The most bytes of batches that wait to be written; more are refused.
    pub queue_bytes: usize,
    /// The most bytes of the file: what finds no room is refused, as on a full disk. Unlike retention it removes nothing.
    pub file_bytes: Option<u64>,
}

impl SqliteOptions {
    /// Opens this file, and keeps all for ever.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            retention: Retention::default(),
            listener: None,
            queue_bytes: 256 << 20,
            file_bytes: None,
        }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Traces in one SQLite file. Dropping it writes what waits, and closes the file.
///
/// ```
/// use glassbox_server::store::{SqliteOptions, SqliteStore, Store};
/// # let folder = tempfile::tempdir().unwrap();
/// let store = SqliteStore::open(SqliteOptions::new(folder.path().join("traces.db")))?;
/// assert!(store.traces(&Default::default())?.items.is_empty());
/// # Ok::<(), glassbox_server::store::StoreError>(())
/// ```
pub struct SqliteStore {
    retention: Retention,
    readers: Readers,
    writer: Writer,
    /// Keeps other servers from the file as long as it is open.
    _lock: File,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.readers.path()).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a store, makes it if it is not there, and brings it to the present version.
    ///
    /// # Errors
    ///
    /// If the file is held by another server, is no store, is damaged or of a later version, or cannot be written.
    pub fn open(options: SqliteOptions) -> Result<Self, StoreError> {
        let lock = lock(&options)?;
        let connection = open_to_write(&options)?;
        let writer = Writer::start(connection, &options)?;
        let SqliteOptions { path, retention, .. } = options;
        Ok(Self { retention, readers: Readers::new(path), writer, _lock: lock })
    }
}

/// Takes the lock that one server at a time can have.
fn lock(options: &SqliteOptions) -> Result<File, StoreError> {
    let path = beside(&options.path, ".lock");
    let failed = |error: std::io::Error| {
        StoreError::Failed(format!("{} cannot be written: {error}", path.display()))
    };
    if let Some(folder) = options.path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = of_ones_own().write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(StoreError::Locked(options.path.display().to_string())),
    }
}

/// Makes a file if it is not there, which nobody else can read: what models were asked is nobody's business. One that is
/// there stays as it is.
fn of_ones_own() -> OpenOptions {
    let mut options = File::options();
    options.create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The file beside a store whose name goes on so: whoever opens it by another name, through a link, finds the same.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

fn open_to_write(options: &SqliteOptions) -> Result<Connection, StoreError> {
    let path = options.path.display().to_string();
    // The files beside it are made with its mode. Where it cannot be made SQLite says why.
    let _ = of_ones_own().write(true).open(&options.path);
    let open = || {
        let connection = Connection::open(&options.path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    let failed = |error: rusqlite::Error| store_error(&error, &path);
    let connection = open().map_err(failed)?;
    // Before anything is changed: it may be another program's.
    schema::version(&connection, &path)?;
    schema::configure(&connection, options.file_bytes).map_err(failed)?;
    schema::migrate(&connection, &path)?;
    Ok(connection)
}

impl Store for SqliteStore {
    fn write(&self, batch: Batch) -> oneshot::Receiver<Result<Written, StoreError>> {
        let (done, answer) = oneshot::channel();
        self.writer.submit(Job::Write(batch, done));
        answer
    }

    fn abandon(
        &self,
        spans: Vec<(TraceId, SpanId)>,
    ) -> oneshot::Receiver<Result<Written, StoreError>> {
        let (done, answer) = oneshot::channel();
        self.writer.submit(Job::Abandon(spans, done));
        answer
    }

    fn abandon_all(&self) -> oneshot::Receiver<Result<Written, StoreError>> {
        let (done, answer) = oneshot::channel();
        self.writer.submit(Job::AbandonAll(done));
        answer
    }

    fn settle(&self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, answer) = oneshot::channel();
        self.writer.submit(Job::Settle(done));
        answer
    }

    fn traces(&self, query: &TraceQuery) -> Result<Page<TraceSummary>, StoreError> {
        self.readers.read(|connection| list::traces(connection, query))
    }

    fn trace(&self, trace_id: TraceId, most_spans: usize) -> Result<Option<TraceView>, StoreError> {
        self.readers.read(|connection| detail::trace(connection, trace_id, most_spans))
    }

    fn span(&self, trace_id: TraceId, span_id: SpanId) -> Result<Option<RawSpan>, StoreError> {
        self.readers.read(|connection| detail::span(connection, trace_id, span_id))
    }

    fn raw_spans(&self, trace_id: TraceId, most_spans: usize) -> Result<Vec<RawSpan>, StoreError> {
        self.readers.read(|connection| detail::raw_spans(connection, trace_id, most_spans))
    }

    fn records(&self, trace_id: TraceId) -> Result<Vec<RawSpan>, StoreError> {
        self.readers.read(|connection| Ok(detail::records(connection, trace_id)?))
    }

    fn texts(
        &self,
        spans: &[(TraceId, SpanId)],
        each: &mut dyn FnMut(usize, &str),
    ) -> Result<(), StoreError> {
        self.readers.read(|connection| Ok(detail::texts(connection, spans, each)?))
    }

    fn spans(&self, filter: &Filter, paging: &Paging) -> Result<Page<SpanSummary>, StoreError> {
        self.readers.read(|connection| list::spans(connection, filter, paging))
    }

    fn sessions(&self, filter: &Filter, paging: &Paging) -> Result<Page<GroupSummary>, StoreError> {
        self.readers.read(|connection| list::groups(connection, list::By::Session, filter, paging))
    }

    fn users(&self, filter: &Filter, paging: &Paging) -> Result<Page<GroupSummary>, StoreError> {
        self.readers.read(|connection| list::groups(connection, list::By::User, filter, paging))
    }

    fn models(&self, window: Window) -> Result<Vec<ModelSummary>, StoreError> {
        let pieces = window.pieces(MOST_PIECES, 1);
        let found = self
            .readers
            .read_pieces(&pieces, |connection, piece| CallsByModel::read(connection, *piece))?;
        Ok(CallsByModel::summaries(found))
    }

    fn stats(&self, query: &StatsQuery) -> Result<Stats, StoreError> {
        // A filter can take longer than the rows that it leaves, and each piece asks it anew.
        let most = if query.filter.is_empty() { MOST_PIECES } else { 1 };
        let pieces = query.window.pieces(most, query.bucket_us);
        let found = self.readers.read_pieces(&pieces, |connection, piece| {
            aggregate::buckets(connection, query, *piece)
        })?;
        Ok(aggregate::stats(query, found))
    }

    fn metrics(&self, query: &MetricsQuery) -> Result<Vec<MetricsGroup>, StoreError> {
        self.readers.read(|connection| metrics::metrics(connection, query))
    }

    fn scores(&self, query: &ScoreQuery) -> Result<Page<ScoreView>, StoreError> {
        self.readers.read(|connection| list::scores(connection, query))
    }

    fn count(&self, what: Countable<'_>) -> Result<i64, StoreError> {
        self.readers.read(|connection| list::count(connection, what))
    }

    fn facets(
        &self,
        filter: &Filter,
        key: FacetKey,
        limit: usize,
    ) -> Result<Vec<Facet>, StoreError> {
        self.readers.read(|connection| aggregate::facets(connection, filter, key, limit))
    }

    fn health(&self) -> Result<StoreHealth, StoreError> {
        let health = self.readers.read(|connection| Ok(retention::health(connection)?))?;
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let path = self.readers.path();
        Ok(StoreHealth {
            bytes: size(path) + size(&beside(path, "-wal")),
            path: path.display().to_string(),
            queue: self.writer.queued(),
            retention: self.retention,
            ..health
        })
    }
}

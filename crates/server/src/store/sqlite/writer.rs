//! The thread that writes: as many batches a commit as wait, each answered when it is durable.

use super::commit::{Commit, Memory};
use super::row::span_number;
use super::{Listener, SqliteOptions, index, retention, store_error};
use crate::store::{Batch, Retention, StoreError, Written};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use glassbox_trace::id::{SpanId, TraceId};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The most bytes of batches that share a commit.
const MOST_BYTES_A_COMMIT: usize = 16 << 20;

/// How long nothing has to come before texts are indexed.
const IDLE: Duration = Duration::from_millis(20);

/// For how long texts are indexed at a time while batches come.
const INDEX_TIME: Duration = Duration::from_millis(15);

/// For how long texts are indexed at a time when none come; one that does ends it. The longer, the fewer pieces of the
/// index have to be merged.
const INDEX_TIME_IDLE: Duration = Duration::from_millis(200);

/// How often texts are indexed when there is no quiet moment.
const INDEX_EVERY: Duration = Duration::from_millis(500);

/// How often is looked for what is too old, unless there was more of it than was removed at once.
const RETENTION_EVERY: Duration = Duration::from_secs(5);

/// How often is looked for what removed traces left, for which tables are looked through.
const TIDY_EVERY: Duration = Duration::from_hours(1);

type Done<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the thread is told; the end comes the same way as the data, so it comes after them.
pub(super) enum Job {
    Write(Batch, Done<Written>),
    Abandon(Vec<(TraceId, SpanId)>, Done<Written>),
    AbandonAll(Done<Written>),
    Settle(Done<()>),
    Close,
}

/// The way to the thread.
pub(super) struct Writer {
    jobs: Sender<(usize, Job)>,
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    bytes: AtomicUsize,
    jobs: AtomicUsize,
    most_bytes: usize,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        options: &SqliteOptions,
    ) -> Result<Self, StoreError> {
        let (jobs, received) = crossbeam_channel::unbounded();
        let queue = Arc::new(Queue { most_bytes: options.queue_bytes, ..Queue::default() });
        let thread = Thread {
            connection,
            path: options.path.display().to_string(),
            retention: options.retention,
            listener: options.listener.clone(),
            queue: Arc::clone(&queue),
            memory: Memory::default(),
            has_backlog: true,
            tidied: None,
        };
        let thread = std::thread::Builder::new()
            .name("glassbox-store".to_owned())
            .spawn(move || thread.run(&received))
            .map_err(|error| StoreError::Failed(format!("no thread could be started: {error}")))?;
        Ok(Self { jobs, queue, thread: Some(thread) })
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.jobs.load(Ordering::Relaxed)
    }

    pub(super) fn submit(&self, job: Job) {
        let bytes = match &job {
            Job::Write(batch, _) if !batch.is_whole() => return job.refuse(&no_memory()),
            Job::Write(batch, _) => batch.bytes(),
            _ => 0,
        };
        let before = self.queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        if bytes > 0 && before > self.queue.most_bytes {
            self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            job.refuse(&StoreError::Busy);
            return;
        }
        self.queue.jobs.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = self.jobs.send((bytes, job)) {
            refused.0.1.refuse(&StoreError::Closed);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.submit(Job::Close);
        // A thread that panicked has told so already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Job {
    /// Whoever asked may be gone; then nobody wants the answer.
    fn refuse(self, error: &StoreError) {
        match self {
            Self::Write(_, done) | Self::Abandon(_, done) | Self::AbandonAll(done) => {
                let _ = done.send(Err(error.clone()));
            }
            Self::Settle(done) => {
                let _ = done.send(Err(error.clone()));
            }
            Self::Close => (),
        }
    }
}

/// Nothing is kept of spans whose payloads could not be compressed; whoever sent them sends them again.
fn no_memory() -> StoreError {
    StoreError::Failed("there is no memory to compress the spans; send again later".to_owned())
}

struct Thread {
    connection: Connection,
    path: String,
    retention: Retention,
    listener: Option<Listener>,
    queue: Arc<Queue>,
    memory: Memory,
    has_backlog: bool,
    /// When was looked for what removed traces left.
    tidied: Option<Instant>,
}

impl Thread {
    fn run(mut self, jobs: &Receiver<(usize, Job)>) {
        let mut indexed = Instant::now();
        let mut retained = Instant::now();
        let mut is_idle = false;
        let mut is_too_much = false;
        loop {
            let wait = match (self.has_backlog || is_too_much, is_idle) {
                (true, true) => Duration::ZERO,
                (true, false) => IDLE,
                (false, _) => RETENTION_EVERY,
            };
            match jobs.recv_timeout(wait) {
                Ok(first) => {
                    is_idle = false;
                    if !self.commit(first, jobs) {
                        break;
                    }
                    self.has_backlog = true;
                    if indexed.elapsed() >= INDEX_EVERY {
                        self.index(INDEX_TIME, || false);
                        indexed = Instant::now();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    is_idle = true;
                    if self.has_backlog {
                        self.index(INDEX_TIME_IDLE, || !jobs.is_empty());
                        indexed = Instant::now();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if is_too_much || retained.elapsed() >= RETENTION_EVERY {
                // What cannot be removed now has been told, and is tried again.
                is_too_much = self.retain().unwrap_or(false);
                retained = Instant::now();
            }
        }
        // What was answered is in the log and durable; closing only tidies up.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Does a job and those that wait behind it, in one transaction. Returns whether there may be more.
    fn commit(&mut self, first: (usize, Job), jobs: &Receiver<(usize, Job)>) -> bool {
        let mut answers = Vec::new();
        let mut settled = Vec::new();
        let mut is_open = true;
        let result = self.transaction(first, jobs, &mut answers, &mut settled, &mut is_open);
        match result {
            Ok(changes) => {
                for (done, written) in answers {
                    // Whoever asked may be gone; it is durable all the same.
                    let _ = done.send(Ok(written));
                }
                if let Some(listener) = self.listener.as_ref().filter(|_| !changes.is_empty()) {
                    listener(changes);
                }
            }
            Err(error) => {
                // Fails only if there is no transaction any more, which is what is wanted.
                let _ = self.connection.execute_batch("ROLLBACK");
                self.memory.clear();
                let error = store_error(&error, &self.path);
                tracing::warn!("spans could not be kept: {error}");
                for (done, _) in answers {
                    let _ = done.send(Err(error.clone()));
                }
            }
        }
        for done in settled {
            let _ = done.send(self.settle());
        }
        is_open
    }

    fn transaction(
        &mut self,
        first: (usize, Job),
        jobs: &Receiver<(usize, Job)>,
        answers: &mut Vec<(Done<Written>, Written)>,
        settled: &mut Vec<Done<()>>,
        is_open: &mut bool,
    ) -> rusqlite::Result<Vec<crate::store::Change>> {
        let mut begun = Commit::begin(&self.connection, &mut self.memory);
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some((size, job)) = next {
            self.queue.bytes.fetch_sub(size, Ordering::Relaxed);
            self.queue.jobs.fetch_sub(1, Ordering::Relaxed);
            bytes += size;
            // What could not even begin is answered with the error of the whole.
            let commit = begun.as_mut().ok();
            let (done, result) = match job {
                Job::Write(batch, done) => (done, commit.map(|commit| commit.write(batch))),
                Job::Abandon(spans, done) => {
                    let spans = spans.into_iter().map(|(trace, span)| (trace, span_number(span)));
                    (done, commit.map(|commit| abandon(commit, spans)))
                }
                Job::AbandonAll(done) => {
                    let all = |commit: &mut Commit<'_>| {
                        let running = commit.running()?;
                        abandon(commit, running.into_iter())
                    };
                    (done, commit.map(all))
                }
                Job::Settle(done) => {
                    settled.push(done);
                    break;
                }
                Job::Close => {
                    *is_open = false;
                    break;
                }
            };
            match result.transpose() {
                Ok(written) => answers.push((done, written.unwrap_or_default())),
                Err(error) => {
                    answers.push((done, Written::default()));
                    return Err(error);
                }
            }
            next = if bytes < MOST_BYTES_A_COMMIT { jobs.try_recv().ok() } else { None };
        }
        begun?.finish()
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        let index = || {
            while index::index_some(&self.connection, INDEX_TIME_IDLE, || false)? {}
            Ok(())
        };
        index().map_err(|error| self.failed(&error))?;
        while self.retain()? {}
        Ok(())
    }

    fn index(&mut self, time: Duration, is_wanted: impl Fn() -> bool) {
        match index::index_some(&self.connection, time, is_wanted) {
            Ok(left) => self.has_backlog = left,
            Err(error) => {
                self.failed(&error);
                self.has_backlog = false;
            }
        }
    }

    /// Removes some of what is not to be kept. Returns whether there may be more.
    fn retain(&mut self) -> Result<bool, StoreError> {
        if self.retention == Retention::default() {
            return Ok(false);
        }
        let removed = retention::remove_some(&self.connection, &self.retention);
        if !matches!(removed, Ok(false)) {
            // What was removed may be remembered.
            self.memory.clear();
        }
        let removed = removed.map_err(|error| self.failed(&error))?;
        if !removed && self.tidied.is_none_or(|at| at.elapsed() >= TIDY_EVERY) {
            self.tidied = Some(Instant::now());
            self.memory.clear();
            retention::tidy(&self.connection, &self.retention)
                .map_err(|error| self.failed(&error))?;
        }
        Ok(removed)
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        // Fails only if there is no transaction any more, which is what is wanted.
        let _ = self.connection.execute_batch("ROLLBACK");
        let error = store_error(error, &self.path);
        tracing::warn!("the store could not be tidied: {error}");
        error
    }
}

fn abandon(
    commit: &mut Commit<'_>,
    spans: impl Iterator<Item = (TraceId, i64)>,
) -> rusqlite::Result<Written> {
    let mut written = Written::default();
    for (trace_id, span) in spans {
        if commit.abandon(trace_id, span)? {
            written.changed += 1;
        } else {
            written.duplicates += 1;
        }
    }
    Ok(written)
}

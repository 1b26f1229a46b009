//! One transaction: batches become rows, and the traces that they touch get new numbers.

use super::fragments;
use super::row::{self, flags};
use super::schema::PLACE_BITS;
use super::table::{load, release, write_span, write_summary};
use super::trace::{Entry, MOST_CONTEXTS, PARTS, Rank, Root, TraceState};
use crate::received::{ReceivedSpan, State, TraceContext};
use crate::store::{
    Batch, Block, Change, MOST_SPANS_OF_TRACE, NewScore, NewSpan, OriginBytes, Written,
};
use glassbox_trace::id::{SpanId, TraceId};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The most spans of which the writer remembers what their traces' numbers need, before it forgets the oldest traces.
const MOST_REMEMBERED: usize = 20_000;

/// The number of the next block: larger than all that are there, and than those that were indexed and are gone.
const NEXT_BLOCK: &str = "SELECT MAX(COALESCE((SELECT MAX(no) FROM blocks), 0),
     (SELECT value FROM meta WHERE key = 'indexed')) + 1";

/// What the writer remembers between commits.
#[derive(Debug, Default)]
pub(super) struct Memory {
    traces: HashMap<TraceId, TraceState>,
    origins: HashMap<i64, i64>,
    commits: u64,
}

/// A transaction that is under way.
pub(super) struct Commit<'a> {
    connection: &'a Connection,
    memory: &'a mut Memory,
    seq: i64,
    touched: BTreeSet<TraceId>,
    /// By how much fewer payloads of a block are in use.
    released: BTreeMap<i64, i64>,
    changes: Vec<Change>,
}

impl Memory {
    /// Forgets all: what was remembered may not have been committed.
    pub(super) fn clear(&mut self) {
        *self = Self { commits: self.commits, ..Self::default() };
    }

    fn forget_oldest(&mut self) {
        let mut spans: usize = self.traces.values().map(|trace| trace.spans.len()).sum();
        if spans <= MOST_REMEMBERED {
            return;
        }
        let mut by_age: Vec<_> = self
            .traces
            .values()
            .map(|trace| (trace.touched, trace.trace_id, trace.spans.len()))
            .collect();
        by_age.sort_unstable();
        for (touched, trace_id, count) in by_age {
            // What the last commit touched is likely to be touched again, however large it is.
            if spans <= MOST_REMEMBERED / 2 || touched == self.commits {
                break;
            }
            self.traces.remove(&trace_id);
            spans -= count;
        }
    }
}

impl<'a> Commit<'a> {
    pub(super) fn begin(
        connection: &'a Connection,
        memory: &'a mut Memory,
    ) -> rusqlite::Result<Self> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        memory.commits += 1;
        let seq: i64 = connection
            .prepare_cached("SELECT value FROM meta WHERE key = 'seq'")?
            .query_row([], |row| row.get(0))?;
        Ok(Self {
            connection,
            memory,
            seq: seq + 1,
            touched: BTreeSet::new(),
            released: BTreeMap::new(),
            changes: Vec::new(),
        })
    }

    /// Ends the transaction, and returns what changed.
    pub(super) fn finish(mut self) -> rusqlite::Result<Vec<Change>> {
        for trace_id in std::mem::take(&mut self.touched) {
            let Some(trace) = self.memory.traces.get(&trace_id) else { continue };
            let summary = trace.summary(self.seq);
            write_summary(self.connection, trace.no, &summary)?;
            self.changes.push(Change::Trace(Arc::new(summary)));
        }
        for (block, count) in &self.released {
            release(self.connection, *block, *count)?;
        }
        self.connection
            .prepare_cached("UPDATE meta SET value = ? WHERE key = 'seq'")?
            .execute([self.seq])?;
        self.connection.execute_batch("COMMIT")?;
        self.memory.forget_oldest();
        Ok(self.changes)
    }

    pub(super) fn write(&mut self, batch: Batch) -> rusqlite::Result<Written> {
        let mut written = Written::default();
        let mut parts = fragments::Parts::default();
        for block in batch.blocks {
            let block = parts.take_out(block)?;
            self.block(&block, false, &mut written)?;
        }
        for block in
            parts.put_together(|trace_id, span_id| self.payload_of_parts(trace_id, span_id))?
        {
            self.block(&block, true, &mut written)?;
        }
        for score in &batch.scores {
            self.score(score)?;
            written.changed += 1;
        }
        Ok(written)
    }

    fn block(
        &mut self,
        block: &Block,
        is_parts: bool,
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let block_no: i64 =
            self.connection.prepare_cached(NEXT_BLOCK)?.query_row([], |row| row.get(0))?;
        let mut directory = Vec::with_capacity(16 * block.spans.len());
        for new in &block.spans {
            let Some(id) = self.span(new, block_no, is_parts, written)? else { continue };
            directory.extend(id.to_le_bytes());
            for number in [new.offset, new.length] {
                directory.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
            }
        }
        if directory.is_empty() {
            return Ok(());
        }
        let live = i64::try_from(directory.len() / 16).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached("INSERT INTO blocks (no, live, directory, data) VALUES (?, ?, ?, ?)")?
            .execute(params![block_no, live, directory, block.compressed])?;
        Ok(())
    }

    /// Writes a span, unless the one that is there says more. Returns its id if it was written.
    fn span(
        &mut self,
        new: &NewSpan,
        block: i64,
        is_parts: bool,
        written: &mut Written,
    ) -> rusqlite::Result<Option<i64>> {
        let span = &new.span;
        let rank = Rank::of(span, new.digest, is_parts);
        let number = row::span_number(span.span_id);
        let origin = self.origin(&new.origin)?;
        let (connection, commits) = (self.connection, self.memory.commits);
        let trace = trace_of(connection, self.memory, span.trace_id)?;
        let id = match trace.spans.get(&number) {
            Some(old) if !says_more(span.state, rank, old) => {
                written.duplicates += 1;
                return Ok(None);
            }
            Some(old) => {
                *self.released.entry(old.block).or_default() += 1;
                old.id
            }
            None if trace.next_place >= MOST_SPANS_OF_TRACE => {
                written.surplus += 1;
                return Ok(None);
            }
            None => {
                trace.next_place += 1;
                (trace.no << PLACE_BITS) + trace.next_place - 1
            }
        };
        let context = context_of(connection, trace, &span.context)?;
        let entry = entry(new, id, rank, block, context);
        write_span(connection, new, &entry, origin)?;
        trace.spans.insert(number, entry);
        trace.touched = commits;
        self.touched.insert(span.trace_id);
        if !new.is_trace_record {
            self.changes.push(Change::Span(Arc::clone(span)));
        }
        written.changed += 1;
        Ok(Some(id))
    }

    /// Returns the bytes of a span that was put together from parts.
    fn payload_of_parts(
        &mut self,
        trace_id: TraceId,
        span_id: SpanId,
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        let trace = trace_of(self.connection, self.memory, trace_id)?;
        let Some(entry) = trace.spans.get(&row::span_number(span_id)) else { return Ok(None) };
        if entry.rank.class != PARTS {
            return Ok(None);
        }
        super::detail::payload(self.connection, entry.id)
    }

    fn origin(&mut self, origin: &OriginBytes) -> rusqlite::Result<i64> {
        if let Some(no) = self.memory.origins.get(&origin.digest) {
            return Ok(*no);
        }
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO origins (digest, resource, scope) VALUES (?, ?, ?)",
            )?
            .execute(params![origin.digest, origin.resource, origin.scope])?;
        let no = self
            .connection
            .prepare_cached("SELECT no FROM origins WHERE digest = ?")?
            .query_row([origin.digest], |row| row.get(0))?;
        if self.memory.origins.len() > 1000 {
            self.memory.origins.clear();
        }
        self.memory.origins.insert(origin.digest, no);
        Ok(no)
    }

    fn score(&mut self, score: &NewScore) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO scores (id, trace_id, span_id, name, value, comment, at_us)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                score.id,
                score.trace_id.to_bytes(),
                score.span_id.map(row::span_number),
                score.name,
                score.value.to_string(),
                score.comment,
                score.at_us
            ])?;
        Ok(())
    }

    /// Marks a span as abandoned if it is still running.
    pub(super) fn abandon(
        &mut self,
        trace_id: TraceId,
        span_number: i64,
    ) -> rusqlite::Result<bool> {
        let (connection, commits) = (self.connection, self.memory.commits);
        let trace = trace_of(connection, self.memory, trace_id)?;
        let Some(entry) =
            trace.spans.get_mut(&span_number).filter(|entry| entry.state == State::Running)
        else {
            return Ok(false);
        };
        entry.state = State::Abandoned;
        connection
            .prepare_cached("UPDATE spans SET state = ? WHERE id = ?")?
            .execute([row::state_number(State::Abandoned), entry.id])?;
        trace.touched = commits;
        self.touched.insert(trace_id);
        if let Some(span) = super::detail::received(connection, entry.id)? {
            self.changes
                .push(Change::Span(Arc::new(ReceivedSpan { state: State::Abandoned, ..span })));
        }
        Ok(true)
    }

    /// Returns all spans that are running.
    pub(super) fn running(&self) -> rusqlite::Result<Vec<(TraceId, i64)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT t.trace_id, s.span_id FROM traces t JOIN spans s
             ON s.id >= t.no << 20 AND s.id < (t.no + 1) << 20 AND s.state = 0 WHERE t.open_spans > 0",
        )?;
        let rows = statement.query_map([], |row| {
            Ok((row::trace_id(row.get_ref(0)?.as_blob().unwrap_or_default()), row.get(1)?))
        })?;
        rows.collect()
    }
}

/// Returns what is remembered of a trace, read from the file or made if need be.
fn trace_of<'m>(
    connection: &Connection,
    memory: &'m mut Memory,
    trace_id: TraceId,
) -> rusqlite::Result<&'m mut TraceState> {
    use std::collections::hash_map::Entry as Slot;
    match memory.traces.entry(trace_id) {
        Slot::Occupied(slot) => Ok(slot.into_mut()),
        Slot::Vacant(slot) => Ok(slot.insert(load(connection, trace_id)?)),
    }
}

fn entry(new: &NewSpan, id: i64, rank: Rank, block: i64, context: usize) -> Entry {
    let span = &new.span;
    let flag = |is: bool, flag: i64| if is { flag } else { 0 };
    // Lists show those of roots only.
    let preview = |text: &Option<String>| text.clone().filter(|_| span.is_local_root);
    let cache_hit = span.phases.as_ref().is_some_and(|phases| phases.cache_hit);
    Entry {
        id,
        rank,
        parent: span.parent_id.map(row::span_number),
        kind: span.kind,
        state: span.state,
        flags: flag(span.is_local_root, flags::LOCAL_ROOT)
            | flag(span.has_input, flags::HAS_INPUT)
            | flag(span.has_output, flags::HAS_OUTPUT)
            | flag(new.is_trace_record, flags::TRACE_RECORD)
            | flag(cache_hit, flags::CACHE_HIT),
        start_us: span.start_us,
        end_us: span.end_us,
        usage: span.usage,
        cost: span.cost_pico,
        attempts: span.phases.as_ref().map_or(0, |phases| phases.attempts),
        model: span.model.as_deref().map(Into::into),
        context,
        block,
        root: Some(Box::new(Root {
            name: span.name.clone(),
            input_preview: preview(&span.input_preview),
            output_preview: preview(&span.output_preview),
        })),
    }
}

/// Tells whether a message about a span replaces the one that is there.
fn says_more(state: State, rank: Rank, old: &Entry) -> bool {
    if old.state == State::Abandoned && state == State::Running && rank.class == old.rank.class {
        // A span that was given up is announced once more: its process is there after all.
        return true;
    }
    if rank.digest == old.rank.digest {
        return false;
    }
    // Parts that are put together anew hold all that there was.
    rank > old.rank || (rank.class, old.rank.class) == (PARTS, PARTS)
}

/// Returns the place of a context in its trace's list, and adds it if it is new.
fn context_of(
    connection: &Connection,
    trace: &mut TraceState,
    context: &TraceContext,
) -> rusqlite::Result<usize> {
    if let Some(at) = trace.contexts.place_of(context) {
        return Ok(at);
    }
    let at = trace.contexts.len();
    if at >= MOST_CONTEXTS {
        // Numbers beyond are those of the next trace. Nobody sees more than the first of them anyway.
        return Ok(at - 1);
    }
    // A map of strings and JSON values can always be written.
    let json = serde_json::to_string(context).unwrap_or_default();
    connection
        .prepare_cached("INSERT INTO contexts (id, json) VALUES (?, ?)")?
        .execute(params![(trace.no << PLACE_BITS) + i64::try_from(at).unwrap_or(i64::MAX), json])?;
    trace.contexts.push(context.clone());
    Ok(at)
}

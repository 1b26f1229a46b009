//! Rows of spans and traces, as the writer reads and writes them.

use super::calls::CallNumbers;
use super::row::{self, Extra};
use super::schema::ids_of;
use super::trace::{Contexts, Entry, Rank, Root, TraceState};
use crate::received::TraceContext;
use crate::store::NewSpan;
use crate::view::TraceSummary;
use glassbox_trace::id::TraceId;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashMap;

/// Reads what is known of a trace; one that is not there is made.
pub(super) fn load(connection: &Connection, trace_id: TraceId) -> rusqlite::Result<TraceState> {
    let no: Option<i64> = connection
        .prepare_cached("SELECT no FROM traces WHERE trace_id = ?")?
        .query_row([trace_id.to_bytes()], |row| row.get(0))
        .optional()?;
    let mut state = TraceState {
        trace_id,
        no: 0,
        next_place: 0,
        spans: HashMap::new(),
        contexts: Contexts::default(),
        touched: 0,
    };
    let Some(no) = no else {
        connection
            .prepare_cached("INSERT INTO traces (trace_id) VALUES (?)")?
            .execute([trace_id.to_bytes()])?;
        state.no = connection.last_insert_rowid();
        return Ok(state);
    };
    state.no = no;
    let (from, to) = ids_of(no);
    let mut statement = connection
        .prepare_cached("SELECT json FROM contexts WHERE id >= ? AND id < ? ORDER BY id")?;
    let contexts = statement.query_map([from, to], |row| {
        let json = row.get_ref(0)?.as_str().unwrap_or_default();
        Ok(serde_json::from_str::<TraceContext>(json).unwrap_or_default())
    })?;
    for context in contexts {
        state.contexts.push(context?);
    }
    let mut statement = connection.prepare_cached(
        "SELECT id, span_id, parent_id, kind, state, flags, rank, digest, start_us, end_us, input, cache_read,
             cache_write, output, reasoning, cost, attempts, model, context, block, name, input_preview, output_preview
         FROM spans WHERE id >= ? AND id < ?",
    )?;
    let mut rows = statement.query([from, to])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let flags: i64 = row.get(5)?;
        let parent: Option<i64> = row.get(2)?;
        let end_us: Option<i64> = row.get(9)?;
        let entry = Entry {
            id,
            rank: Rank { class: row.get(6)?, end_us: end_us.unwrap_or(0), digest: row.get(7)? },
            parent,
            kind: row::kind_of(row.get(3)?),
            state: row::state_of(row.get(4)?),
            flags,
            start_us: row.get(8)?,
            end_us,
            usage: row::usage(row, 10)?,
            cost: row.get(15)?,
            attempts: row.get::<_, Option<u32>>(16)?.unwrap_or(0),
            model: row.get::<_, Option<String>>(17)?.map(Into::into),
            context: usize::try_from(row.get::<_, i64>(18)?).unwrap_or(0),
            block: row.get(19)?,
            root: Some(Box::new(Root {
                name: row.get(20)?,
                input_preview: row.get(21)?,
                output_preview: row.get(22)?,
            })),
        };
        state.next_place = state.next_place.max(id - from + 1);
        state.spans.insert(row.get(1)?, entry);
    }
    Ok(state)
}

pub(super) fn write_span(
    connection: &Connection,
    new: &NewSpan,
    entry: &Entry,
    origin: i64,
) -> rusqlite::Result<()> {
    let span = &new.span;
    let extra =
        Extra { phases: span.phases.clone(), notes: span.notes.clone(), odd: span.odd.clone() };
    // Texts and numbers can always be written.
    let extra =
        (extra != Extra::default()).then(|| serde_json::to_string(&extra).unwrap_or_default());
    let usage = &span.usage;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO spans (id, span_id, parent_id, flags, kind, state, rank, digest, name, start_us,
                 end_us, model, provider, tool, input, cache_read, cache_write, output, reasoning, cost, attempts,
                 first_chunk_us, error_type, error_message, extra, input_preview, output_preview, context, origin, block,
                 offset, length, numbers)
             VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        )?
        .execute(params![
            entry.id,
            row::span_number(span.span_id),
            entry.parent,
            entry.flags,
            row::kind_number(span.kind),
            row::state_number(span.state),
            entry.rank.class,
            entry.rank.digest,
            span.name,
            span.start_us,
            span.end_us,
            span.model,
            span.provider,
            span.tool,
            row::count(usage.input),
            row::count(usage.cache_read),
            row::count(usage.cache_write),
            row::count(usage.output),
            row::count(usage.reasoning),
            span.cost_pico,
            span.phases.as_ref().map(|phases| phases.attempts),
            span.phases.as_ref().and_then(|phases| phases.first_chunk_us),
            span.error.as_ref().map(|error| &error.kind),
            span.error.as_ref().map(|error| &error.message),
            extra,
            entry.root.as_ref().and_then(|root| root.input_preview.as_deref()),
            entry.root.as_ref().and_then(|root| root.output_preview.as_deref()),
            i64::try_from(entry.context).unwrap_or(i64::MAX),
            origin,
            entry.block,
            i64::try_from(new.offset).unwrap_or(i64::MAX),
            i64::try_from(new.length).unwrap_or(i64::MAX),
            CallNumbers::of(span).map(|numbers| numbers.write()),
        ])?;
    Ok(())
}

pub(super) fn write_summary(
    connection: &Connection,
    no: i64,
    trace: &TraceSummary,
) -> rusqlite::Result<()> {
    let usage = &trace.tokens.0;
    connection
        .prepare_cached(
            "UPDATE traces SET name = ?, state = ?, start_us = ?, end_us = ?, duration_us = ?, spans = ?, open_spans = ?,
                 errors = ?, model_calls = ?, retries = ?, cache_hits = ?, input = ?, cache_read = ?, cache_write = ?,
                 output = ?, reasoning = ?, tokens = ?, cost = ?, models = ?, tags = ?, metadata = ?, session_id = ?,
                 user_id = ?, environment = ?, release = ?, version = ?, service = ?, input_preview = ?,
                 output_preview = ?, seq = ? WHERE no = ?",
        )?
        .execute(params![
            trace.name,
            row::state_number(trace.state),
            trace.start_us,
            trace.end_us,
            trace.duration_us,
            trace.spans,
            trace.open_spans,
            trace.errors,
            trace.model_calls,
            trace.retries,
            trace.cache_hits,
            row::count(usage.input),
            row::count(usage.cache_read),
            row::count(usage.cache_write),
            row::count(usage.output),
            row::count(usage.reasoning),
            row::count(Some(usage.total())),
            trace.cost_usd.map(|dollars| dollars.0),
            row::to_json(&trace.models),
            row::to_json(&trace.tags),
            row::to_json(&trace.metadata),
            trace.session_id,
            trace.user_id,
            trace.environment,
            trace.release,
            trace.version,
            trace.service,
            trace.input_preview,
            trace.output_preview,
            trace.updated_seq,
            no,
        ])?;
    Ok(())
}

/// Notes that payloads of a block are not in use any more, and removes a block of which none is.
pub(super) fn release(connection: &Connection, block: i64, count: i64) -> rusqlite::Result<()> {
    let left: Option<i64> = connection
        .prepare_cached("UPDATE blocks SET live = live - ? WHERE no = ? RETURNING live")?
        .query_row([count, block], |row| row.get(0))
        .optional()?;
    if left.is_some_and(|left| left <= 0) {
        connection.prepare_cached("DELETE FROM blocks WHERE no = ?")?.execute([block])?;
    }
    Ok(())
}

//! One trace, one span, with what lists leave out.

use super::row::{self, SPAN_COLUMNS, TRACE_COLUMNS, flags};
use super::schema::{PLACE_BITS, SPAN_ID_PARTS, ids_of};
use super::{ReadError, index};
use crate::received::{Origin, ReceivedSpan, TraceContext};
use crate::view::{RawSpan, SpanSummary, TraceView};
use crate::wire::{Group, WireSpan};
use glassbox_trace::id::{SpanId, TraceId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::{HashMap, HashSet};

/// A block is never larger than one span with a request for itself.
const MOST_BLOCK_BYTES: usize = 512 << 20;

pub(super) fn trace(
    connection: &Connection,
    trace_id: TraceId,
    most_spans: usize,
) -> Result<Option<TraceView>, ReadError> {
    let found = connection
        .prepare_cached(&format!("SELECT {TRACE_COLUMNS}, t.no FROM traces t WHERE trace_id = ?"))?
        .query_row([trace_id.to_bytes()], |row| {
            Ok((row::trace_summary(row)?, row.get::<_, i64>(30)?))
        })
        .optional()?;
    let Some((trace, no)) = found else { return Ok(None) };
    let (from, to) = ids_of(no);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {SPAN_COLUMNS} FROM spans s JOIN traces t ON t.no = ?
         WHERE s.id >= ? AND s.id < ? AND s.flags & {} = 0 ORDER BY s.start_us, s.id LIMIT ?",
        flags::TRACE_RECORD
    ))?;
    let limit = i64::try_from(most_spans).unwrap_or(i64::MAX).saturating_add(1);
    let rows = statement.query_map([no, from, to, limit], row::span_summary)?;
    let mut spans = rows.collect::<Result<Vec<_>, _>>()?;
    let truncated = spans.len() > most_spans;
    spans.truncate(most_spans);
    tell_oddities(&mut spans, truncated);
    Ok(Some(TraceView { trace, spans, truncated }))
}

/// Tells of each span what is odd about where it hangs.
fn tell_oddities(spans: &mut [SpanSummary], truncated: bool) {
    let places: HashMap<String, usize> =
        spans.iter().enumerate().map(|(at, span)| (span.span_id.clone(), at)).collect();
    let parents: Vec<Option<usize>> = spans
        .iter()
        .map(|span| span.parent_id.as_ref().and_then(|id| places.get(id)).copied())
        .collect();
    let circles = in_circles(&parents);
    for at in 0..spans.len() {
        let odd = match parents[at] {
            _ if circles.contains(&at) => Some("cycle: it is below itself".to_owned()),
            Some(parent) => skew(&spans[at], &spans[parent]),
            None => spans[at]
                .parent_id
                .as_ref()
                .filter(|_| !truncated)
                .map(|parent| format!("orphan: its parent {parent} never arrived")),
        };
        // A span that is its own parent has been told so.
        let odd = odd.filter(|odd| {
            !(odd.starts_with("cycle") && spans[at].odd.iter().any(|odd| odd.starts_with("cycle")))
        });
        spans[at].odd.extend(odd);
    }
}

/// Clocks that are read in milliseconds, as JavaScript's for the beginnings of spans, are not odd.
const MOST_ROUNDED_US: i64 = 1000;

/// How far a span lies outside its parent, as it can when clocks differ.
fn skew(span: &SpanSummary, parent: &SpanSummary) -> Option<String> {
    let early = parent.start_us.saturating_sub(span.start_us);
    if early > MOST_ROUNDED_US {
        return Some(format!("clock skew: it began {early} us before its parent"));
    }
    let late = parent.end_us.zip(span.end_us).map_or(0, |(parent, end)| end.saturating_sub(parent));
    // Not odd for work that goes on in the background, but worth knowing.
    (late > MOST_ROUNDED_US).then(|| format!("it ended {late} us after its parent"))
}

/// The spans that are their own ancestors.
fn in_circles(parents: &[Option<usize>]) -> HashSet<usize> {
    // 0: not seen; 1: on the way up; 2: done.
    let mut seen = vec![0_u8; parents.len()];
    let mut circles = HashSet::new();
    for start in 0..parents.len() {
        let mut path = Vec::new();
        let mut next = Some(start);
        while let Some(at) = next.filter(|at| seen[*at] == 0) {
            seen[at] = 1;
            path.push(at);
            next = parents[at];
        }
        if let Some(again) = next.filter(|at| seen[*at] == 1) {
            circles.extend(path.iter().rev().take_while(|at| **at != again).chain([&again]));
        }
        path.into_iter().for_each(|at| seen[at] = 2);
    }
    circles
}

pub(super) fn span(
    connection: &Connection,
    trace_id: TraceId,
    span_id: SpanId,
) -> Result<Option<RawSpan>, ReadError> {
    let mut statement =
        connection.prepare_cached(&format!("{} AND {}", raw_query(), has_span_id()))?;
    let mut blocks = Blocks::new(connection);
    let found = statement
        .query_row(params![trace_id.to_bytes(), row::span_number(span_id)], |row| blocks.raw(row))
        .optional()?;
    Ok(found)
}

pub(super) fn raw_spans(
    connection: &Connection,
    trace_id: TraceId,
    most_spans: usize,
) -> Result<Vec<RawSpan>, ReadError> {
    let mut statement = connection
        .prepare_cached(&format!("{} ORDER BY s.start_us, s.id LIMIT ?2", raw_query()))?;
    let limit = i64::try_from(most_spans).unwrap_or(i64::MAX);
    let mut blocks = Blocks::new(connection);
    let rows = statement.query_map(params![trace_id.to_bytes(), limit], |row| blocks.raw(row))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn records(
    connection: &Connection,
    trace_id: TraceId,
) -> rusqlite::Result<Vec<RawSpan>> {
    let is_record =
        format!("{} AND s.flags & {} != 0 ORDER BY s.id", raw_query(), flags::TRACE_RECORD);
    let mut statement = connection.prepare_cached(&is_record)?;
    let mut blocks = Blocks::new(connection);
    let rows = statement.query_map([trace_id.to_bytes()], |row| blocks.raw(row))?;
    rows.collect()
}

/// Hands out all that can be searched of spans.
pub(super) fn texts(
    connection: &Connection,
    spans: &[(TraceId, SpanId)],
    each: &mut dyn FnMut(usize, &str),
) -> rusqlite::Result<()> {
    let mut place = connection.prepare_cached(&format!(
        "SELECT s.block, s.offset, s.length FROM traces t
         JOIN spans s ON s.id >= t.no << {PLACE_BITS} AND s.id < (t.no + 1) << {PLACE_BITS}
         WHERE t.trace_id = ?1 AND {}",
        has_span_id()
    ))?;
    let mut blocks = Blocks::new(connection);
    for (at, (trace_id, span_id)) in spans.iter().enumerate() {
        let found = place
            .query_row(params![trace_id.to_bytes(), row::span_number(*span_id)], |row| {
                let block = blocks.block(row.get(0)?)?;
                let wire = slice(block, row.get(1)?, row.get(2)?).map(WireSpan::read);
                Ok(wire.and_then(Result::ok).map(|wire| index::text(&wire)))
            })
            .optional()?;
        if let Some(text) = found.flatten() {
            each(at, &text);
        }
    }
    Ok(())
}

/// Says which span of a trace is meant, by `?2`, so that its part of the index is read and not the whole trace.
fn has_span_id() -> String {
    // Without the plus SQLite would put the value into the expression that the index is of, and find no index for that.
    format!("s.span_id & {last} = ?2 & {last} AND +s.span_id = ?2", last = SPAN_ID_PARTS - 1)
}

fn raw_query() -> String {
    format!(
        "SELECT {SPAN_COLUMNS}, c.json, s.block, s.offset, s.length, o.resource, o.scope
         FROM traces t
         JOIN spans s ON s.id >= t.no << {PLACE_BITS} AND s.id < (t.no + 1) << {PLACE_BITS}
         JOIN contexts c ON c.id = (t.no << {PLACE_BITS}) + s.context
         JOIN origins o ON o.no = s.origin
         WHERE t.trace_id = ?1"
    )
}

/// The most bytes of decompressed blocks that are kept while spans are read, besides the last: the spans of a trace lie in
/// few blocks, but not in order.
const MOST_KEPT: usize = 8 << 20;

/// Reads payloads, each block once as far as possible.
struct Blocks<'a> {
    connection: &'a Connection,
    read: HashMap<i64, Vec<u8>>,
    bytes: usize,
}

impl<'a> Blocks<'a> {
    fn new(connection: &'a Connection) -> Self {
        Self { connection, read: HashMap::new(), bytes: 0 }
    }

    fn raw(&mut self, row: &Row<'_>) -> rusqlite::Result<RawSpan> {
        let context: TraceContext =
            serde_json::from_str(row.get_ref(22)?.as_str().unwrap_or_default()).unwrap_or_default();
        let block = self.block(row.get(23)?)?;
        Ok(RawSpan {
            summary: row::span_summary(row)?,
            context,
            bytes: slice(block, row.get(24)?, row.get(25)?).unwrap_or_default().to_vec(),
            resource: row.get(26)?,
            scope: row.get(27)?,
        })
    }

    /// Returns a block's payloads; of one that is damaged none.
    fn block(&mut self, no: i64) -> rusqlite::Result<&[u8]> {
        if !self.read.contains_key(&no) {
            if self.bytes > MOST_KEPT {
                self.read.clear();
                self.bytes = 0;
            }
            let raw = self
                .connection
                .prepare_cached("SELECT data FROM blocks WHERE no = ?")?
                .query_row([no], |row| Ok(row.get_ref(0)?.as_blob().ok().and_then(decompress)))
                .optional()?;
            let raw = raw.flatten().unwrap_or_default();
            self.bytes += raw.len();
            self.read.insert(no, raw);
        }
        Ok(self.read.get(&no).map_or(&[], Vec::as_slice))
    }
}

/// Takes one payload out of a block.
fn slice(raw: &[u8], offset: i64, length: i64) -> Option<&[u8]> {
    let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
    raw.get(offset..offset.checked_add(length)?)
}

pub(super) fn decompress(data: &[u8]) -> Option<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(data).ok()??;
    let size = usize::try_from(size).ok().filter(|size| *size <= MOST_BLOCK_BYTES)?;
    zstd::bulk::decompress(data, size).ok()
}

/// Returns the payload of a span.
pub(super) fn payload(connection: &Connection, id: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached(
            "SELECT b.data, s.offset, s.length FROM spans s JOIN blocks b ON b.no = s.block WHERE s.id = ?",
        )?
        .query_row([id], |row| {
            let data = row.get_ref(0)?.as_blob().unwrap_or_default();
            let raw = decompress(data).unwrap_or_default();
            Ok(slice(&raw, row.get(1)?, row.get(2)?).map(<[u8]>::to_vec))
        })
        .optional()
        .map(Option::flatten)
}

/// Reads a span anew from its payload.
pub(super) fn received(connection: &Connection, id: i64) -> rusqlite::Result<Option<ReceivedSpan>> {
    let Some(bytes) = payload(connection, id)? else { return Ok(None) };
    let resource: Vec<u8> = connection
        .prepare_cached(
            "SELECT o.resource FROM spans s JOIN origins o ON o.no = s.origin WHERE s.id = ?",
        )?
        .query_row([id], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let group = Group { resource: &resource, ..Group::default() };
    let origin = group.resource_attributes().map(|attributes| Origin::read(&attributes));
    let wire = WireSpan::read(&bytes);
    Ok(wire.ok().map(|wire| ReceivedSpan::read(&wire, &origin.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_found_without_looking_at_its_whole_trace() {
        let connection = Connection::open_in_memory().unwrap();
        super::super::schema::migrate(&connection, "memory").unwrap();
        let query = format!("EXPLAIN QUERY PLAN {} AND {}", raw_query(), has_span_id());
        let mut statement = connection.prepare(&query).unwrap();
        let rows = statement.query_map(params![[1_u8; 16], 7], |row| row.get::<_, String>(3));
        let plan: Vec<String> = rows.unwrap().collect::<Result<_, _>>().unwrap();
        let by_id = "SEARCH s USING INDEX spans_by_span_id (<expr>=? AND id>? AND id<?)";
        assert!(plan.iter().any(|step| step == by_id), "{plan:?}");
    }
}

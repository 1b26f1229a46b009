//! What is too old or too much is removed, and the file gives the room back, a little at a time.

use super::schema::ids_of;
use super::{index, table};
use crate::store::{Retention, StoreHealth};
use rusqlite::{Connection, OptionalExtension as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// For how long traces are removed in one transaction.
const TIME_TO_REMOVE: Duration = Duration::from_millis(50);

/// How many pages are given back in one transaction.
const PAGES_AT_ONCE: i64 = 500;

/// So many origins are not worth a look at all spans.
const MANY_ORIGINS: i64 = 10_000;

/// Removes some of what is not to be kept. Returns whether there is more to do.
pub(super) fn remove_some(
    connection: &Connection,
    retention: &Retention,
) -> rusqlite::Result<bool> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let until = Instant::now() + TIME_TO_REMOVE;
    let mut removed = 0;
    while remove_oldest(connection, retention)? {
        removed += 1;
        if Instant::now() >= until {
            break;
        }
    }
    connection.execute_batch("COMMIT")?;
    if free_pages(connection)? > 0 {
        // Each page that is given back is a row, so they have to be stepped through.
        let mut statement =
            connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(removed > 0)
}

/// Removes the oldest trace, if it is too old or the file too large.
fn remove_oldest(connection: &Connection, retention: &Retention) -> rusqlite::Result<bool> {
    let oldest: Option<(i64, i64, Vec<u8>)> = connection
        .prepare_cached("SELECT no, start_us, trace_id FROM traces ORDER BY start_us, no LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((no, start_us, trace_id)) = oldest else { return Ok(false) };
    let too_old = retention.age.is_some_and(|age| start_us < before(age));
    let too_much = match retention.bytes {
        Some(most) => used_bytes(connection)? > most,
        None => false,
    };
    if !too_old && !too_much {
        return Ok(false);
    }
    remove(connection, no, &trace_id)?;
    Ok(true)
}

/// When what is older than that began, microseconds since the epoch.
fn before(age: Duration) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.saturating_sub(age).as_micros()).unwrap_or(i64::MAX)
}

/// Removes what traces that were removed left behind: scores that came without them, and who made their spans.
pub(super) fn tidy(connection: &Connection, retention: &Retention) -> rusqlite::Result<()> {
    if let Some(age) = retention.age {
        connection.execute(
            "DELETE FROM scores WHERE at_us < ?
             AND NOT EXISTS (SELECT 1 FROM traces t WHERE t.trace_id = scores.trace_id)",
            [before(age)],
        )?;
    }
    // Each process can be one of its own, and all spans are looked through for those that are not in use.
    let origins: i64 =
        connection.query_row("SELECT COUNT(*) FROM origins", [], |row| row.get(0))?;
    if origins > MANY_ORIGINS {
        connection.execute("DELETE FROM origins WHERE no NOT IN (SELECT origin FROM spans)", [])?;
    }
    Ok(())
}

fn remove(connection: &Connection, no: i64, trace_id: &[u8]) -> rusqlite::Result<()> {
    let (from, to) = ids_of(no);
    index::forget(connection, from, to)?;
    let blocks: Vec<(i64, i64)> = connection
        .prepare_cached(
            "SELECT block, COUNT(*) FROM spans WHERE id >= ? AND id < ? GROUP BY block",
        )?
        .query_map([from, to], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (block, count) in blocks {
        table::release(connection, block, count)?;
    }
    for table in ["spans", "contexts"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE id >= ? AND id < ?"))?
            .execute([from, to])?;
    }
    connection.prepare_cached("DELETE FROM scores WHERE trace_id = ?")?.execute([trace_id])?;
    connection.prepare_cached("DELETE FROM traces WHERE no = ?")?.execute([no])?;
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(&format!("PRAGMA {name}"))?.query_row([], |row| row.get(0))
}

fn free_pages(connection: &Connection) -> rusqlite::Result<i64> {
    pragma(connection, "freelist_count")
}

/// The bytes of pages that hold something.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pages = pragma(connection, "page_count")? - free_pages(connection)?;
    Ok(u64::try_from(pages.saturating_mul(pragma(connection, "page_size")?)).unwrap_or(0))
}

/// Counts what there is; path, size, queue and retention are others' to tell.
pub(super) fn health(connection: &Connection) -> rusqlite::Result<StoreHealth> {
    let (spans, traces, oldest_us) = connection
        .prepare_cached("SELECT COALESCE(SUM(spans), 0), COUNT(*), MIN(start_us) FROM traces")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(StoreHealth {
        spans,
        traces,
        oldest_us,
        unindexed: index::backlog(connection)?,
        ..StoreHealth::default()
    })
}

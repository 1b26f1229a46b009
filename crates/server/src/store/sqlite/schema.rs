//! The tables, and how older files become as new ones.
//!
//! What belongs to a trace has ids that begin with the trace's number, so that it lies together in the file, is read and
//! removed as one range, and new traces only ever append:
//!
//! ```text
//! trace  no                      7
//! span   id = no << 20 | place   7340032, 7340033, ..
//! ```

use crate::store::StoreError;
use rusqlite::Connection;

/// How many bits of a span's id are its place in the trace.
pub(super) const PLACE_BITS: u32 = 20;

/// How large a page is; the first line of [`configure`] says so too.
const PAGE_BYTES: u64 = 8192;

/// Each makes the file a version newer.
const MIGRATIONS: &[&str] =
    &[include_str!("schema.sql"), include_str!("numbers.sql"), SPANS_BY_SPAN_ID];

/// Into how many parts the index of spans by their own id falls.
pub(super) const SPAN_ID_PARTS: i64 = 16;

/// Finds a span by its own id alone.
///
/// Such ids are random. An index in their order would have every new span on another page, and a commit would write all
/// of the index anew. So there are a few parts, by the last bits of the id, and in each the order is that of arrival: a
/// commit writes the last page of each part, and a search reads one part, of which 1,000,000 spans have about 1.3 MB.
const SPANS_BY_SPAN_ID: &str = "CREATE INDEX spans_by_span_id ON spans (span_id & 15, id, span_id)";

/// Sets what is not kept in the file, and what has to be set before the first table is made.
pub(super) fn configure(connection: &Connection, file_bytes: Option<u64>) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA page_size = 8192;
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = OFF;",
    )?;
    if let Some(bytes) = file_bytes {
        let pages = bytes / PAGE_BYTES;
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(())
}

/// Returns the present version.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The tables that every version has.
const OURS: &str = "'traces', 'spans', 'contexts', 'origins', 'blocks', 'scores', 'meta', 'texts'";

/// Returns the version of the tables, 0 of an empty file. Nothing is changed.
///
/// # Errors
///
/// If the file cannot be read, is of a later version, or has tables of another program.
pub(super) fn version(connection: &Connection, path: &str) -> Result<i64, StoreError> {
    let number = |sql: &str| -> Result<i64, StoreError> {
        connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| super::store_error(&error, path))
    };
    let corrupt = |reason: String| StoreError::Corrupt { path: path.to_owned(), reason };
    let version = number("PRAGMA user_version")?;
    let all = number("SELECT COUNT(*) FROM sqlite_schema")?;
    let ours = number(&format!("SELECT COUNT(*) FROM sqlite_schema WHERE name IN ({OURS})"))?;
    if all > 0 && (version == 0 || ours < 8) {
        return Err(corrupt("it is a database of another program".to_owned()));
    }
    if version < 0 {
        return Err(corrupt(format!("its version is {version}")));
    }
    let known = known();
    if version > known {
        return Err(StoreError::TooNew { path: path.to_owned(), found: version, known });
    }
    Ok(version)
}

/// Brings the file to the present version.
pub(super) fn migrate(connection: &Connection, path: &str) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| super::store_error(&error, path);
    let done = usize::try_from(version(connection, path)?).unwrap_or(usize::MAX);
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let script =
            format!("BEGIN IMMEDIATE; {migration}; PRAGMA user_version = {}; COMMIT;", at + 1);
        connection.execute_batch(&script).map_err(failed)?;
    }
    Ok(())
}

/// Returns the ids that the spans of a trace may have, the end excluded.
pub(super) const fn ids_of(trace_no: i64) -> (i64, i64) {
    (trace_no << PLACE_BITS, (trace_no + 1) << PLACE_BITS)
}

//! Words side by side, as a function of SQL: the index knows which words a span has, and not where they stand.

use super::{detail, index};
use crate::filter::Phrase;
use crate::wire::WireSpan;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use std::sync::{Mutex, PoisonError};

/// The block that was unpacked last, and its number: neighbours are asked for one after another.
type Unpacked = Option<(i64, Vec<u8>)>;

/// Adds `has_phrase(block number, block, offset, length, phrase)`.
pub(super) fn add(connection: &Connection) -> rusqlite::Result<()> {
    let last: Mutex<Unpacked> = Mutex::new(None);
    connection.create_scalar_function(
        "has_phrase",
        5,
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
        move |asked| has_phrase(asked, &mut last.lock().unwrap_or_else(PoisonError::into_inner)),
    )
}

fn has_phrase(asked: &Context<'_>, last: &mut Unpacked) -> rusqlite::Result<bool> {
    let phrase = asked.get_or_create_aux(4, |text| {
        Ok::<_, rusqlite::types::FromSqlError>(Phrase::new(text.as_str()?))
    })?;
    let block: i64 = asked.get(0)?;
    if last.as_ref().is_none_or(|(no, _)| *no != block) {
        let data = asked.get_raw(1).as_blob()?;
        *last = detail::decompress(data).map(|raw| (block, raw));
    }
    let (Ok(offset), Ok(length)) =
        (usize::try_from(asked.get::<i64>(2)?), usize::try_from(asked.get::<i64>(3)?))
    else {
        return Ok(false);
    };
    let raw = last.as_ref().map(|(_, raw)| raw.as_slice()).unwrap_or_default();
    let bytes = offset.checked_add(length).and_then(|end| raw.get(offset..end));
    let wire = bytes.and_then(|bytes| WireSpan::read(bytes).ok());
    Ok(wire.is_some_and(|wire| phrase.stands_in(&index::text(&wire))))
}

//! What only payloads tell, as functions of SQL: whether words stand side by side, of which the index knows only that they
//! are there, and facts in the metadata of spans.

use super::{detail, index};
use crate::filter::Phrase;
use crate::wire::{Any, WireSpan};
use glassbox_trace::vocabulary::langfuse as keys;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// The block that was unpacked last, and its number: neighbours are asked for one after another.
type Unpacked = Option<(i64, Vec<u8>)>;

/// Adds `has_phrase(block number, block, offset, length, phrase)`, and `own_fact(.., key)`, the text of a fact in a span's own
/// metadata.
pub(super) fn add(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let last: Mutex<Unpacked> = Mutex::new(None);
    connection.create_scalar_function("has_phrase", 5, flags, move |asked| {
        let phrase = asked.get_or_create_aux(4, |text| {
            Ok::<_, rusqlite::types::FromSqlError>(Phrase::new(text.as_str()?))
        })?;
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let found = of_span(asked, &mut last, |wire| phrase.stands_in(&index::text(wire)))?;
        Ok(found.unwrap_or(false))
    })?;
    let last: Mutex<Unpacked> = Mutex::new(None);
    connection.create_scalar_function("own_fact", 5, flags, move |asked| {
        let key = format!("{}{}", keys::OBSERVATION_METADATA, asked.get_raw(4).as_str()?);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let fact = |wire: &WireSpan<'_>| wire.attributes.get(&key).map(Any::to_json);
        Ok(of_span(asked, &mut last, fact)?.flatten().map(|fact| match fact {
            Value::String(text) => text,
            other => other.to_string(),
        }))
    })
}

/// Reads a span's payload, which the first four arguments name; `None` if it is damaged.
fn of_span<T>(
    asked: &Context<'_>,
    last: &mut Unpacked,
    read: impl FnOnce(&WireSpan<'_>) -> T,
) -> rusqlite::Result<Option<T>> {
    let block: i64 = asked.get(0)?;
    if last.as_ref().is_none_or(|(no, _)| *no != block) {
        let data = asked.get_raw(1).as_blob()?;
        *last = detail::decompress(data).map(|raw| (block, raw));
    }
    let (Ok(offset), Ok(length)) =
        (usize::try_from(asked.get::<i64>(2)?), usize::try_from(asked.get::<i64>(3)?))
    else {
        return Ok(None);
    };
    let raw = last.as_ref().map(|(_, raw)| raw.as_slice()).unwrap_or_default();
    let bytes = offset.checked_add(length).and_then(|end| raw.get(offset..end));
    Ok(bytes.and_then(|bytes| WireSpan::read(bytes).ok()).map(|wire| read(&wire)))
}

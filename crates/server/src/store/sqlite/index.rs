//! Makes texts searchable, block by block, after they are durable.

use crate::received::{INPUT, OUTPUT};
use crate::wire::WireSpan;
use glassbox_trace::vocabulary::dialects::{gen_ai_old, openinference};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The most bytes of a span's texts that can be searched.
const MOST_TEXT: usize = 1 << 20;

/// Indexes blocks for about so long, or until the thread is wanted for other things, in one transaction. Returns whether
/// some are left.
pub(super) fn index_some(
    connection: &Connection,
    time: Duration,
    is_wanted: impl Fn() -> bool,
) -> rusqlite::Result<bool> {
    let until = Instant::now() + time;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let left = loop {
        if !index_next(connection)? {
            break false;
        }
        if Instant::now() >= until || is_wanted() {
            break true;
        }
    };
    connection.execute_batch("COMMIT")?;
    Ok(left)
}

/// Returns how many blocks cannot be searched yet.
pub(super) fn backlog(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT COUNT(*) FROM blocks WHERE no > (SELECT value FROM meta WHERE key = 'indexed')",
        )?
        .query_row([], |row| row.get(0))
}

fn index_next(connection: &Connection) -> rusqlite::Result<bool> {
    let next: Option<(i64, Vec<u8>, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT no, directory, data FROM blocks
             WHERE no > (SELECT value FROM meta WHERE key = 'indexed') ORDER BY no LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((no, directory, data)) = next else { return Ok(false) };
    let raw = super::detail::decompress(&data).unwrap_or_default();
    let mut in_use =
        connection.prepare_cached("SELECT flags FROM spans WHERE id = ? AND block = ?")?;
    let mut insert =
        connection.prepare_cached("INSERT OR REPLACE INTO texts (rowid, text) VALUES (?, ?)")?;
    for place in directory.chunks_exact(16) {
        let number = |at: usize| {
            let bytes: [u8; 4] = place[at..at + 4].try_into().unwrap_or_default();
            u32::from_le_bytes(bytes) as usize
        };
        let id = i64::from_le_bytes(place[..8].try_into().unwrap_or_default());
        let (offset, length) = (number(8), number(12));
        if !in_use.exists(params![id, no])? {
            continue;
        }
        if let Some(Ok(wire)) = raw.get(offset..offset + length).map(WireSpan::read) {
            insert.execute(params![id, text(&wire)])?;
        }
    }
    connection.prepare_cached("UPDATE meta SET value = ? WHERE key = 'indexed'")?.execute([no])?;
    Ok(true)
}

/// All that can be searched of a span: its name, what went in and came out, and what errors and events say.
pub(super) fn text(wire: &WireSpan<'_>) -> String {
    let mut text = String::new();
    let mut add = |part: &str| {
        if text.len() < MOST_TEXT {
            plain(&part[..part.floor_char_boundary(MOST_TEXT)], &mut text);
            text.push(' ');
        }
    };
    add(&wire.name);
    add(&wire.status_message);
    let is_content = |key: &str| {
        INPUT.contains(&key)
            || OUTPUT.contains(&key)
            || [openinference::INPUT_MESSAGES, openinference::OUTPUT_MESSAGES]
                .iter()
                .chain(&[
                    gen_ai_old::PROMPT,
                    gen_ai_old::COMPLETION,
                    gen_ai_old::SYSTEM_INSTRUCTIONS,
                ])
                .any(|prefix| key.starts_with(prefix))
    };
    for (key, value) in wire.attributes.iter().filter(|(key, _)| is_content(key)) {
        match value.as_text() {
            Some(said) => add(said),
            None if key.ends_with("content") => add(&value.to_json().to_string()),
            None => (),
        }
    }
    for event in &wire.events {
        add(&event.name);
        event.attributes.iter().filter_map(|(_, value)| value.as_text()).for_each(&mut add);
    }
    text
}

/// Adds a text without the escapes that JSON has in it, which would stick to the words.
fn plain(part: &str, text: &mut String) {
    let mut rest = part;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = rest[at..].trim_start_matches('\\');
        let mut chars = rest.chars();
        match chars.next() {
            Some('n' | 't' | 'r' | 'b' | 'f') => {
                text.push(' ');
                rest = chars.as_str();
            }
            Some('u') => {
                let code = rest.get(1..5).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                if let Some(code) = code {
                    text.push(char::from_u32(code).unwrap_or(' '));
                    rest = &rest[5..];
                }
            }
            _ => text.push(' '),
        }
    }
    text.push_str(rest);
}

/// Returns what FTS5 wants to be asked for words: all of them, in any order. `None` if there is no word at all.
pub(super) fn query(connection: &Connection, words: &str) -> rusqlite::Result<Option<String>> {
    let mut parts = connection.prepare_cached("SELECT 1 FROM texts WHERE texts MATCH ?")?;
    // Which characters part words is for the index to say: it knows other ones as letters than Rust does, and refuses
    // what it takes for two words in one.
    let mut known = BTreeMap::new();
    let mut is_between = |c: char| {
        let asked = |c: &char| parts.exists([format!("\"x{c}x\"")]).is_err();
        if c.is_ascii() {
            !c.is_ascii_alphanumeric() && c != '*'
        } else {
            *known.entry(c).or_insert_with_key(asked)
        }
    };
    let mut query = String::new();
    for word in words.split(&mut is_between) {
        let bare = word.trim_matches('*');
        let is_prefix = word.ends_with('*');
        for part in bare.split('*').filter(|part| !part.is_empty()) {
            query.push('"');
            query.push_str(part);
            query.push_str(if is_prefix { "\"* " } else { "\" " });
        }
    }
    Ok((!query.is_empty()).then_some(query))
}

/// Removes the texts of a trace.
pub(super) fn forget(connection: &Connection, from: i64, to: i64) -> rusqlite::Result<()> {
    let ids: Vec<i64> = connection
        .prepare_cached("SELECT id FROM spans WHERE id >= ? AND id < ?")?
        .query_map([from, to], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut delete = connection.prepare_cached("DELETE FROM texts WHERE rowid = ?")?;
    for id in ids {
        delete.execute([id])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_do_not_stick_to_words() {
        let mut text = String::new();
        plain(r#"{\"a\":\"one\ntwo\u00e9 C:\\nix\"}"#, &mut text);
        assert_eq!(
            text.split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>(),
            ["a", "one", "twoé", "C", "ix"]
        );
    }

    #[test]
    fn words_become_a_query() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        for (words, expected) in [
            ("iced latte", Some("\"iced\" \"latte\" ")),
            ("ic* \"x\" OR", Some("\"ic\"* \"x\" \"OR\" ")),
            (" - ", None),
            ("Émile été", Some("\"Émile\" \"été\" ")),
            // A letter to Rust, and a gap to the index.
            ("tu\u{614}d", Some("\"tu\" \"d\" ")),
            ("Ⓐb", Some("\"b\" ")),
        ] {
            let found = query(&connection, words).unwrap();
            assert_eq!(found.as_deref(), expected, "{words}");
            if let Some(found) = found {
                let ask = "SELECT rowid FROM texts WHERE texts MATCH ?";
                assert!(!connection.prepare(ask).unwrap().exists([found]).unwrap());
            }
        }
    }
}

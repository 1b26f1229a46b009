//! Filters as SQL. Values are always bound, never written into the query.

use super::index;
use super::row::{self, kinds, kinds_and_states, state_number};
use super::schema::{PLACE_BITS, SPAN_ID_PARTS};
use crate::filter::{Condition, Filter, Has, NumberKey, Pattern, Phrase, Range, Status, TextKey};
use crate::received::{State, events_of};
use rusqlite::types::Value;
use rusqlite::{Connection, params};

/// How many places of words are few.
const FEW_PLACES: i64 = 10_000;

/// How many payloads are few, when each has to be read.
const FEW_PAYLOADS: i64 = 1_000;

/// What a filter is applied to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Traces, named `t`.
    Traces,
    /// Spans, named `s`, with their traces `t`.
    Spans,
}

/// A part of a query behind `WHERE`, and what is bound in it.
#[derive(Default)]
pub(super) struct Where {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Where {
    /// Writes a filter as conditions that all have to hold.
    pub(super) fn of(
        connection: &Connection,
        filter: &Filter,
        over: Over,
    ) -> rusqlite::Result<Self> {
        let mut all = Self { sql: "1".to_owned(), values: Vec::new() };
        for term in &filter.terms {
            let (before, after) = match term.negated {
                true => (" AND NOT COALESCE((", "), 0)"),
                // An index is of use only to what stands alone.
                false if is_of_an_index(&term.condition) => (" AND (", ")"),
                false => (" AND COALESCE((", "), 0)"),
            };
            all.sql.push_str(before);
            all.condition(connection, &term.condition, over)?;
            all.sql.push_str(after);
        }
        Ok(all)
    }

    /// Adds one more condition.
    pub(super) fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn condition(
        &mut self,
        connection: &Connection,
        condition: &Condition,
        over: Over,
    ) -> rusqlite::Result<()> {
        match condition {
            Condition::Words(words) => self.words(connection, words, over)?,
            Condition::Phrase(words) => self.phrase(connection, words, over)?,
            Condition::Any(terms) => {
                self.sql.push('0');
                for term in terms {
                    self.sql.push_str(if term.negated { " OR NOT COALESCE((" } else { " OR COALESCE((" });
                    self.condition(connection, &term.condition, over)?;
                    self.sql.push_str("), 0)");
                }
            }
            Condition::Text(key, pattern) => self.text(*key, pattern, over),
            Condition::Number(key, range) => self.number(*key, *range, over),
            Condition::Status(status) => {
                let state = match status {
                    Status::Running => State::Running,
                    Status::Done => State::Done,
                    Status::Error => State::Error,
                    Status::Abandoned => State::Abandoned,
                };
                let column = if over == Over::Traces { "t.state" } else { "s.state" };
                self.sql.push_str(&format!("{column} = {}", state_number(state)));
            }
            Condition::Has(what) => self.sql.push_str(match (what, over) {
                (Has::Error, Over::Traces) => "t.errors > 0",
                (Has::Error, Over::Spans) => "s.error_type IS NOT NULL",
                (Has::CacheHit, Over::Traces) => "t.cache_hits > 0",
                (Has::CacheHit, Over::Spans) => "s.flags & 16 != 0",
                (Has::Parent, Over::Spans) => "s.parent_id IS NOT NULL",
                (Has::Parent, Over::Traces) => {
                    "EXISTS (SELECT 1 FROM spans s WHERE s.id >= t.no << 20 AND s.id < (t.no + 1) << 20 \
                     AND s.parent_id IS NOT NULL)"
                }
                (Has::Score, _) => "EXISTS (SELECT 1 FROM scores x WHERE x.trace_id = t.trace_id)",
            }),
            Condition::OwnMetadata(key, pattern) if over == Over::Spans => {
                self.sql.push_str(
                    "COALESCE((SELECT own_fact(b.no, b.data, s.offset, s.length, ?) FROM blocks b WHERE b.no = s.block), \
                     (SELECT CAST(j.value AS TEXT) FROM json_each(t.metadata) j WHERE j.key = ?)) ",
                );
                self.values.extend([Value::Text(key.clone()), Value::Text(key.clone())]);
                self.fits(pattern);
            }
            Condition::Metadata(key, pattern) | Condition::OwnMetadata(key, pattern) => {
                self.sql.push_str(
                    "EXISTS (SELECT 1 FROM json_each(t.metadata) j WHERE j.key = ? AND CAST(j.value AS TEXT) ",
                );
                self.values.push(Value::Text(key.clone()));
                self.fits(pattern);
                self.sql.push(')');
            }
        }
        Ok(())
    }

    fn words(&mut self, connection: &Connection, words: &str, over: Over) -> rusqlite::Result<()> {
        let Some(query) = index::query(connection, words)? else {
            self.sql.push('1');
            return Ok(());
        };
        let is_rare = self.is_rare(connection, &query, FEW_PLACES)?;
        self.places(over, is_rare, "FROM texts WHERE texts MATCH ?");
        self.values.push(Value::Text(query));
        Ok(())
    }

    /// Words side by side: those that have all of the words are looked at.
    fn phrase(&mut self, connection: &Connection, words: &str, over: Over) -> rusqlite::Result<()> {
        if Phrase::new(words).is_single() {
            return self.words(connection, words, over);
        }
        let Some(query) = index::query(connection, words)? else {
            self.sql.push('1');
            return Ok(());
        };
        let is_rare = self.is_rare(connection, &query, FEW_PAYLOADS)?;
        self.places(
            over,
            is_rare,
            "FROM texts CROSS JOIN spans p ON p.id = texts.rowid CROSS JOIN blocks b ON b.no = p.block
             WHERE texts MATCH ? AND has_phrase(b.no, b.data, p.offset, p.length, ?)",
        );
        self.values.extend([Value::Text(query), Value::Text(words.to_owned())]);
        Ok(())
    }

    fn is_rare(&self, connection: &Connection, query: &str, few: i64) -> rusqlite::Result<bool> {
        let places: i64 = connection
            .prepare_cached(
                "SELECT COUNT(*) FROM (SELECT rowid FROM texts WHERE texts MATCH ? LIMIT ?)",
            )?
            .query_row(params![query, few], |row| row.get(0))?;
        Ok(places < few)
    }

    /// Few places are gathered first. Of many, all of which would have to be read for that, each trace looks for its own:
    /// a list is full soon then.
    fn places(&mut self, over: Over, is_rare: bool, found: &str) {
        self.sql.push_str(&match (over, is_rare) {
            (Over::Traces, true) => {
                format!("t.no IN (SELECT texts.rowid >> {PLACE_BITS} {found})")
            }
            (Over::Traces, false) => format!(
                "EXISTS (SELECT 1 {found} AND texts.rowid >= t.no << {PLACE_BITS} \
                 AND texts.rowid < (t.no + 1) << {PLACE_BITS})"
            ),
            (Over::Spans, true) => format!("s.id IN (SELECT texts.rowid {found})"),
            (Over::Spans, false) => format!("EXISTS (SELECT 1 {found} AND texts.rowid = s.id)"),
        });
    }

    /// Adds a comparison of what was written last with a pattern.
    fn fits(&mut self, pattern: &Pattern) {
        if pattern.is_exact() {
            self.sql.push_str("= ? COLLATE NOCASE");
            self.values.push(Value::Text(pattern.as_str().to_owned()));
        } else {
            self.sql.push_str("LIKE ? ESCAPE '\\'");
            self.values.push(Value::Text(pattern.to_like()));
        }
    }

    fn column_fits(&mut self, column: &str, pattern: &Pattern) {
        // Exactly what was typed uses an index, if the column has one.
        if pattern.is_exact() && matches!(column, "t.session_id" | "t.user_id") {
            self.sql.push_str(&format!("{column} = ?"));
            self.values.push(Value::Text(pattern.as_str().to_owned()));
            return;
        }
        self.sql.push_str(column);
        self.sql.push(' ');
        self.fits(pattern);
    }

    fn item_fits(&mut self, list: &str, pattern: &Pattern) {
        self.sql.push_str(&format!("EXISTS (SELECT 1 FROM json_each({list}) j WHERE j.value "));
        self.fits(pattern);
        self.sql.push(')');
    }

    fn text(&mut self, key: TextKey, pattern: &Pattern, over: Over) {
        match (key, over) {
            (TextKey::Name, Over::Traces) => self.column_fits("t.name", pattern),
            (TextKey::Model, Over::Traces) => self.item_fits("t.models", pattern),
            (TextKey::Tag, _) => self.item_fits("t.tags", pattern),
            (TextKey::Session, _) => self.column_fits("t.session_id", pattern),
            (TextKey::User, _) => self.column_fits("t.user_id", pattern),
            (TextKey::Environment, _) => self.column_fits("t.environment", pattern),
            (TextKey::Release, _) => self.column_fits("t.release", pattern),
            (TextKey::Version, _) => self.column_fits("t.version", pattern),
            (TextKey::Service, _) => self.column_fits("t.service", pattern),
            (TextKey::Trace, _) => match unhex(pattern).filter(|_| pattern.is_exact()) {
                Some(bytes) => {
                    self.sql.push_str("t.trace_id = ?");
                    self.values.push(Value::Blob(bytes));
                }
                None => self.column_fits("hex(t.trace_id)", pattern),
            },
            (_, Over::Spans) => self.text_of_span(key, pattern),
            // A trace has it if one of its spans does.
            (_, Over::Traces) => {
                self.sql.push_str(&format!(
                    "EXISTS (SELECT 1 FROM spans s WHERE s.id >= t.no << {PLACE_BITS} AND s.id < (t.no + 1) << {PLACE_BITS} AND "
                ));
                self.text_of_span(key, pattern);
                self.sql.push(')');
            }
        }
    }

    fn text_of_span(&mut self, key: TextKey, pattern: &Pattern) {
        match key {
            TextKey::Model => self.column_fits("s.model", pattern),
            TextKey::Provider => self.column_fits("s.provider", pattern),
            TextKey::Tool => self.column_fits("s.tool", pattern),
            TextKey::Span => match span_number(pattern) {
                Some(number) => {
                    // The plus keeps SQLite from putting the value into the expression as well, which would no longer be
                    // that of the index.
                    self.sql.push_str(&format!(
                        "s.span_id & {} = ? AND +s.span_id = ?",
                        SPAN_ID_PARTS - 1
                    ));
                    let part = number & (SPAN_ID_PARTS - 1);
                    self.values.extend([Value::Integer(part), Value::Integer(number)]);
                }
                None => self.column_fits("printf('%016x', s.span_id)", pattern),
            },
            TextKey::Parent => {
                let parent =
                    "CASE WHEN s.parent_id IS NOT NULL THEN printf('%016x', s.parent_id) END";
                self.column_fits(parent, pattern);
            }
            TextKey::Error => {
                self.sql.push('(');
                self.column_fits("s.error_type", pattern);
                self.sql.push_str(" OR ");
                self.column_fits("s.error_message", pattern);
                self.sql.push(')');
            }
            TextKey::Event => {
                let fits =
                    |kind, state| events_of(kind, state).iter().any(|event| pattern.matches(event));
                let pairs: Vec<_> = kinds_and_states(fits)
                    .map(|(kind, state)| format!("({kind},{state})"))
                    .collect();
                self.sql.push_str(&match pairs.is_empty() {
                    true => "0".to_owned(),
                    false => format!("(s.kind, s.state) IN (VALUES {})", pairs.join(",")),
                });
            }
            TextKey::Kind => {
                let numbers: Vec<_> =
                    kinds(|kind| pattern.matches(kind)).map(|number| number.to_string()).collect();
                self.sql.push_str(&format!("s.kind IN ({})", numbers.join(",")));
            }
            _ => self.column_fits("s.name", pattern),
        }
    }

    fn number(&mut self, key: NumberKey, range: Range, over: Over) {
        let column = match (key, over) {
            (NumberKey::Cost, Over::Traces) => "t.cost",
            (NumberKey::Cost, Over::Spans) => "s.cost",
            (NumberKey::Tokens, Over::Traces) => "t.tokens",
            (NumberKey::Tokens, Over::Spans) => {
                "(COALESCE(s.input, 0) + COALESCE(s.cache_read, 0) + COALESCE(s.cache_write, 0) + COALESCE(s.output, 0) \
                 + COALESCE(s.reasoning, 0))"
            }
            (NumberKey::Duration, Over::Traces) => "t.duration_us",
            (NumberKey::Duration, Over::Spans) => "(s.end_us - s.start_us)",
            (NumberKey::Retries, Over::Traces) => "t.retries",
            (NumberKey::Retries, Over::Spans) => "(COALESCE(s.attempts, 1) - 1)",
            (NumberKey::Errors, Over::Traces) => "t.errors",
            (NumberKey::Errors, Over::Spans) => "(s.error_type IS NOT NULL)",
            (NumberKey::Spans, _) => "t.spans",
            (NumberKey::Start, Over::Traces) => "t.start_us",
            (NumberKey::Start, Over::Spans) => "s.start_us",
        };
        let (min, max) = (range.min.unwrap_or(i64::MIN), range.max.unwrap_or(i64::MAX));
        self.sql.push_str(&format!("{column} BETWEEN ? AND ?"));
        self.values.extend([Value::Integer(min), Value::Integer(max)]);
    }
}

/// Tells whether a condition compares with one value of a column that has an index.
fn is_of_an_index(condition: &Condition) -> bool {
    let Condition::Text(key, pattern) = condition else { return false };
    match key {
        TextKey::Session | TextKey::User => pattern.is_exact(),
        TextKey::Trace => unhex(pattern).is_some(),
        TextKey::Span => span_number(pattern).is_some(),
        _ => false,
    }
}

/// Reads 16 hex digits.
fn span_number(pattern: &Pattern) -> Option<i64> {
    let id: glassbox_trace::id::SpanId = pattern.as_str().to_ascii_lowercase().parse().ok()?;
    Some(row::span_number(id))
}

/// Reads 32 hex digits.
fn unhex(pattern: &Pattern) -> Option<Vec<u8>> {
    let id: glassbox_trace::id::TraceId = pattern.as_str().to_ascii_lowercase().parse().ok()?;
    Some(id.to_bytes().to_vec())
}

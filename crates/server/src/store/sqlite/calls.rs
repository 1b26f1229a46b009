//! The numbers of a model call, in one column.

use super::row;
use crate::received::ReceivedSpan;
use glassbox_trace::span::Kind;
use glassbox_trace::usage::Usage;
use std::fmt::Write as _;

/// The state of a span that failed.
pub(super) const ERROR: i64 = 3;

/// The numbers of a model call as the column `numbers` has them: in that order, separated by commas, nothing for what is
/// unknown. An index over one such text is read in half the time that ten columns take.
#[derive(Debug, Default, PartialEq)]
pub(super) struct CallNumbers {
    pub(super) duration_us: Option<i64>,
    pub(super) cost: Option<i64>,
    pub(super) usage: Usage,
    pub(super) attempts: Option<i64>,
    pub(super) first_chunk_us: Option<i64>,
}

impl CallNumbers {
    /// Returns the numbers of a span; `None` if it is no model call.
    pub(super) fn of(span: &ReceivedSpan) -> Option<Self> {
        let phases = span.phases.as_ref();
        matches!(span.kind, Kind::Generation | Kind::Embedding).then(|| Self {
            duration_us: span.duration_us(),
            cost: span.cost_pico,
            usage: span.usage,
            attempts: phases.map(|phases| phases.attempts.into()),
            first_chunk_us: phases.and_then(|phases| phases.first_chunk_us),
        })
    }

    /// Writes what [`Self::read`] reads.
    pub(super) fn write(&self) -> String {
        let Usage { input, cache_read, cache_write, output, reasoning } = self.usage;
        let tokens = [input, cache_read, cache_write, output, reasoning].map(row::count);
        let numbers = [self.duration_us, self.cost]
            .into_iter()
            .chain(tokens)
            .chain([self.attempts, self.first_chunk_us]);
        let mut text = String::with_capacity(48);
        for (at, number) in numbers.enumerate() {
            if at > 0 {
                text.push(',');
            }
            if let Some(number) = number {
                // Writing to a text does not fail.
                let _ = write!(text, "{number}");
            }
        }
        text
    }

    pub(super) fn read(text: &str) -> Self {
        let mut numbers = [None; 9];
        let mut at = 0;
        for byte in text.bytes() {
            match (byte, numbers.get_mut(at)) {
                (b'0'..=b'9', Some(number)) => {
                    let digit = i64::from(byte - b'0');
                    let before: i64 = number.unwrap_or(0);
                    *number = Some(before.saturating_mul(10).saturating_add(digit));
                }
                _ => at += 1,
            }
        }
        let [duration_us, cost, input, cache_read, cache_write, output, reasoning, ..] = numbers;
        let [.., attempts, first_chunk_us] = numbers;
        let tokens = |count: Option<i64>| count.map(i64::cast_unsigned);
        Self {
            duration_us,
            cost,
            usage: Usage {
                input: tokens(input),
                cache_read: tokens(cache_read),
                cache_write: tokens(cache_write),
                output: tokens(output),
                reasoning: tokens(reasoning),
            },
            attempts,
            first_chunk_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let check = |numbers: CallNumbers, text: &str| {
            assert_eq!((numbers.write().as_str(), CallNumbers::read(text)), (text, numbers));
        };
        let usage =
            Usage { input: Some(300), cache_read: Some(0), output: Some(7), ..Usage::UNKNOWN };
        let numbers = CallNumbers {
            duration_us: Some(20),
            cost: None,
            usage,
            attempts: Some(2),
            first_chunk_us: Some(i64::MAX),
        };
        check(numbers, "20,,300,0,,7,,2,9223372036854775807");
        check(CallNumbers::default(), ",,,,,,,,");
        assert_eq!(CallNumbers::read(""), CallNumbers::default());
        assert_eq!(CallNumbers::read("1,2,3,4,5,6,7,8,9,10,11").first_chunk_us, Some(9));
    }

    #[test]
    fn older_files_are_given_the_same_numbers() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        connection
            .execute_batch(
                "INSERT INTO spans (id, span_id, flags, kind, state, rank, digest, name, start_us, end_us, input, output,
                     cost, attempts, context, origin, block, offset, length)
                 VALUES (1, 1, 0, 2, 2, 2, 0, 'chat', 10, 30, 300, 7, NULL, 2, 0, 1, 1, 0, 0)",
            )
            .unwrap();
        connection.execute_batch(include_str!("numbers.sql")).unwrap();
        let numbers: String =
            connection.query_row("SELECT numbers FROM spans", [], |row| row.get(0)).unwrap();
        assert_eq!(numbers, "20,,300,,,7,,2,");
        assert_eq!(CallNumbers::read(&numbers).write(), numbers);
    }

    #[test]
    fn statistics_read_the_index_alone() {
        let connection = Connection::open_in_memory().unwrap();
        for script in [include_str!("schema.sql"), include_str!("numbers.sql")] {
            connection.execute_batch(script).unwrap();
        }
        let plan = |sql: &str| -> String {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            connection.query_row(&sql, [], |row| row.get(3)).unwrap()
        };
        for (sql, expected) in [
            (
                "SELECT s.model, s.start_us, s.state = 3, s.numbers FROM spans s
                 WHERE 1 AND s.kind IN (2, 7) AND s.start_us >= 1 AND s.start_us < 9",
                "SEARCH s USING COVERING INDEX calls (start_us>? AND start_us<?)",
            ),
            (
                "SELECT NULL, t.start_us, t.state = 3, t.duration_us, t.cost, t.input, t.cache_read, t.cache_write,
                     t.output, t.reasoning FROM traces t WHERE 1 AND t.start_us >= 1 AND t.start_us < 9",
                "SEARCH t USING COVERING INDEX traces_by_start (start_us>? AND start_us<?)",
            ),
            (
                "SELECT t.no FROM traces t WHERE 1 ORDER BY COALESCE(t.cost, -1) DESC, t.no DESC LIMIT 51",
                "SCAN t USING COVERING INDEX traces_by_start",
            ),
        ] {
            assert_eq!(plan(sql), expected);
        }
    }
}

//! Numbers by any facts: each row that is meant is read once, and added to its group.

use super::ReadError;
use super::condition::{Over, Where};
use super::judgement::{self, DEFAULT_ENVIRONMENT};
use super::row::{flags, kind_of, kinds};
use crate::store::{
    Dimension, MOST_GROUPS, Measure, MetricsGroup, MetricsQuery, Numbers, Step, View,
};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use serde_json::Value as Json;
use std::collections::HashMap;

/// The most single values that are held in memory.
const MOST_VALUES: usize = 5_000_000;

pub(super) fn metrics(
    connection: &Connection,
    query: &MetricsQuery,
) -> Result<Vec<MetricsGroup>, ReadError> {
    let (sql, values) = question(connection, query)?;
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<MetricsGroup> = Vec::new();
    let mut held = 0_usize;
    let facts = query.dimensions.len();
    while let Some(row) = rows.next()? {
        let at_us: Option<i64> = row.get(0)?;
        let key = key(row, at_us, facts)?;
        let place = match places.get(&key) {
            Some(place) => *place,
            None if groups.len() >= MOST_GROUPS => return Err(ReadError::TooMuch),
            None => {
                let facts = query.dimensions.iter().enumerate();
                let facts = facts.map(|(at, dimension)| fact(*dimension, row, at + 1));
                groups.push(MetricsGroup {
                    at_us,
                    facts: facts.collect::<Result<_, _>>()?,
                    numbers: vec![Numbers::default(); query.measures.len()],
                });
                places.insert(key, groups.len() - 1);
                groups.len() - 1
            }
        };
        for (at, numbers) in groups[place].numbers.iter_mut().enumerate() {
            if let Some(value) = row.get::<_, Option<f64>>(facts + 1 + at)? {
                numbers.add(value, query.has_values);
                held += usize::from(query.has_values);
            }
        }
        if held > MOST_VALUES {
            return Err(ReadError::TooMuch);
        }
    }
    for numbers in groups.iter_mut().flat_map(|group| &mut group.numbers) {
        numbers.values.sort_unstable_by(f64::total_cmp);
    }
    Ok(groups)
}

/// Writes the query: the time, the facts and the measures of each row.
fn question(
    connection: &Connection,
    query: &MetricsQuery,
) -> Result<(String, Vec<Value>), ReadError> {
    let window = [Value::Integer(query.window.from_us), Value::Integer(query.window.to_us)];
    let (from, conditions) = match query.view {
        View::Traces => {
            let mut all = Where::of(connection, &query.filter, Over::Traces)?;
            all.and("t.start_us >= ? AND t.start_us < ?", window);
            ("traces t", all)
        }
        View::Spans => {
            let mut all = Where::of(connection, &query.filter, Over::Spans)?;
            all.and("s.start_us >= ? AND s.start_us < ?", window);
            all.and(&format!("s.flags & {} = 0", flags::TRACE_RECORD), []);
            ("spans s JOIN traces t ON t.no = s.id >> 20", all)
        }
        View::Scores => {
            let mut all = judgement::wanted(&query.scores);
            let of_trace = Where::of(connection, &query.filter, Over::Traces)?;
            all.and(&of_trace.sql, of_trace.values);
            all.and("x.at_us >= ? AND x.at_us < ?", window);
            (
                "scores x LEFT JOIN traces t ON t.trace_id = x.trace_id
                 LEFT JOIN spans s ON s.id >= t.no << 20 AND s.id < (t.no + 1) << 20 AND s.span_id = x.span_id",
                all,
            )
        }
    };
    let at = match query.view {
        View::Traces => "t.start_us",
        View::Spans => "s.start_us",
        View::Scores => "x.at_us",
    };
    let mut columns = vec![query.step.map_or("NULL".to_owned(), |step| start_of(step, at))];
    columns.extend(query.dimensions.iter().map(|dimension| column(query.view, *dimension, at)));
    columns.extend(query.measures.iter().map(|one| measure(query.view, *one).to_owned()));
    let sql = format!("SELECT {} FROM {from} WHERE {}", columns.join(", "), conditions.sql);
    Ok((sql, conditions.values))
}

/// Tells groups apart.
fn key(row: &Row<'_>, at_us: Option<i64>, facts: usize) -> rusqlite::Result<String> {
    let mut key = at_us.unwrap_or_default().to_string();
    for at in 1..=facts {
        key.push('\0');
        match row.get_ref(at)? {
            ValueRef::Null => key.push('-'),
            ValueRef::Integer(number) => key.push_str(&number.to_string()),
            ValueRef::Real(number) => key.push_str(&number.to_string()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                key.push('+');
                key.push_str(&String::from_utf8_lossy(bytes));
            }
        }
    }
    Ok(key)
}

fn fact(dimension: Dimension, row: &Row<'_>, at: usize) -> rusqlite::Result<Json> {
    Ok(match (dimension, row.get_ref(at)?) {
        (_, ValueRef::Null) => Json::Null,
        (Dimension::IsRoot, ValueRef::Integer(flag)) => (flag != 0).into(),
        (_, ValueRef::Integer(number)) => number.into(),
        (_, ValueRef::Real(number)) => number.into(),
        (_, ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => {
            let text = String::from_utf8_lossy(bytes);
            // Tags are a list in JSON, and values of scores are JSON.
            match dimension {
                Dimension::Tags | Dimension::Value => {
                    serde_json::from_str(&text).unwrap_or_default()
                }
                _ => text.into_owned().into(),
            }
        }
    })
}

fn start_of(step: Step, at: &str) -> String {
    const DAY: i64 = 86_400_000_000;
    // The first Monday of 1970 was its fifth day.
    let (length, first) = match step {
        Step::Minute => (60_000_000, 0),
        Step::Hour => (3_600_000_000, 0),
        Step::Day => (DAY, 0),
        Step::Week => (7 * DAY, 4 * DAY),
        Step::Month => {
            return format!(
                "CAST(strftime('%s', {at} / 1000000, 'unixepoch', 'start of month') AS INTEGER) * 1000000"
            );
        }
    };
    format!("({at} - {first}) / {length} * {length} + {first}")
}

fn column(view: View, dimension: Dimension, at: &str) -> String {
    let column = match (dimension, view) {
        (Dimension::Name | Dimension::TraceName, View::Traces) | (Dimension::TraceName, _) => {
            "t.name"
        }
        (Dimension::Name, View::Spans) | (Dimension::SpanName, _) => "s.name",
        (Dimension::Name, View::Scores) => "x.name",
        (Dimension::Id, View::Scores) => "x.id",
        (Dimension::Id, View::Spans) => "printf('%016x', s.span_id)",
        (Dimension::Trace, View::Scores) => "lower(hex(x.trace_id))",
        (Dimension::Id | Dimension::Trace, _) => "lower(hex(t.trace_id))",
        (Dimension::User, _) => "t.user_id",
        (Dimension::Session, _) => "t.session_id",
        (Dimension::Tags, _) => "t.tags",
        (Dimension::Release, _) => "t.release",
        (Dimension::Version, _) => "t.version",
        (Dimension::Environment, _) => {
            return format!("COALESCE(t.environment, '{DEFAULT_ENVIRONMENT}')");
        }
        (Dimension::Kind, _) => {
            let kinds = kinds(|_| true);
            let names = kinds.map(|number| (number, kind_of(number).as_str().to_ascii_uppercase()));
            let cases = names.map(|(number, name)| format!("WHEN {number} THEN '{name}'"));
            return format!("CASE s.kind {} END", cases.collect::<Vec<_>>().join(" "));
        }
        (Dimension::Level, _) => "CASE s.state WHEN 3 THEN 'ERROR' ELSE 'DEFAULT' END",
        (Dimension::Model, _) => "s.model",
        (Dimension::Span, View::Scores) => {
            "CASE WHEN x.span_id IS NOT NULL THEN printf('%016x', x.span_id) END"
        }
        (Dimension::Span, _) => {
            "CASE WHEN s.parent_id IS NOT NULL THEN printf('%016x', s.parent_id) END"
        }
        (Dimension::IsRoot, _) => "s.parent_id IS NULL",
        (Dimension::Month, _) => return format!("strftime('%Y-%m', {at} / 1000000, 'unixepoch')"),
        (Dimension::Day, _) => return format!("strftime('%Y-%m-%d', {at} / 1000000, 'unixepoch')"),
        (Dimension::Value, _) => "x.value",
        (Dimension::Type, _) => {
            "CASE WHEN json_type(x.value) IN ('true', 'false') THEN 'BOOLEAN'
             WHEN json_type(x.value) = 'text' THEN 'CATEGORICAL' ELSE 'NUMERIC' END"
        }
        (Dimension::Source, _) => "'API'",
    };
    column.to_owned()
}

/// What is unknown of a model call is NULL, and so is what only model calls have of others.
const fn measure(view: View, measure: Measure) -> &'static str {
    match (measure, view) {
        (Measure::Count, _) => "1.0",
        (Measure::Duration, View::Traces) => "CAST(t.duration_us AS REAL)",
        (Measure::Duration, _) => "CAST(s.end_us - s.start_us AS REAL)",
        (Measure::Streaming, _) => "CAST(s.end_us - s.start_us - s.first_chunk_us AS REAL)",
        (Measure::FirstChunk, _) => "CAST(s.first_chunk_us AS REAL)",
        (Measure::Tokens, View::Traces) => "CAST(t.tokens AS REAL)",
        (Measure::Tokens, _) => {
            "CASE WHEN COALESCE(s.input, s.cache_read, s.cache_write, s.output, s.reasoning) IS NOT NULL THEN
             COALESCE(s.input, 0.0) + COALESCE(s.cache_read, 0) + COALESCE(s.cache_write, 0) + COALESCE(s.output, 0)
             + COALESCE(s.reasoning, 0) END"
        }
        (Measure::InputTokens, _) => {
            "CASE WHEN COALESCE(s.input, s.cache_read, s.cache_write) IS NOT NULL THEN
             COALESCE(s.input, 0.0) + COALESCE(s.cache_read, 0) + COALESCE(s.cache_write, 0) END"
        }
        (Measure::OutputTokens, _) => {
            "CASE WHEN COALESCE(s.output, s.reasoning) IS NOT NULL THEN
             COALESCE(s.output, 0.0) + COALESCE(s.reasoning, 0) END"
        }
        // Nothing is divided by nothing: SQLite makes NULL of that.
        (Measure::TokensPerSecond, _) => {
            "(COALESCE(s.input, 0) + COALESCE(s.cache_read, 0) + COALESCE(s.cache_write, 0) + COALESCE(s.output, s.reasoning)
             + CASE WHEN s.output IS NULL THEN 0 ELSE COALESCE(s.reasoning, 0) END) * 1e6 / (s.end_us - s.start_us)"
        }
        (Measure::OutputTokensPerSecond, _) => {
            "(COALESCE(s.output, s.reasoning) + CASE WHEN s.output IS NULL THEN 0 ELSE COALESCE(s.reasoning, 0) END)
             * 1e6 / (s.end_us - s.start_us)"
        }
        (Measure::Cost, View::Traces) => "CAST(t.cost AS REAL)",
        (Measure::Cost, _) => "CAST(s.cost AS REAL)",
        (Measure::Spans, _) => "CAST(t.spans AS REAL)",
        (Measure::Scores, View::Traces) => {
            "CAST((SELECT COUNT(*) FROM scores y WHERE y.trace_id = t.trace_id) AS REAL)"
        }
        (Measure::Scores, _) => {
            "CAST((SELECT COUNT(*) FROM scores y WHERE y.trace_id = t.trace_id AND y.span_id = s.span_id) AS REAL)"
        }
        (Measure::Value, _) => {
            "CASE json_type(x.value) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0
             WHEN 'integer' THEN CAST(x.value AS REAL) WHEN 'real' THEN CAST(x.value AS REAL) END"
        }
    }
}

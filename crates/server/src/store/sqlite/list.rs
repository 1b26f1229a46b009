//! Lists, a part at a time. A cursor is the place of the last item: its sort key and its number.

use super::ReadError;
use super::condition::{Over, Where};
use super::judgement;
use super::row::{self, SPAN_COLUMNS, TRACE_COLUMNS, flags};
use crate::filter::Filter;
use crate::store::{Countable, Order, Paging, ScoreQuery, Sort, TraceQuery};
use crate::view::{Dollars, GroupSummary, Page, ScoreView, SpanSummary, Tokens, TraceSummary};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

pub(super) fn traces(
    connection: &Connection,
    query: &TraceQuery,
) -> Result<Page<TraceSummary>, ReadError> {
    let column = match query.sort {
        Sort::Start => "t.start_us",
        // What has none comes last when the largest come first.
        Sort::Duration => "COALESCE(t.duration_us, -1)",
        Sort::Cost => "COALESCE(t.cost, -1)",
        Sort::Tokens => "t.tokens",
    };
    let (direction, further) = match query.order {
        Order::Descending => ("DESC", "<"),
        Order::Ascending => ("ASC", ">"),
    };
    let mut conditions = Where::of(connection, &query.filter, Over::Traces)?;
    if let Some(cursor) = &query.paging.cursor {
        let [key, no] = numbers(cursor)?;
        conditions.and(
            &format!("({column}, t.no) {further} (?, ?)"),
            [Value::Integer(key), Value::Integer(no)],
        );
    }
    let order = format!("ORDER BY {column} {direction}, t.no {direction}");
    // What is not sorted by time is sorted in an index that has the numbers, and only what is shown is read whole.
    let sql = format!(
        "SELECT {TRACE_COLUMNS}, {column}, t.no
         FROM (SELECT t.no AS chosen FROM traces t WHERE {} {order} {}) JOIN traces t ON t.no = chosen {order}",
        conditions.sql,
        limit(&query.paging)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(conditions.values), |row| {
        let cursor = format!("{}.{}", row.get::<_, i64>(30)?, row.get::<_, i64>(31)?);
        Ok((row::trace_summary(row)?, cursor))
    })?;
    Ok(page(rows.collect::<Result<_, _>>()?, query.paging.limit))
}

pub(super) fn spans(
    connection: &Connection,
    filter: &Filter,
    paging: &Paging,
) -> Result<Page<SpanSummary>, ReadError> {
    let query = spans_wanted(connection, filter, paging)?;
    let mut statement = connection.prepare_cached(&query.sql)?;
    let rows = statement.query_map(params_from_iter(query.values), |row| {
        Ok((row::span_summary(row)?, row.get::<_, i64>(21)?.to_string()))
    })?;
    Ok(page(rows.collect::<Result<_, _>>()?, paging.limit))
}

/// The whole query of a list of spans.
fn spans_wanted(
    connection: &Connection,
    filter: &Filter,
    paging: &Paging,
) -> Result<Where, ReadError> {
    let mut conditions = Where::of(connection, filter, Over::Spans)?;
    if let Some(cursor) = &paging.cursor {
        let [id] = numbers(cursor)?;
        conditions.and("s.id < ?", [Value::Integer(id)]);
    }
    conditions.and(&format!("s.flags & {} = 0", flags::TRACE_RECORD), []);
    let sql = format!(
        "SELECT {SPAN_COLUMNS} FROM spans s JOIN traces t ON t.no = s.id >> 20 WHERE {} ORDER BY s.id DESC {}",
        conditions.sql,
        limit(paging)
    );
    Ok(Where { sql, ..conditions })
}

/// What traces are grouped by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Session,
    User,
}

pub(super) fn groups(
    connection: &Connection,
    by: By,
    filter: &Filter,
    paging: &Paging,
) -> Result<Page<GroupSummary>, ReadError> {
    let column = if by == By::Session { "t.session_id" } else { "t.user_id" };
    let mut conditions = Where::of(connection, filter, Over::Traces)?;
    conditions.and(&format!("{column} IS NOT NULL"), []);
    let offset = offset(paging)?;
    let sql = format!(
        "SELECT {column}, COUNT(*), MIN(t.start_us), MAX(t.start_us), json_group_array(DISTINCT t.user_id),
             SUM(t.input), SUM(t.cache_read), SUM(t.cache_write), SUM(t.output), SUM(t.reasoning), SUM(t.cost >> 32),
             SUM(t.cost & 4294967295), SUM(t.errors)
         FROM traces t WHERE {} GROUP BY {column} ORDER BY MAX(t.start_us) DESC, {column} LIMIT {} OFFSET {offset}",
        conditions.sql,
        paging.limit.saturating_add(1)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(conditions.values), |row| {
        let key: String = row.get(0)?;
        let (session_id, user_id) =
            if by == By::Session { (Some(key), None) } else { (None, Some(key)) };
        let users: Vec<Option<String>> =
            serde_json::from_str(row.get_ref(4)?.as_str().unwrap_or_default()).unwrap_or_default();
        Ok(GroupSummary {
            users: if session_id.is_some() {
                users.into_iter().flatten().collect()
            } else {
                Vec::new()
            },
            session_id,
            user_id,
            traces: row.get(1)?,
            first_us: row.get(2)?,
            last_us: row.get(3)?,
            tokens: Tokens(row::usage(row, 5)?),
            cost_usd: sum(row.get(10)?, row.get(11)?).map(Dollars),
            errors: row.get(12)?,
        })
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(counted_page(rows, offset, paging.limit))
}

/// A sum of what could be too much for SQLite, which adds up its halves.
fn sum(high: Option<i64>, low: Option<i64>) -> Option<i64> {
    let sum = (i128::from(high?) << 32) + i128::from(low?);
    Some(i64::try_from(sum).unwrap_or(i64::MAX))
}

pub(super) fn scores(
    connection: &Connection,
    query: &ScoreQuery,
) -> Result<Page<ScoreView>, ReadError> {
    let conditions = judgement::wanted(query);
    let offset = offset(&query.paging)?;
    let sql = format!(
        "SELECT id, trace_id, span_id, name, value, comment, at_us FROM scores x WHERE {}
         ORDER BY at_us DESC, id LIMIT {} OFFSET {offset}",
        conditions.sql,
        i64::try_from(query.paging.limit.saturating_add(1)).unwrap_or(i64::MAX)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(conditions.values), |row| {
        let value = row.get_ref(4)?.as_str().unwrap_or_default();
        Ok(ScoreView {
            id: row.get(0)?,
            trace_id: row::trace_id(row.get_ref(1)?.as_blob().unwrap_or_default()).to_string(),
            span_id: row.get::<_, Option<i64>>(2)?.map(|id| row::span_id(id).to_string()),
            name: row.get(3)?,
            value: serde_json::from_str(value).unwrap_or_default(),
            comment: row.get(5)?,
            at_us: row.get(6)?,
        })
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(counted_page(rows, offset, query.paging.limit))
}

pub(super) fn count(connection: &Connection, what: Countable<'_>) -> Result<i64, ReadError> {
    let (sql, conditions) = match what {
        Countable::Traces(filter) => {
            ("SELECT COUNT(*) FROM traces t", Where::of(connection, filter, Over::Traces)?)
        }
        Countable::Sessions(filter) => (
            "SELECT COUNT(DISTINCT t.session_id) FROM traces t",
            Where::of(connection, filter, Over::Traces)?,
        ),
        Countable::Spans(filter) => {
            let mut conditions = Where::of(connection, filter, Over::Spans)?;
            conditions.and(&format!("s.flags & {} = 0", flags::TRACE_RECORD), []);
            ("SELECT COUNT(*) FROM spans s JOIN traces t ON t.no = s.id >> 20", conditions)
        }
        Countable::Scores(query) => ("SELECT COUNT(*) FROM scores x", judgement::wanted(query)),
    };
    let mut statement = connection.prepare_cached(&format!("{sql} WHERE {}", conditions.sql))?;
    Ok(statement.query_row(params_from_iter(conditions.values), |row| row.get(0))?)
}

/// One item more than is shown tells whether there is a next page.
fn limit(paging: &Paging) -> String {
    // Larger numbers than that are none to SQLite.
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    format!("LIMIT {} OFFSET {}", number(paging.limit.saturating_add(1)), number(paging.skip))
}

/// The place where a list goes on that has no better cursor than that.
fn offset(paging: &Paging) -> Result<i64, ReadError> {
    let cursor = match &paging.cursor {
        Some(cursor) => numbers::<1>(cursor)?[0].max(0),
        None => 0,
    };
    Ok(cursor.saturating_add(i64::try_from(paging.skip).unwrap_or(i64::MAX)))
}

fn counted_page<T>(items: Vec<T>, offset: i64, limit: usize) -> Page<T> {
    let next = offset.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX)).to_string();
    page(items.into_iter().map(|item| (item, next.clone())).collect(), limit)
}

/// Makes a page of items and the cursors behind them, of which there is one more than is shown if there is a next page.
fn page<T>(mut items: Vec<(T, String)>, limit: usize) -> Page<T> {
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| has_more).map(|(_, cursor)| cursor.clone());
    Page { items: items.into_iter().map(|(item, _)| item).collect(), next_cursor }
}

fn numbers<const N: usize>(cursor: &str) -> Result<[i64; N], ReadError> {
    let numbers: Result<Vec<i64>, _> = cursor.split('.').map(str::parse).collect();
    numbers.ok().and_then(|numbers| numbers.try_into().ok()).ok_or(ReadError::Cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite looks for spans, with values bound as they are.
    fn plan(filter: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        super::super::schema::migrate(&connection, "memory").unwrap();
        let filter = Filter::parse(filter, 0).unwrap();
        let query = spans_wanted(&connection, &filter, &Paging::default()).unwrap();
        let mut statement =
            connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        let rows = statement
            .query_map(params_from_iter(query.values), |row| row.get::<_, String>(3))
            .unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }

    #[test]
    fn a_span_is_found_by_its_own_id_without_looking_at_all() {
        let by_id = "SEARCH s USING INDEX spans_by_span_id (<expr>=?); SEARCH t USING INTEGER PRIMARY KEY (rowid=?)";
        assert_eq!(plan("span:0202020202020202"), by_id);
        assert_eq!(plan("span:0202020202020202 kind:generation"), by_id);
        // Part of an id can be anywhere.
        assert!(plan("span:02*").starts_with("SCAN s"));
    }
}

//! Lists, a part at a time. A cursor is the place of the last item: its sort key and its number.

use super::ReadError;
use super::condition::{Over, Where};
use super::row::{self, SPAN_COLUMNS, TRACE_COLUMNS, flags};
use crate::filter::Filter;
use crate::store::{Order, Paging, Sort, TraceQuery};
use crate::view::{Dollars, GroupSummary, Page, SpanSummary, Tokens, TraceSummary};
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
    let mut conditions = Where::of(&query.filter, Over::Traces);
    if let Some(cursor) = &query.paging.cursor {
        let [key, no] = numbers(cursor)?;
        conditions.and(
            &format!("({column}, t.no) {further} (?, ?)"),
            [Value::Integer(key), Value::Integer(no)],
        );
    }
    let sql = format!(
        "SELECT {TRACE_COLUMNS}, {column}, t.no FROM traces t WHERE {} ORDER BY {column} {direction}, t.no {direction} LIMIT {}",
        conditions.sql,
        query.paging.limit.saturating_add(1)
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
    let mut conditions = Where::of(filter, Over::Spans);
    if let Some(cursor) = &paging.cursor {
        let [id] = numbers(cursor)?;
        conditions.and("s.id < ?", [Value::Integer(id)]);
    }
    conditions.and(&format!("s.flags & {} = 0", flags::TRACE_RECORD), []);
    let sql = format!(
        "SELECT {SPAN_COLUMNS} FROM spans s JOIN traces t ON t.no = s.id >> 20 WHERE {} ORDER BY s.id DESC LIMIT {}",
        conditions.sql,
        paging.limit.saturating_add(1)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(conditions.values), |row| {
        Ok((row::span_summary(row)?, row.get::<_, i64>(21)?.to_string()))
    })?;
    Ok(page(rows.collect::<Result<_, _>>()?, paging.limit))
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
    let mut conditions = Where::of(filter, Over::Traces);
    conditions.and(&format!("{column} IS NOT NULL"), []);
    let offset = match &paging.cursor {
        Some(cursor) => numbers::<1>(cursor)?[0].max(0),
        None => 0,
    };
    let sql = format!(
        "SELECT {column}, COUNT(*), MIN(t.start_us), MAX(t.start_us), json_group_array(DISTINCT t.user_id),
             SUM(t.input), SUM(t.cache_read), SUM(t.cache_write), SUM(t.output), SUM(t.reasoning), SUM(t.cost),
             SUM(t.errors)
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
            cost_usd: row.get::<_, Option<i64>>(10)?.map(Dollars),
            errors: row.get(11)?,
        })
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let next = offset.saturating_add(i64::try_from(paging.limit).unwrap_or(i64::MAX));
    let items = rows.into_iter().map(|item| (item, next.to_string())).collect();
    Ok(page(items, paging.limit))
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

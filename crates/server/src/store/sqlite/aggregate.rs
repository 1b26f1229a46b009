//! Numbers over time, and which values there are.

use super::ReadError;
use super::calls::{CallNumbers, ERROR};
use super::condition::{Over, Where};
use super::groups::Groups;
use super::numbers::{percentiles, sum};
use super::row;
use crate::filter::Filter;
use crate::store::{FacetKey, Grouping, StatsQuery, Window};
use crate::view::{Dollars, Facet, Stats, StatsGroup, StatsPoint, Tokens};
use glassbox_trace::usage::Usage;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// The most buckets of a group, and the most groups; the rest is left out.
const MOST_GROUPS: usize = 50;

/// Buckets of a group, in order of time.
#[derive(Default)]
pub(super) struct Buckets(Vec<Bucket>);

impl Buckets {
    fn at(&mut self, at_us: i64) -> &mut Bucket {
        let last = self.0.len().saturating_sub(1);
        // Most rows come in order, and belong to the last bucket.
        let at = match self.0.get(last).is_some_and(|bucket| bucket.at_us == at_us) {
            true => Ok(last),
            false => self.0.binary_search_by_key(&at_us, |bucket| bucket.at_us),
        };
        let at = at.unwrap_or_else(|at| {
            self.0.insert(at, Bucket { at_us, ..Bucket::default() });
            at
        });
        &mut self.0[at]
    }
}

#[derive(Default)]
struct Bucket {
    at_us: i64,
    count: i64,
    errors: i64,
    usage: Usage,
    cost: Option<i64>,
    durations: Vec<i64>,
}

/// Returns the buckets of each group in a piece of the window.
pub(super) fn buckets(
    connection: &Connection,
    query: &StatsQuery,
    piece: Window,
) -> Result<Groups<Buckets>, ReadError> {
    let bucket_us = query.bucket_us.max(1);
    let (key, over) = match query.grouping {
        Grouping::None => ("NULL", Over::Traces),
        Grouping::Name => ("t.name", Over::Traces),
        Grouping::Calls => ("NULL", Over::Spans),
        Grouping::Model => ("s.model", Over::Spans),
    };
    let mut conditions = Where::of(connection, &query.filter, over)?;
    let window = [Value::Integer(piece.from_us), Value::Integer(piece.to_us)];
    let sql = if over == Over::Traces {
        conditions.and("t.start_us >= ? AND t.start_us < ?", window);
        format!(
            "SELECT {key}, t.start_us, t.state = {ERROR}, t.duration_us, t.cost, t.input, t.cache_read, t.cache_write,
                 t.output, t.reasoning FROM traces t WHERE {}",
            conditions.sql
        )
    } else {
        conditions.and("s.kind IN (2, 7) AND s.start_us >= ? AND s.start_us < ?", window);
        // Without a filter the index has all that is asked for.
        let join = if query.filter.is_empty() { "" } else { "JOIN traces t ON t.no = s.id >> 20" };
        format!(
            "SELECT {key}, s.start_us, s.state = {ERROR}, s.numbers FROM spans s {join} WHERE {}",
            conditions.sql
        )
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.values))?;
    let mut groups = Groups::<Buckets>::default();
    while let Some(row) = rows.next()? {
        let at = row.get::<_, i64>(1)?.div_euclid(bucket_us) * bucket_us;
        let bucket = groups.of(row.get_ref(0)?.as_str_or_null().unwrap_or_default()).at(at);
        bucket.count += 1;
        bucket.errors += row.get::<_, i64>(2)?;
        let (duration_us, cost, usage) = if over == Over::Traces {
            (row.get(3)?, row.get(4)?, row::usage(row, 5)?)
        } else {
            let call = CallNumbers::read(row.get_ref(3)?.as_str().unwrap_or_default());
            (call.duration_us, call.cost, call.usage)
        };
        bucket.durations.extend::<Option<i64>>(duration_us);
        bucket.cost = sum(bucket.cost, cost);
        bucket.usage += usage;
    }
    Ok(groups)
}

/// Puts together what pieces have, in order of time: no bucket is in two of them.
pub(super) fn stats(query: &StatsQuery, pieces: Vec<Groups<Buckets>>) -> Stats {
    let mut groups = Groups::<Vec<StatsPoint>>::default();
    for (key, buckets) in pieces.into_iter().flatten() {
        groups.of(key.as_deref()).extend(buckets.0.into_iter().map(point));
    }
    let mut groups: Vec<_> =
        groups.into_iter().map(|(key, points)| StatsGroup { key, points }).collect();
    let size = |group: &StatsGroup| group.points.iter().map(|point| point.count).sum::<i64>();
    groups
        .sort_by(|left, right| size(right).cmp(&size(left)).then_with(|| left.key.cmp(&right.key)));
    groups.truncate(MOST_GROUPS);
    Stats { bucket_us: query.bucket_us.max(1), groups }
}

fn point(mut bucket: Bucket) -> StatsPoint {
    let [p50_us, p95_us, p99_us] = percentiles(&mut bucket.durations, [50, 95, 99]);
    StatsPoint {
        at_us: bucket.at_us,
        count: bucket.count,
        errors: bucket.errors,
        p50_us,
        p95_us,
        p99_us,
        tokens: Tokens(bucket.usage),
        cost_usd: bucket.cost.map(Dollars),
    }
}

pub(super) fn facets(
    connection: &Connection,
    filter: &Filter,
    key: FacetKey,
    limit: usize,
) -> Result<Vec<Facet>, ReadError> {
    let (value, from) = match key {
        FacetKey::Model => ("j.value", "traces t, json_each(t.models) j"),
        FacetKey::Tag => ("j.value", "traces t, json_each(t.tags) j"),
        FacetKey::Name => ("t.name", "traces t"),
        FacetKey::Session => ("t.session_id", "traces t"),
        FacetKey::User => ("t.user_id", "traces t"),
        FacetKey::Environment => ("t.environment", "traces t"),
        FacetKey::Service => ("t.service", "traces t"),
    };
    let conditions = Where::of(connection, filter, Over::Traces)?;
    let sql = format!(
        "SELECT {value}, COUNT(*) FROM {from} WHERE {value} IS NOT NULL AND {value} != '' AND {}
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit}",
        conditions.sql
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(conditions.values), |row| {
        Ok(Facet { value: row.get(0)?, count: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

//! What any store promises. A new kind of store calls [`check`] with a way to open an empty one.

use crate::stage::{call, failed, request_of, span};
use glassbox_server::filter::Filter;
use glassbox_server::ingest::{Format, Limits, langfuse, otlp};
use glassbox_server::store::{
    Batch, Countable, FacetKey, Grouping, Order, Paging, ScoreQuery, Sort, SqliteOptions,
    SqliteStore, StatsQuery, Store, StoreError, TraceQuery, Window, Written,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;

/// The first second of 2026, microseconds since the epoch.
const START: i64 = 1_767_225_600_000_000;

pub(crate) fn batch(spans: Vec<Span>) -> Batch {
    otlp(&request_of(spans).encode_to_vec(), Format::Protobuf, &Limits::default()).unwrap().batch
}

pub(crate) fn write(store: &dyn Store, batch: Batch) -> Written {
    store.write(batch).blocking_recv().unwrap().unwrap()
}

fn filter(text: &str) -> Filter {
    Filter::parse(text, START).unwrap()
}

fn check(open: impl Fn() -> (Box<dyn Store>, tempfile::TempDir)) {
    for promise in [
        an_empty_store_answers,
        what_is_written_is_read,
        lists_come_in_parts,
        calls_count_once,
        numbers_over_time,
        scores_and_facets,
        what_could_not_be_packed_is_refused,
    ] {
        let (store, _folder) = open();
        promise(store.as_ref());
    }
}

fn an_empty_store_answers(store: &dyn Store) {
    assert!(store.traces(&TraceQuery::default()).unwrap().items.is_empty());
    assert!(store.models(Window { from_us: 0, to_us: i64::MAX }).unwrap().is_empty());
    let trace_id = "01".repeat(16).parse().unwrap();
    assert_eq!(store.trace(trace_id, 10).unwrap(), None);
    assert_eq!(store.span(trace_id, "02".repeat(8).parse().unwrap()).unwrap(), None);
    assert_eq!(store.health().unwrap().spans, 0);
    assert_eq!(write(store, Batch::default()), Written::default());
}

fn what_is_written_is_read(store: &dyn Store) {
    let spans = vec![span(1, 1, 0, "root", 0, 10), failed(span(1, 2, 1, "child", 2, 5), "broke")];
    assert_eq!(write(store, batch(spans.clone())).changed, 2);
    assert_eq!(write(store, batch(spans.clone())), Written { duplicates: 2, ..Written::default() });
    let trace_id = "01".repeat(16).parse().unwrap();
    let view = store.trace(trace_id, 10).unwrap().unwrap();
    assert_eq!((view.trace.name.as_str(), view.trace.spans, view.trace.errors), ("root", 2, 1));
    assert_eq!(
        view.spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(),
        ["root", "child"]
    );
    let raw = store.span(trace_id, "02".repeat(8).parse().unwrap()).unwrap().unwrap();
    assert_eq!(Span::decode(raw.bytes.as_slice()).unwrap(), spans[1], "to the byte");
    assert!(store.trace(trace_id, 1).unwrap().unwrap().truncated);
    assert_eq!(store.raw_spans(trace_id, 10).unwrap().len(), 2);
}

fn what_could_not_be_packed_is_refused(store: &dyn Store) {
    let mut spoilt = batch(vec![span(1, 1, 0, "root", 0, 10)]);
    spoilt.blocks[0].compressed.clear();
    spoilt.blocks.extend(batch(vec![span(2, 1, 0, "other", 0, 10)]).blocks);
    let refused = store.write(spoilt).blocking_recv().unwrap().unwrap_err();
    assert!(refused.is_temporary(), "{refused}");
    assert_eq!(store.health().unwrap().spans, 0, "nothing of it is kept");
    assert_eq!(write(store, batch(vec![span(1, 1, 0, "root", 0, 10)])).changed, 1);
}

fn lists_come_in_parts(store: &dyn Store) {
    for trace in 1..=7 {
        write(
            store,
            batch(vec![span(trace, 1, 0, "t", u64::from(trace % 3), u64::from(trace) + 10)]),
        );
    }
    for (sort, order) in [
        (Sort::Start, Order::Descending),
        (Sort::Start, Order::Ascending),
        (Sort::Duration, Order::Descending),
        (Sort::Cost, Order::Ascending),
    ] {
        let mut query = TraceQuery { sort, order, ..TraceQuery::default() };
        let whole = store.traces(&query).unwrap();
        assert_eq!((whole.items.len(), whole.next_cursor), (7, None));
        let mut parts = Vec::new();
        query.paging.limit = 3;
        loop {
            let part = store.traces(&query).unwrap();
            parts.extend(part.items);
            let Some(cursor) = part.next_cursor else { break };
            query.paging.cursor = Some(cursor);
        }
        assert_eq!(parts, whole.items, "{sort:?} {order:?}");
    }
    let wrong = TraceQuery {
        paging: Paging { cursor: Some("x".to_owned()), ..Paging::default() },
        ..TraceQuery::default()
    };
    assert_eq!(store.traces(&wrong).unwrap_err(), StoreError::Cursor);
    let spans = store.spans(&filter("name:t"), &Paging { limit: 5, ..Paging::default() }).unwrap();
    assert_eq!((spans.items.len(), spans.next_cursor.is_some()), (5, true));
}

/// A wrapper that repeats what a call below it used does not count, whichever comes first.
fn calls_count_once(store: &dyn Store) {
    for trace in [1, 2] {
        let mut spans = vec![
            span(trace, 1, 0, "root", 0, 100),
            call(trace, 2, 1, 10, 90),
            span(trace, 3, 2, "between", 15, 80),
            call(trace, 4, 3, 20, 70),
        ];
        if trace == 2 {
            spans.reverse();
        }
        for span in spans {
            write(store, batch(vec![span]));
        }
    }
    let page = store.traces(&TraceQuery::default()).unwrap();
    for trace in page.items {
        assert_eq!((trace.model_calls, trace.tokens.0.total()), (1, 1300));
    }
}

fn numbers_over_time(store: &dyn Store) {
    for trace in 1..=10 {
        let start = u64::from(trace) * 1000;
        let mut call = call(trace, 2, 1, start, start + u64::from(trace) * 10);
        if trace == 10 {
            call = failed(call, "429");
        }
        write(store, batch(vec![span(trace, 1, 0, "root", start, start + 500), call]));
    }
    let window = Window { from_us: START, to_us: START + 20_000_000 };
    let models = store.models(window).unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!((models[0].calls, models[0].errors, models[0].tokens.0.total()), (10, 1, 13_000));
    assert_eq!((models[0].p50_us, models[0].p99_us), (Some(50_000), Some(100_000)));
    let mut query = StatsQuery {
        window,
        bucket_us: 5_000_000,
        grouping: Grouping::Model,
        filter: Filter::default(),
    };
    let stats = store.stats(&query).unwrap();
    assert_eq!(
        stats.groups[0].points.iter().map(|point| point.count).collect::<Vec<_>>(),
        [4, 5, 1]
    );
    query.filter = filter("service:coffee-shop status:error");
    assert_eq!(store.stats(&query).unwrap().groups[0].points[0].count, 1);
    query.grouping = Grouping::Name;
    query.filter = Filter::default();
    let stats = store.stats(&query).unwrap();
    assert_eq!((stats.groups[0].key.as_deref(), stats.groups[0].points.len()), (Some("root"), 3));
    // However it is read: a filter that leaves all makes no difference.
    for grouping in [Grouping::None, Grouping::Name, Grouping::Calls, Grouping::Model] {
        for bucket_us in [1, 300_000, 1_000_000, 1_700_000, 7_000_000, 60_000_000] {
            let stats = |text: &str| {
                store.stats(&StatsQuery { window, bucket_us, grouping, filter: filter(text) })
            };
            let all = stats("").unwrap();
            let counts = all.groups[0].points.iter().map(|point| point.count);
            assert_eq!(
                (counts.sum::<i64>(), all.groups.len()),
                (10, 1),
                "{grouping:?} {bucket_us}"
            );
            assert_eq!(all, stats("service:coffee-shop").unwrap(), "{grouping:?} {bucket_us}");
        }
    }
}

fn scores_and_facets(store: &dyn Store) {
    let trace = "0123456789abcdef0123456789abcdef";
    let event = |kind: &str, body: serde_json::Value| json!({"id": "e", "timestamp": "2026-01-01T00:00:00Z", "type": kind, "body": body});
    let body = json!({"batch": [
        event("trace-create", json!({"id": trace, "name": "chat", "sessionId": "s", "userId": "u", "tags": ["a", "b"]})),
        event("span-create", json!({"id": "x", "traceId": trace, "name": "work", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:01Z"})),
        event("score-create", json!({"id": "1", "traceId": trace, "name": "taste", "value": 0.5, "comment": "bitter"})),
    ]});
    write(store, langfuse(body.to_string().as_bytes()).unwrap().batch);
    let query = ScoreQuery { trace_ids: vec![trace.parse().unwrap()], ..ScoreQuery::default() };
    let scores = store.scores(&query).unwrap().items;
    assert_eq!(store.count(Countable::Scores(&query)).unwrap(), 1);
    assert_eq!(store.count(Countable::Sessions(&Filter::default())).unwrap(), 1);
    assert_eq!(store.count(Countable::Spans(&filter("event:module.complete"))).unwrap(), 1);
    assert_eq!(store.count(Countable::Traces(&filter("event:llm.*"))).unwrap(), 0);
    assert_eq!(
        (scores.len(), scores[0].name.as_str(), &scores[0].value),
        (1, "taste", &json!(0.5))
    );
    let facet = |key| {
        store
            .facets(&Filter::default(), key, 10)
            .unwrap()
            .into_iter()
            .map(|facet| facet.value)
            .collect::<Vec<_>>()
    };
    assert_eq!(facet(FacetKey::Tag), ["a", "b"]);
    assert_eq!(
        (facet(FacetKey::Session), facet(FacetKey::Name)),
        (vec!["s".to_owned()], vec!["chat".to_owned()])
    );
    let sessions = store.sessions(&filter("has:score"), &Paging::default()).unwrap();
    assert_eq!(
        (sessions.items[0].session_id.as_deref(), sessions.items[0].users.clone()),
        (Some("s"), vec!["u".to_owned()])
    );
    assert_eq!(store.users(&Filter::default(), &Paging::default()).unwrap().items.len(), 1);
}

#[test]
fn sqlite_keeps_the_contract() {
    check(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions::new(folder.path().join("traces.db"))).unwrap();
        (Box::new(store), folder)
    });
}

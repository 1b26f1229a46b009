//! What is particular to the store in a file: the file itself, retention, search, other processes.

use crate::contract::{batch, write};
use crate::stage::{self, call, span};
use glassbox_server::filter::Filter;
use glassbox_server::store::{
    Change, SqliteOptions, SqliteStore, Store, StoreError, TraceQuery, examine,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) fn options(folder: &tempfile::TempDir) -> SqliteOptions {
    SqliteOptions::new(folder.path().join("traces.db"))
}

pub(crate) fn found(store: &dyn Store, filter: &str) -> usize {
    let filter = Filter::parse(filter, 0).unwrap();
    store.traces(&TraceQuery { filter, ..TraceQuery::default() }).unwrap().items.len()
}

#[test]
fn a_store_is_opened_again_with_all_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    write(&store, batch(vec![span(1, 1, 0, "root", 0, 10)]));
    drop(store);
    let store = SqliteStore::open(options(&folder)).unwrap();
    write(&store, batch(vec![call(1, 2, 1, 2, 8)]));
    let view = store.trace("01".repeat(16).parse().unwrap(), 10).unwrap().unwrap();
    assert_eq!((view.trace.spans, view.trace.model_calls), (2, 1));
}

#[test]
fn one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _store = SqliteStore::open(options(&folder)).unwrap();
    let error = SqliteStore::open(options(&folder)).unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)) && error.is_temporary(), "{error}");
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.db");
    std::fs::write(&path, "this is a diary, and not a small one: ".repeat(200)).unwrap();
    let error = SqliteStore::open(options(&folder)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a diary"));
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(options(&folder)).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join("traces.db")).unwrap();
    connection.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(connection);
    let error = SqliteStore::open(options(&folder)).unwrap_err();
    assert!(error.to_string().contains("has version 99"), "{error}");
    assert_eq!(examine(&folder.path().join("traces.db")).unwrap_err(), error);
}

#[test]
fn a_store_can_be_looked_at_while_it_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.db");
    assert_eq!(examine(&path), Ok(None));
    let store = SqliteStore::open(options(&folder)).unwrap();
    write(&store, batch(vec![span(1, 1, 0, "root", 0, 10)]));
    let examined = examine(&path).unwrap().unwrap();
    assert!(examined.is_in_use && examined.bytes > 0 && examined.version > 0, "{examined:?}");
    drop(store);
    assert!(!examine(&path).unwrap().unwrap().is_in_use);
    std::fs::write(&path, "a diary".repeat(2000)).unwrap();
    assert!(matches!(examine(&path), Err(StoreError::Corrupt { .. })));
}

#[test]
fn texts_are_searched_and_forgotten_with_their_traces() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    let store = SqliteStore::open(options.clone()).unwrap();
    // Of a conversation that is as long as models take, the end can be found, too.
    let mut long = span(1, 3, 1, "long", 2, 3);
    let text = (0..130_000).map(|at| format!("w{} ", at % 5000)).collect::<String>() + "espresso";
    long.attributes.push(stage::text("input.value", &text));
    write(&store, batch(vec![call(1, 1, 0, 0, 10), span(1, 2, 1, "grind beans", 1, 2), long]));
    store.settle().blocking_recv().unwrap().unwrap();
    for (words, count) in [
        ("latte", 1),
        ("LATTE iced", 1),
        ("lat*", 1),
        ("tea", 0),
        ("beans", 1),
        ("espresso", 1),
        ("\"w4999 w0\"", 1),
        ("\"oat milk\"", 1),
    ] {
        assert_eq!(found(&store, words), count, "{words}");
    }
    assert_eq!(
        store.spans(&Filter::parse("latte", 0).unwrap(), &Default::default()).unwrap().items.len(),
        1
    );
    drop(store);

    // All of it began in January 2026, which is longer ago than a day.
    options.retention.age = Some(Duration::from_hours(24));
    let store = SqliteStore::open(options).unwrap();
    store.settle().blocking_recv().unwrap().unwrap();
    let health = store.health().unwrap();
    assert_eq!((health.spans, health.traces, found(&store, "latte")), (0, 0, 0));
    // What comes after all is gone can be found.
    let mut late = span(2, 1, 0, "late latte", 0, 10);
    late.start_time_unix_nano = u64::MAX / 4;
    late.end_time_unix_nano = u64::MAX / 4;
    write(&store, batch(vec![late]));
    store.settle().blocking_recv().unwrap().unwrap();
    assert_eq!(found(&store, "latte"), 1);
    drop(store);
    let connection = rusqlite::Connection::open(folder.path().join("traces.db")).unwrap();
    for table in ["spans", "blocks", "contexts", "traces"] {
        let rows: i64 = connection
            .query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1, "{table}");
    }
}

#[test]
fn the_oldest_traces_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.retention.bytes = Some(1 << 20);
    let store = SqliteStore::open(options).unwrap();
    for trace in 1..=60 {
        let mut span = span(trace, 1, 0, "big", u64::from(trace), 100);
        // Nothing that compresses well.
        let noise: String = (0..60_000_u64)
            .map(|at| {
                char::from(
                    33 + ((at * at * u64::from(trace)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
                        as u8,
                )
            })
            .collect();
        span.attributes.push(crate::stage::text("noise", &noise));
        write(&store, batch(vec![span]));
    }
    store.settle().blocking_recv().unwrap().unwrap();
    let health = store.health().unwrap();
    assert!(health.traces > 0 && health.traces < 60, "{health:?}");
    assert!(
        store.trace("01".repeat(16).parse().unwrap(), 1).unwrap().is_none(),
        "the oldest one is gone"
    );
    assert!(
        store.trace("3c".repeat(16).parse().unwrap(), 1).unwrap().is_some(),
        "the latest one is there"
    );
}

#[test]
fn what_ran_is_abandoned_until_it_is_heard_of() {
    let folder = tempfile::tempdir().unwrap();
    let changes = Arc::new(Mutex::new(Vec::new()));
    let mut options = options(&folder);
    let heard = Arc::clone(&changes);
    options.listener = Some(Arc::new(move |more| heard.lock().unwrap().extend(more)));
    let store = SqliteStore::open(options).unwrap();
    let mut open = span(1, 1, 0, "root", 0, 0);
    open.end_time_unix_nano = 0;
    write(&store, batch(vec![open.clone()]));
    let state = || store.traces(&TraceQuery::default()).unwrap().items[0].state;
    assert_eq!(format!("{:?}", state()), "Running");
    assert_eq!(store.abandon_all().blocking_recv().unwrap().unwrap().changed, 1);
    assert_eq!(format!("{:?}", state()), "Abandoned");
    write(&store, batch(vec![open]));
    assert_eq!(format!("{:?}", state()), "Running");
    write(&store, batch(vec![span(1, 1, 0, "root", 0, 5)]));
    assert_eq!(format!("{:?}", state()), "Done");
    drop(store);
    let changes = changes.lock().unwrap();
    let spans = changes.iter().filter_map(Change::span).map(|span| format!("{:?}", span.state));
    assert_eq!(spans.collect::<Vec<_>>(), ["Running", "Abandoned", "Running", "Done"]);
}

#[test]
fn a_file_that_another_program_holds_is_told_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    write(&store, batch(vec![span(1, 1, 0, "before", 0, 10)]));
    let other = rusqlite::Connection::open(folder.path().join("traces.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = store.write(batch(vec![span(2, 1, 0, "after", 0, 10)])).blocking_recv().unwrap();
    assert!(matches!(answer, Err(StoreError::Locked(_))), "{answer:?}");
    other.execute_batch("ROLLBACK").unwrap();
    write(&store, batch(vec![span(2, 1, 0, "after", 0, 10)]));
    assert_eq!(found(&store, ""), 2);
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.file_bytes = Some(1 << 20);
    let store = SqliteStore::open(options).unwrap();
    let big = |trace: u8| {
        let mut span = span(trace, 1, 0, "big", 0, 100);
        let noise = (0..60_000_u64).map(|at| {
            let number = (at + u64::from(trace) * 60_000).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            char::from(33 + (number.wrapping_mul(number) >> 7) as u8 % 90)
        });
        span.attributes.push(crate::stage::text("noise", &noise.collect::<String>()));
        batch(vec![span])
    };
    let mut kept = 0;
    let error = loop {
        match store.write(big(kept + 1)).blocking_recv().unwrap() {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "there is no end of room");
    };
    assert!(matches!(error, StoreError::Full(_)) && error.is_temporary(), "{error}");
    drop(store);
    let store = SqliteStore::open(SqliteOptions::new(folder.path().join("traces.db"))).unwrap();
    assert_eq!(found(&store, ""), usize::from(kept));
    write(&store, big(kept + 1));
    assert_eq!(found(&store, ""), usize::from(kept) + 1);
}

#[test]
fn words_that_are_everywhere_are_found_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    let spans = (0..10_500_u32).map(|at| {
        let mut span = span(1 + (at % 70) as u8, 1, 0, "common", 0, 10);
        span.span_id = u64::from(at + 1).to_be_bytes().to_vec();
        span
    });
    write(&store, batch(spans.chain([span(80, 1, 0, "rare", 0, 10)]).collect()));
    store.settle().blocking_recv().unwrap().unwrap();
    let whole = |filter: &str| {
        let filter = Filter::parse(filter, 0).unwrap();
        let paging = glassbox_server::store::Paging { limit: 500, ..Default::default() };
        let spans = store.spans(&filter, &paging).unwrap().items.len();
        let query = TraceQuery { filter, paging, ..TraceQuery::default() };
        (store.traces(&query).unwrap().items.len(), spans)
    };
    assert_eq!(
        (whole("common"), whole("-common"), whole("rare"), whole("common rare")),
        ((70, 500), (1, 1), (1, 1), (0, 0))
    );
}

#[test]
fn words_in_quotes_stand_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    let said = |trace: u8, text: &str| {
        let mut span = span(trace, 1, 0, "order", 0, 10);
        span.attributes = vec![crate::stage::text("langfuse.observation.output", text)];
        span
    };
    write(
        &store,
        batch(vec![
            said(1, r#"{"error":"no such\ncup"}"#),
            said(2, "such a cup? there is no"),
            said(3, "Un caf\u{e9} cr\u{e8}me, no such CUPS"),
        ]),
    );
    store.settle().blocking_recv().unwrap().unwrap();
    for (words, count) in [
        ("no such cup", 2),
        ("\"no such cup\"", 1),
        ("\"no such cup*\"", 2),
        ("\"such no\"", 0),
        ("\"NO Such\"", 2),
        ("\"cafe creme\"", 1),
        ("-\"no such\"", 1),
        ("\"no such\" creme", 1),
        ("\"cup\"", 2),
        ("\"order\"", 3),
        ("\" - \"", 3),
    ] {
        assert_eq!(found(&store, words), count, "{words}");
        let spans = store.spans(&Filter::parse(words, 0).unwrap(), &Default::default()).unwrap();
        assert_eq!(spans.items.len(), count, "{words}");
    }
}

#[test]
fn phrases_of_words_that_stand_everywhere_are_found_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    for trace in 0..12_u8 {
        let spans = (1..=100).map(|id| {
            let name = if id == 100 && trace == 7 { "iced latte please" } else { "latte, iced" };
            span(trace + 1, id, 0, name, 0, 10)
        });
        write(&store, batch(spans.collect()));
    }
    store.settle().blocking_recv().unwrap().unwrap();
    assert_eq!((found(&store, "iced latte"), found(&store, "\"iced latte\"")), (12, 1));
}

#[test]
fn a_file_of_the_version_before_becomes_as_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    write(&store, batch(vec![span(1, 7, 0, "old", 0, 10)]));
    drop(store);
    let connection = rusqlite::Connection::open(folder.path().join("traces.db")).unwrap();
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let before = version - 1;
    connection
        .execute_batch(&format!("DROP INDEX spans_by_span_id; PRAGMA user_version = {before}"))
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(options(&folder)).unwrap();
    for (filter, count) in
        [("span:0707070707070707", 1), ("span:0808080808080808", 0), ("span:07*", 1)]
    {
        let spans = store.spans(&Filter::parse(filter, 0).unwrap(), &Default::default()).unwrap();
        assert_eq!(spans.items.len(), count, "{filter}");
        assert_eq!(found(&store, filter), count, "{filter}");
    }
}

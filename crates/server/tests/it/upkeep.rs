//! What becomes of the store's file: what is removed from it, how small it stays, who may read it, older versions.

use crate::contract::{batch, write};
use crate::sqlite::{found, options};
use crate::stage::{self, call, span};
use glassbox_server::filter::Filter;
use glassbox_server::store::{SqliteOptions, SqliteStore, Store, StoreError, examine};
use std::time::Duration;

/// A span of the trace and with the id of this number.
fn numbered(trace: u64, id: u64) -> opentelemetry_proto::tonic::trace::v1::Span {
    let mut span = span(1, 1, 0, "step", 0, 10);
    span.trace_id = u128::from(trace).to_be_bytes().to_vec();
    span.span_id = id.to_be_bytes().to_vec();
    span
}

#[test]
fn more_traces_than_are_removed_at_once_are_removed_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.retention.age = Some(Duration::from_hours(24));
    let store = SqliteStore::open(options).unwrap();
    for round in 0..3 {
        let spans = (1..=1000).map(|trace| numbered(round * 1000 + trace, 1));
        write(&store, batch(spans.collect()));
    }
    let gone = || store.health().unwrap().traces == 0;
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while !gone() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(gone(), "{:?}", store.health());
}

#[test]
fn scores_of_no_trace_do_not_stay_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    let store = SqliteStore::open(options.clone()).unwrap();
    let score = |at_us: i64| glassbox_server::store::NewScore {
        id: at_us.to_string(),
        trace_id: "07".repeat(16).parse().unwrap(),
        span_id: None,
        name: "taste".to_owned(),
        value: 1.into(),
        comment: None,
        at_us,
    };
    let scores = vec![score(1_767_225_600_000_000), score(i64::MAX)];
    write(&store, glassbox_server::store::Batch { scores, ..Default::default() });
    drop(store);
    options.retention.age = Some(Duration::from_hours(24));
    let store = SqliteStore::open(options).unwrap();
    store.settle().blocking_recv().unwrap().unwrap();
    let left = store.scores(&Default::default()).unwrap().items;
    assert_eq!(left.iter().map(|score| score.at_us).collect::<Vec<_>>(), [i64::MAX]);
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(options(&folder)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(std::fs::read(&path).unwrap() == before, "it is as it was");
    assert!(matches!(examine(&path), Err(StoreError::Corrupt { .. })), "{:?}", examine(&path));
}

#[cfg(unix)]
#[test]
fn one_server_at_a_time_by_whatever_name_the_file_goes() {
    let folder = tempfile::tempdir().unwrap();
    let _store = SqliteStore::open(options(&folder)).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(folder.path().join("traces.db"), &link).unwrap();
    let error = SqliteStore::open(SqliteOptions::new(&link)).unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    assert!(examine(&link).unwrap().unwrap().is_in_use);
}

#[test]
fn what_spans_say_of_their_trace_stays_small_however_many_say_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    let said = |id: u64| {
        let mut span = numbered(1, id);
        span.parent_span_id = if id == 1 { Vec::new() } else { 1_u64.to_be_bytes().to_vec() };
        let facts = (0..20).map(|at| format!("\"fact {id} {at}\":\"{}\"", "x".repeat(900)));
        let facts = format!("{{{}}}", facts.collect::<Vec<_>>().join(","));
        span.attributes =
            vec![stage::text("metadata", &facts), stage::text("tag.tags", &id.to_string())];
        span
    };
    write(&store, batch((1..=400).map(said).collect()));
    let view = store.trace(numbered_trace(1), 10).unwrap().unwrap().trace;
    assert!(view.metadata.len() <= 100 && view.tags.len() <= 100, "{}", view.tags.len());
    assert!(serde_json::to_string(&view.metadata).unwrap().len() < 40_000);
    // What the root says goes first.
    assert!(view.metadata.contains_key("fact 1 0") && view.metadata.contains_key("fact 1 19"));
    assert!(view.tags.contains(&"1".to_owned()));
}

fn numbered_trace(trace: u64) -> glassbox_trace::id::TraceId {
    glassbox_trace::id::TraceId::from_bytes(u128::from(trace).to_be_bytes())
}

#[test]
fn sums_have_room_for_whatever_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    for trace in 1..=3 {
        let mut call = call(trace, 1, 0, 0, 10);
        let told = [("gen_ai.usage.cost", "9000000"), ("session.id", "s"), ("user.id", "u")];
        call.attributes.extend(told.map(|(key, value)| stage::text(key, value)));
        write(&store, batch(vec![call]));
    }
    let sessions = store.sessions(&Filter::default(), &Default::default()).unwrap().items;
    assert_eq!((sessions.len(), sessions[0].traces), (1, 3));
    assert_eq!(sessions[0].cost_usd.map(|cost| cost.0), Some(i64::MAX));
    store.users(&Filter::default(), &Default::default()).unwrap();
    let window = glassbox_server::store::Window { from_us: 0, to_us: i64::MAX };
    assert_eq!(store.models(window).unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    write(&store, batch(vec![span(1, 1, 0, "root", 0, 10)]));
    for name in ["traces.db", "traces.db-wal", "traces.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // Who has let others in means it.
    drop(store);
    let file = folder.path().join("traces.db");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    drop(SqliteStore::open(options(&folder)).unwrap());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn its_size_is_what_it_takes_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(options(&folder)).unwrap();
    write(&store, batch(vec![span(1, 1, 0, "root", 0, 10)]));
    store.settle().blocking_recv().unwrap().unwrap();
    let size = |name| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert_eq!(store.health().unwrap().bytes, size("traces.db") + size("traces.db-wal"));
}

#[test]
fn who_made_spans_that_are_gone_goes_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    let store = SqliteStore::open(options.clone()).unwrap();
    let of_process = |pid: i64, span| {
        let mut request = stage::request_of(vec![span]);
        let resource = request.resource_spans[0].resource.as_mut().unwrap();
        resource.attributes.push(stage::int("process.pid", pid));
        request.resource_spans.remove(0)
    };
    let mut late = numbered(2, 1);
    late.start_time_unix_nano = u64::MAX / 4;
    late.end_time_unix_nano = u64::MAX / 4;
    let request = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest {
        resource_spans: (1..=10_001)
            .map(|pid| of_process(pid, numbered(1, pid.unsigned_abs())))
            .chain([of_process(0, late)])
            .collect(),
    };
    let read = glassbox_server::ingest::otlp(
        &prost::Message::encode_to_vec(&request),
        glassbox_server::ingest::Format::Protobuf,
        &glassbox_server::ingest::Limits::default(),
    );
    write(&store, read.unwrap().batch);
    drop(store);
    options.retention.age = Some(Duration::from_hours(24));
    let store = SqliteStore::open(options).unwrap();
    store.settle().blocking_recv().unwrap().unwrap();
    write(&store, batch(vec![numbered(3, 1)]));
    drop(store);
    let connection = rusqlite::Connection::open(folder.path().join("traces.db")).unwrap();
    let origins = "SELECT COUNT(*) FROM origins";
    let origins: i64 = connection.query_row(origins, [], |row| row.get(0)).unwrap();
    // The late one's, and that of the span that came since.
    assert_eq!(origins, 2);
}

#[test]
fn a_file_of_the_first_version_becomes_as_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("traces.db")).unwrap();
    let first = include_str!("../../src/store/sqlite/schema.sql");
    connection.execute_batch(&format!("{first}; PRAGMA user_version = 1")).unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO traces (no, trace_id, name, state, start_us, end_us, duration_us, spans, model_calls, tokens,
                 models)
                 VALUES (1, x'01010101010101010101010101010101', 'old', 2, 1767225600000000, 1767225601000000, 1000000, 1, 1, 30,
                 '["gpt-4o-mini"]');
             INSERT INTO contexts VALUES (1 << 20, '{}');
             INSERT INTO origins VALUES (1, 7, x'', x'');
             INSERT INTO spans (id, span_id, flags, kind, state, rank, digest, name, start_us, end_us, model, provider,
                 input, output, cost, context, origin, block, offset, length)
                 VALUES (1 << 20, 72340172838076673, 1, 2, 2, 2, 9, 'chat old', 1767225600000000, 1767225601000000,
                     'gpt-4o-mini', 'openai', 20, 10, 5, 0, 1, 1, 0, 0)"#,
        )
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(options(&folder)).unwrap();
    assert_eq!((found(&store, "name:old"), found(&store, "model:gpt-4o*")), (1, 1));
    let window = glassbox_server::store::Window { from_us: 0, to_us: i64::MAX };
    let models = store.models(window).unwrap();
    assert_eq!((models.len(), models[0].calls, models[0].tokens.0.total()), (1, 1, 30));
    // Another span of the same trace finds its place beside the first.
    write(&store, batch(vec![call(1, 2, 0, 2, 8)]));
    let view = store.trace("01".repeat(16).parse().unwrap(), 10).unwrap().unwrap();
    assert_eq!((view.trace.spans, view.trace.model_calls), (2, 2));
}

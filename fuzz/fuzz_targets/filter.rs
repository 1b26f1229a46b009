//! The filter language, asked of a store with a few spans: what can be read can be asked.
#![no_main]

use glassbox_server::filter::{Condition, Filter};
use glassbox_server::ingest::{Format, Limits, otlp};
use glassbox_server::store::{Paging, SqliteOptions, SqliteStore, Store, TraceQuery};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const SPANS: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
    {"traceId":"01010101010101010101010101010101","spanId":"0101010101010101","name":"order",
     "startTimeUnixNano":"1767225600000000000","endTimeUnixNano":"1767225601000000000",
     "attributes":[{"key":"session.id","value":{"stringValue":"morning"}},
                   {"key":"langfuse.trace.metadata.shop","value":{"stringValue":"seven"}},
                   {"key":"input.value","value":{"stringValue":"a cold brew"}}]}]}]}]}"#;

static STORE: LazyLock<SqliteStore> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("glassbox-fuzz-{}.db", std::process::id()));
    let store = SqliteStore::open(SqliteOptions::new(path)).expect("a new file can be written");
    let accepted = otlp(SPANS.as_bytes(), Format::Json, &Limits::default()).expect("it is OTLP");
    store.write(accepted.batch).blocking_recv().expect("it answers").expect("it is kept");
    store.settle().blocking_recv().expect("it answers").expect("it is indexed");
    store
});

fuzz_target!(|text: &str| {
    let Ok(filter) = Filter::parse(text, 1_767_225_600_000_000) else { return };
    for term in &filter.terms {
        if let Condition::Text(_, pattern) | Condition::Metadata(_, pattern) = &term.condition {
            let _ = pattern.matches("CoffeeShop **!");
        }
    }
    // What only a server that is overloaded refuses is no failure; this one is not.
    STORE.spans(&filter, &Paging::default()).expect("spans can be asked for");
    let query = TraceQuery { filter, ..TraceQuery::default() };
    STORE.traces(&query).expect("traces can be asked for");
});

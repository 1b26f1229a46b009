//! In which order, how often and in how many batches spans arrive makes no difference.

use crate::contract::write;
use crate::stage::{call, failed, request_of, span};
use glassbox_server::ingest::{Format, Limits, langfuse, otlp};
use glassbox_server::store::{Batch, SqliteOptions, SqliteStore, Store, TraceQuery};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message as _;
use serde_json::{Value, json};
use std::path::Path;

/// Something that is sent: a span, or one event of Langfuse's.
#[derive(Clone, Debug)]
enum Message {
    Otlp(Box<Span>),
    Langfuse(Value),
}

impl Message {
    fn batch(&self) -> Batch {
        match self {
            Self::Otlp(span) => {
                let body = request_of(vec![span.as_ref().clone()]).encode_to_vec();
                otlp(&body, Format::Protobuf, &Limits::default()).unwrap().batch
            }
            Self::Langfuse(event) => {
                langfuse(json!({ "batch": [event] }).to_string().as_bytes()).unwrap().batch
            }
        }
    }
}

fn otlp_message() -> impl Strategy<Value = Message> {
    (1..3_u8, 1..6_u8, 0..7_u8, 0..4_u64, 0..4_u64, 0..6_u8).prop_map(
        |(trace, id, parent, from, length, kind)| {
            let mut message = match kind {
                0 => call(trace, id, parent, from, from + length),
                1 => failed(span(trace, id, parent, "failing", from, from + length), "broke"),
                _ => span(trace, id, parent, "work", from, from + length),
            };
            if kind > 3 {
                // Only its beginning is known.
                message.end_time_unix_nano = 0;
            }
            if kind % 2 == 0 {
                message.attributes.push(crate::stage::text("session.id", &format!("session {id}")));
            }
            Message::Otlp(Box::new(message))
        },
    )
}

fn langfuse_message() -> impl Strategy<Value = Message> {
    (1..3_u8, 1..4_u8, 0..4_usize, 0..5_u8).prop_map(|(trace, id, what, second)| {
        let trace = format!("{trace:02x}").repeat(16);
        let time = format!("2026-01-01T00:00:0{second}Z");
        let id = format!("observation {id}");
        let (kind, body) = match what {
            0 => ("generation-create", json!({"id": id, "traceId": trace, "name": "g", "startTime": time, "model": "gpt-4o-mini"})),
            1 => ("generation-update", json!({"id": id, "traceId": trace, "endTime": time, "output": "done", "usage": {"input": 5, "output": second}})),
            2 => ("trace-create", json!({"id": trace, "name": format!("name {second}"), "tags": [id]})),
            _ => ("span-create", json!({"id": id, "traceId": trace, "name": "s", "parentObservationId": "observation 1", "startTime": time})),
        };
        Message::Langfuse(json!({"id": "e", "timestamp": time, "type": kind, "body": body}))
    })
}

/// All that a store tells, but for numbers that count its own commits.
fn told(store: &dyn Store) -> Value {
    let mut traces = store.traces(&TraceQuery::default()).unwrap().items;
    traces.sort_by(|left, right| left.trace_id.cmp(&right.trace_id));
    let views: Vec<_> = traces
        .iter()
        .map(|trace| {
            let id = trace.trace_id.parse().unwrap();
            let mut view = store.trace(id, 100).unwrap().unwrap();
            view.trace.updated_seq = 0;
            view.spans.sort_by(|left, right| left.span_id.cmp(&right.span_id));
            let mut raw: Vec<_> = store
                .raw_spans(id, 100)
                .unwrap()
                .into_iter()
                .map(|raw| (raw.summary.span_id, raw.bytes))
                .collect();
            raw.sort();
            json!({ "trace": view.trace, "spans": view.spans, "raw": raw })
        })
        .collect();
    json!(views)
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(SqliteOptions::new(folder.join("traces.db"))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn order_makes_no_difference(
        messages in prop::collection::vec(prop_oneof![3 => otlp_message(), 1 => langfuse_message()], 1..20),
        again in prop::collection::vec(any::<Index>(), 0..8),
        places in prop::collection::vec(any::<u32>(), 40),
        cuts in prop::collection::vec(any::<bool>(), 40),
        reopen_at in any::<Index>(),
    ) {
        let one = tempfile::tempdir().unwrap();
        let store = open(one.path());
        for message in &messages {
            write(&store, message.batch());
        }
        let expected = told(&store);

        let mut shuffled = messages.clone();
        shuffled.extend(again.iter().map(|at| at.get(&messages).clone()));
        let mut shuffled: Vec<_> = places.iter().zip(shuffled).collect();
        shuffled.sort_by_key(|(place, _)| **place);
        let other = tempfile::tempdir().unwrap();
        let mut store = open(other.path());
        let reopen_at = reopen_at.index(shuffled.len());
        let mut batch = Batch::default();
        for (at, ((_, message), cut)) in shuffled.into_iter().zip(cuts).enumerate() {
            batch.blocks.extend(message.batch().blocks);
            if cut {
                write(&store, std::mem::take(&mut batch));
            }
            if at == reopen_at {
                drop(store);
                store = open(other.path());
            }
        }
        write(&store, batch);
        prop_assert_eq!(told(&store), expected);
    }
}

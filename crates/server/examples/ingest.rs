//! Measures how many spans a second are acknowledged and durable: 4 senders, batches of 512, 2 KB payloads, protobuf, gzip.
//!
//! `cargo run --release -p glassbox-server --example ingest -- 200` sends 200 batches a sender.

#![allow(clippy::print_stdout, reason = "it is run to be read")]

use flate2::Compression;
use flate2::write::GzEncoder;
use glassbox_server::{Options, Server};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use std::io::Write as _;
use std::time::Instant;

const SENDERS: u64 = 4;
const SPANS: u64 = 512;
const WORDS: [&str; 16] = [
    "iced", "latte", "with", "oat", "milk", "and", "an", "extra", "shot", "please", "the",
    "customer", "waited", "twenty", "minutes", "again",
];

fn text(seed: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut state = seed | 1;
    while text.len() < bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(state >> 60) as usize]);
        text.push_str(if state.is_multiple_of(7) { " 4711" } else { " " });
    }
    text
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Traces of eight spans, of which three are model calls.
fn batch(number: u64) -> Vec<u8> {
    let spans = (0..SPANS).map(|at| {
        let seed = number * SPANS + at;
        let (trace, place) = (seed / 8, seed % 8);
        let start = 1_767_225_600_000_000_000 + seed * 1_000_000;
        let said = |kind: &str, seed| {
            let messages = format!(
                r#"[{{"role":"{kind}","parts":[{{"type":"text","content":"{}"}}]}}]"#,
                text(seed, 950)
            );
            Value::StringValue(messages)
        };
        let mut attributes = vec![
            attribute("gen_ai.input.messages", said("user", seed)),
            attribute("gen_ai.output.messages", said("assistant", seed + 7)),
            attribute("session.id", Value::StringValue(format!("session-{}", trace % 100))),
        ];
        if place > 4 {
            attributes.extend([
                attribute("gen_ai.operation.name", Value::StringValue("chat".to_owned())),
                attribute("gen_ai.provider.name", Value::StringValue("openai".to_owned())),
                attribute("gen_ai.request.model", Value::StringValue("gpt-4o-mini".to_owned())),
                attribute("gen_ai.usage.input_tokens", Value::IntValue(200)),
                attribute("gen_ai.usage.output_tokens", Value::IntValue(100)),
            ]);
        }
        let id =
            |number: u64| (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec();
        Span {
            trace_id: [id(trace), id(trace + 1)].concat(),
            span_id: id(seed),
            parent_span_id: if place == 0 { Vec::new() } else { id(seed - 1) },
            name: "chat gpt-4o-mini".to_owned(),
            start_time_unix_nano: start,
            end_time_unix_nano: start + 900_000,
            attributes,
            ..Span::default()
        }
    });
    let scope = ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec())
        .unwrap();
    gzip.finish().unwrap()
}

#[tokio::main]
async fn main() {
    let batches: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100);
    let folder = tempfile::tempdir().unwrap();
    let running = Server::bind(Options::local(folder.path().join("traces.db"))).await.unwrap();
    let url = format!("{}/v1/traces", running.otlp);
    // Made before the clock runs: it is the server that is measured.
    let bodies: Vec<_> = (0..SENDERS * batches).map(batch).collect();
    let sent: usize = bodies.iter().map(Vec::len).sum();
    let begun = Instant::now();
    let mut senders = Vec::new();
    for bodies in bodies.chunks(usize::try_from(batches).unwrap()) {
        let (bodies, url) = (bodies.to_vec(), url.clone());
        senders.push(tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            for body in bodies {
                let request = client.post(&url).header("content-type", "application/x-protobuf");
                let answer =
                    request.header("content-encoding", "gzip").body(body).send().await.unwrap();
                assert!(answer.status().is_success(), "{}", answer.status());
            }
        }));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let spans = SENDERS * batches * SPANS;
    println!(
        "{spans} spans, {} MB sent, {seconds:.2} s: {:.0} spans a second",
        sent >> 20,
        spans as f64 / seconds
    );
    let health = running.store.health().unwrap();
    println!(
        "stored: {} spans, {} MB, {} blocks to index",
        health.spans,
        health.bytes >> 20,
        health.unindexed
    );
    let begun = Instant::now();
    running.store.settle().await.unwrap().unwrap();
    println!("indexed {:.2} s later", begun.elapsed().as_secs_f64());
    for (what, filter) in
        [("list", ""), ("text", "latte minutes"), ("model", "model:gpt-4o-mini cost:>0")]
    {
        let begun = Instant::now();
        let filter = glassbox_server::filter::Filter::parse(filter, 0).unwrap();
        let query = glassbox_server::store::TraceQuery { filter, ..Default::default() };
        let found = running.store.traces(&query).unwrap().items.len();
        println!("{what}: {found} traces in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    }
    running.stop().await;
}

//! `burst`: how many spans of a burst are lost, with the settings that a program gets which sets none but the address.

use crate::child::{self, Peer};
use crate::data;
use crate::receiver::Receiver;
use crate::stats::peak_memory;
use crate::table;
use anyhow::{Context as _, Result};
use glassbox_events::context::Context;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_telemetry::observe::Observe;
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Detail, Status};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TASKS: usize = 8;

/// Nobody ends before everything is delivered or given up: what is lost is lost to the burst, and not to the end.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// The spans of a burst, from 8 tasks.
    #[arg(long, default_value_t = 100_000)]
    spans: usize,
    /// How long the receiver takes to answer.
    #[arg(long, default_value_t = 50)]
    latency_ms: u64,
    /// The payload of each span, its own.
    #[arg(long, default_values_t = [500, 4096])]
    bytes: Vec<usize>,
    /// Bursts, in this process.
    #[arg(long, hide = true)]
    child: Option<Peer>,
}

/// What a process tells of its burst.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    burst_ms: f64,
    delivered_ms: f64,
    peak_memory: u64,
}

struct Row {
    peer: Peer,
    bytes: usize,
    told: Told,
    lost: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(peer) = args.child {
        let bytes = args.bytes.first().copied().unwrap_or_default();
        println!("{}", serde_json::to_string(&burst(peer, args.spans, bytes)?)?);
        return Ok(());
    }
    let mut rows = Vec::new();
    for bytes in &args.bytes {
        for peer in Peer::BOTH {
            rows.push(measure(args, peer, *bytes)?);
        }
    }
    if args.json {
        println!("{}", Value::Object(figures(&rows)));
    } else {
        show(args, &rows);
    }
    Ok(())
}

fn measure(args: &Args, peer: Peer, bytes: usize) -> Result<Row> {
    let receiver = Receiver::start(Duration::from_millis(args.latency_ms), true)?;
    let spool = std::env::temp_dir().join(format!("glassbox-burst-{}", std::process::id()));
    let told = child::run::<Told>(
        &[
            "burst",
            "--child",
            peer.as_str(),
            "--spans",
            &args.spans.to_string(),
            "--bytes",
            &bytes.to_string(),
        ],
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &receiver.url),
            // On, as it is by default, though not in the user's own folder.
            ("GLASSBOX_SPOOL_DIR", spool.to_str().context("the folder for what is temporary")?),
        ],
    );
    // There is none if nothing had to wait on disk.
    let _ = std::fs::remove_dir_all(&spool);
    let received = receiver.finish()?.spans;
    Ok(Row { peer, bytes, told: told?, lost: (args.spans as u64).saturating_sub(received) })
}

fn burst(peer: Peer, spans: usize, bytes: usize) -> Result<Told> {
    // Different enough that they do not shrink to nothing.
    let payloads: Arc<[String]> =
        (0..64).map(|seed| data::text(bytes, seed)).collect::<Vec<_>>().into();
    match peer {
        Peer::Glassbox => glassbox(spans, payloads),
        Peer::OpentelemetrySdk => sdk(spans, payloads),
    }
}

fn glassbox(spans: usize, payloads: Arc<[String]>) -> Result<Told> {
    let observing = Observe::from_env()?.start()?;
    let began = Instant::now();
    in_tasks(move |task| {
        let name: Arc<str> = data::NAME.into();
        for number in 0..spans / TASKS {
            let payload = payloads[(task + number) % payloads.len()].as_str();
            let span = OpenSpan::begin(
                &Context::current(),
                Family::Module,
                &name,
                Detail::Span,
                Some(Payload::from(payload)),
            );
            span.end(Status::Ok, None);
        }
    })?;
    let burst = began.elapsed();
    // What it could not deliver shows at the receiver.
    let _ = observing.flush_blocking(PATIENCE);
    let told = told(burst, began);
    drop(observing);
    Ok(told)
}

fn sdk(spans: usize, payloads: Arc<[String]>) -> Result<Told> {
    let exporter = SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let tracer = provider.tracer("bench");
    let began = Instant::now();
    in_tasks(move |task| {
        for number in 0..spans / TASKS {
            let payload = &payloads[(task + number) % payloads.len()];
            let mut span = tracer.start(data::NAME);
            span.set_attribute(KeyValue::new("input.value", payload.clone()));
            span.end();
        }
    })?;
    let burst = began.elapsed();
    // What it could not deliver shows at the receiver.
    let _ = provider.force_flush();
    let told = told(burst, began);
    let _ = provider.shutdown_with_timeout(PATIENCE);
    Ok(told)
}

fn told(burst: Duration, began: Instant) -> Told {
    Told {
        burst_ms: burst.as_secs_f64() * 1e3,
        delivered_ms: began.elapsed().as_secs_f64() * 1e3,
        peak_memory: peak_memory(),
    }
}

/// Runs tasks on a runtime of Tokio as it is by default.
fn in_tasks(task: impl Fn(usize) + Clone + Send + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(async {
        let spawn = |number| {
            let task = task.clone();
            tokio::spawn(async move { task(number) })
        };
        for task in (0..TASKS).map(spawn).collect::<Vec<_>>() {
            task.await?;
        }
        Ok(())
    })
}

fn show(args: &Args, rows: &[Row]) {
    let cells = rows.iter().map(|row| {
        vec![
            format!("{}, {} B", row.peer.as_str(), row.bytes),
            row.lost.to_string(),
            format!("{:.1} %", 100.0 * row.lost as f64 / args.spans as f64),
            format!("{:.0}", row.told.burst_ms),
            format!("{:.0}", row.told.delivered_ms),
            format!("{:.0}", row.told.peak_memory as f64 / 1e6),
        ]
    });
    let headline = format!(
        "burst: {} spans from {TASKS} tasks, default settings, a receiver that takes {} ms an answer",
        args.spans, args.latency_ms
    );
    let columns = ["system", "lost", "share", "burst ms", "all done ms", "peak MB"];
    table::print(&headline, &columns, &cells.collect::<Vec<_>>());
}

/// Figures without a size are those of the first.
fn figures(rows: &[Row]) -> Map<String, Value> {
    let mut object = Map::new();
    let first = rows.first().map(|row| row.bytes);
    for row in rows {
        let name = row.peer.as_str();
        let suffix =
            if Some(row.bytes) == first { String::new() } else { format!("_{}", row.bytes) };
        object.insert(format!("{name}_lost{suffix}"), json!(row.lost));
        object.insert(format!("{name}_burst_ms{suffix}"), json!(row.told.burst_ms));
        object.insert(format!("{name}_peak_bytes{suffix}"), json!(row.told.peak_memory));
    }
    object
}

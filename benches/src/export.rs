//! `export`: what it costs to encode, compress and send spans, to a receiver on this machine that discards them.

use crate::child::{self, Peer};
use crate::data::{Facts, NAME};
use crate::receiver::Receiver;
use crate::stats::{cpu_time, median};
use crate::systems::{Text, attributes_of_answer, attributes_of_call, llm_span};
use crate::table;
use anyhow::{Context as _, Result, ensure};
use glassbox_events::bus::Bus;
use glassbox_events::scope::Scope;
use glassbox_telemetry::destination::{Compression, Destination, OtlpConfig};
use glassbox_telemetry::limits::Limits;
use glassbox_telemetry::mask::Masking;
use glassbox_telemetry::observe::Observe;
use glassbox_trace::otlp::{self, Encoding, Profile, Resource};
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Detail, Status};
use opentelemetry::trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Different spans, so that they do not shrink to nothing.
const DIFFERENT: u64 = 256;

/// Spans that make everything warm.
const WARM_UP: usize = 2_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Spans of a turn.
    #[arg(long, default_value_t = 20_000)]
    spans: usize,
    /// How often each system has its turn; the medians are of these.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Exports to this address, in this process.
    #[arg(long, hide = true, requires = "url")]
    child: Option<Peer>,
    #[arg(long, hide = true)]
    url: Option<String>,
    /// How it exports.
    #[arg(long, hide = true, default_value = "gzip")]
    how: How,
}

/// How spans are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum How {
    /// Compressed.
    Gzip,
    /// Not compressed.
    Plain,
    /// Neither compressed nor, by us, searched for secrets.
    Bare,
}

/// What is measured, in this order.
const KINDS: [(Peer, How); 5] = [
    (Peer::Glassbox, How::Gzip),
    (Peer::OpentelemetrySdk, How::Gzip),
    (Peer::Glassbox, How::Plain),
    (Peer::Glassbox, How::Bare),
    (Peer::OpentelemetrySdk, How::Plain),
];

/// What a process tells of its export.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    cpu_s: f64,
    wall_s: f64,
}

/// What was measured of a system that exports in a certain way.
struct Row {
    peer: Peer,
    how: How,
    per_cpu_s: f64,
    per_s: f64,
    bytes: f64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if let (Some(peer), Some(url)) = (args.child, &args.url) {
        println!("{}", serde_json::to_string(&export(peer, url, args)?)?);
        return Ok(());
    }
    let mut turns = KINDS.map(|_| Vec::new());
    for _ in 0..args.rounds {
        for ((peer, how), turns) in KINDS.into_iter().zip(&mut turns) {
            turns.push(turn(args, peer, how)?);
        }
    }
    let rows = KINDS.into_iter().zip(&turns).map(|((peer, how), turns)| {
        let of =
            |figure: fn(&(Told, f64)) -> f64| median(&turns.iter().map(figure).collect::<Vec<_>>());
        let spans = args.spans as f64;
        Row {
            peer,
            how,
            per_cpu_s: spans / of(|(told, _)| told.cpu_s),
            per_s: spans / of(|(told, _)| told.wall_s),
            bytes: of(|(_, bytes)| *bytes),
        }
    });
    let rows: Vec<_> = rows.collect();
    let amplification = (amplification(Profile::Langfuse)?, amplification(Profile::OpenTelemetry)?);
    if args.json {
        println!("{}", figures(&rows, amplification));
    } else {
        show(&rows, amplification);
    }
    Ok(())
}

/// Lets a system export, and returns what it told and how many bytes came of a span.
fn turn(args: &Args, peer: Peer, how: How) -> Result<(Told, f64)> {
    let receiver = Receiver::start(Duration::ZERO, false)?;
    let spans = args.spans.to_string();
    let arguments = [
        "export",
        "--child",
        peer.as_str(),
        "--url",
        &receiver.url,
        "--spans",
        &spans,
        "--how",
        how.as_str(),
    ];
    let told = child::run(&arguments, &[])?;
    let received = receiver.finish()?;
    let all = args.spans + WARM_UP;
    ensure!(received.requests as usize >= all / 512, "{} lost spans", peer.as_str());
    Ok((told, received.bytes as f64 / all as f64))
}

fn export(peer: Peer, url: &str, args: &Args) -> Result<Told> {
    let facts: Vec<_> = (0..DIFFERENT).map(|seed| Facts::seeded(2048, 2048, 2 * seed)).collect();
    match peer {
        Peer::Glassbox => glassbox(url, args, &facts),
        Peer::OpentelemetrySdk => sdk(url, args, &facts),
    }
}

/// Makes spans twice, the first time to become warm, and returns what the second time took.
fn measured(
    args: &Args,
    mut spans: impl FnMut(usize),
    mut flush: impl FnMut() -> Result<()>,
) -> Result<Told> {
    spans(WARM_UP);
    flush()?;
    let (began, cpu_before) = (Instant::now(), cpu_time());
    spans(args.spans);
    flush()?;
    let cpu = cpu_time().saturating_sub(cpu_before);
    Ok(Told { cpu_s: cpu.as_secs_f64(), wall_s: began.elapsed().as_secs_f64() })
}

fn glassbox(url: &str, args: &Args, facts: &[Facts]) -> Result<Told> {
    let compression = if args.how == How::Gzip { Compression::Gzip } else { Compression::None };
    let config = OtlpConfig { compression, ..OtlpConfig::new(url) };
    let bus = Bus::new();
    let observe = match args.how {
        How::Bare => Observe::new().masking(Masking::none()),
        How::Gzip | How::Plain => Observe::new(),
    };
    let observing = observe.bus(&bus).destination(Destination::otlp(config)?).start()?;
    let spans = |count| {
        Scope::new().bus(&bus).enter(|| {
            for facts in facts.iter().cycle().take(count) {
                let mut span = llm_span(facts, Payload::Text(Arc::clone(&facts.input_text)));
                span.edit(|span| {
                    if let Detail::Generation(generation) = &mut span.detail {
                        facts.answer(generation);
                    }
                });
                span.end(Status::Ok, Some(Payload::Text(Arc::clone(&facts.output_text))));
            }
        });
    };
    measured(args, spans, || {
        observing.flush_blocking(Duration::from_secs(120)).context("spans were lost")?;
        Ok(())
    })
}

fn sdk(url: &str, args: &Args, facts: &[Facts]) -> Result<Told> {
    let builder = SpanExporter::builder().with_http().with_endpoint(url);
    let exporter = match args.how {
        How::Gzip => builder.with_compression(opentelemetry_otlp::Compression::Gzip).build()?,
        How::Plain | How::Bare => builder.build()?,
    };
    // A queue as long as ours, or it would drop most of them.
    let limits = Limits::default();
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(limits.queue_spans)
        .with_max_export_batch_size(limits.batch_spans)
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    let tracer = provider.tracer("bench");
    let spans = |count| {
        for facts in facts.iter().cycle().take(count) {
            let input = Text::Shared(Arc::clone(&facts.input_text));
            let builder = tracer.span_builder(NAME).with_kind(SpanKind::Client);
            let mut span = builder.with_attributes(attributes_of_call(facts, input)).start(&tracer);
            let output = Text::Shared(Arc::clone(&facts.output_text));
            span.set_attributes(attributes_of_answer(facts, output));
            span.end();
        }
    };
    measured(args, spans, || {
        // It waits 5 seconds at most, and goes on all the same: it is asked until it is done.
        let is_flushed = (0..24).any(|_| provider.force_flush().is_ok());
        ensure!(is_flushed, "the SDK did not flush");
        Ok(())
    })
}

/// Returns the bytes of all attributes of a span, for each byte of the input and output that were given.
fn amplification(profile: Profile) -> Result<f64> {
    let facts = Facts::new(2048, 2048);
    let scope = Scope::new();
    let span = scope.enter(|| {
        let mut span = llm_span(&facts, facts.input());
        span.edit(|span| {
            if let Detail::Generation(generation) = &mut span.detail {
                facts.answer(generation);
            }
        });
        span.end(Status::Ok, Some(facts.output())).context("an open span")
    })?;
    let given = facts.input_text.len() + facts.output_text.len();
    let request = otlp::encode(&[span], &Resource::new("bench"), &Encoding::new(profile));
    let request = ExportTraceServiceRequest::decode(request.to_protobuf().as_slice())?;
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let attributes = scopes.flat_map(|scope| &scope.spans).flat_map(|span| &span.attributes);
    let bytes: usize = attributes
        .map(|attribute| {
            let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            attribute.key.len()
                + match value {
                    Some(Any::StringValue(text)) => text.len(),
                    Some(value) => value.encoded_len(),
                    None => 0,
                }
        })
        .sum();
    Ok(bytes as f64 / given as f64)
}

fn show(rows: &[Row], amplification: (f64, f64)) {
    let cells = rows.iter().map(|row| {
        // The first of a kind is ours.
        let is_gzip = |row: &Row| row.how == How::Gzip;
        let ours = rows.iter().find(|other| is_gzip(other) == is_gzip(row));
        let ours = ours.map_or(f64::NAN, |ours| ours.per_cpu_s);
        vec![
            format!("{}, {}", row.name(), row.how.in_words()),
            format!("{:.0}", row.per_cpu_s),
            format!("{:.2}", row.per_cpu_s / ours),
            format!("{:.1}", 1e6 / row.per_cpu_s),
            format!("{:.0}", row.per_s),
            format!("{:.0}", row.bytes),
        ]
    });
    let columns =
        ["system", "spans a CPU s", "to glassbox", "CPU us a span", "spans a s", "bytes a span"];
    let headline = "export: spans of 20 attributes, 2 KB in, 2 KB out, by OTLP over HTTP to a receiver that discards";
    table::print(headline, &columns, &cells.collect::<Vec<_>>());
    let (langfuse, open_telemetry) = amplification;
    println!(
        "\nbytes of attributes for each byte of input and output: {langfuse:.2} (Langfuse), {open_telemetry:.2} (OpenTelemetry)"
    );
}

fn figures(rows: &[Row], (langfuse, open_telemetry): (f64, f64)) -> Value {
    let mut object = json!({
        "amplification": langfuse,
        "amplification_opentelemetry": open_telemetry,
    });
    for row in rows {
        let suffix = match row.how {
            How::Gzip => "",
            How::Plain => "_plain",
            How::Bare => "_bare",
        };
        let name = row.name();
        object[format!("{name}_spans_per_cpu_s{suffix}")] = json!(row.per_cpu_s);
        object[format!("{name}_spans_per_s{suffix}")] = json!(row.per_s);
        object[format!("{name}_bytes_per_span{suffix}")] = json!(row.bytes);
    }
    object
}

impl Row {
    const fn name(&self) -> &'static str {
        match self.peer {
            Peer::Glassbox => "glassbox",
            Peer::OpentelemetrySdk => "opentelemetry_otlp",
        }
    }
}

impl How {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Plain => "plain",
            Self::Bare => "bare",
        }
    }

    const fn in_words(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Plain => "not compressed",
            Self::Bare => "not compressed, not masked",
        }
    }
}

//! `glassbox export`: traces of the server as lines, to be kept, compared, or imported elsewhere.

use crate::client::{Client, ServerArgs};
use crate::paint;
use crate::progress::Progress;
use anyhow::Context as _;
use clap::{Args as ClapArgs, ValueEnum};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Write traces of the server as lines of JSON
///
/// The earliest trace comes first. Spans that have not ended are left out.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox export > all.jsonl
  glassbox export 'start:>-1d status:error' --format langfuse --output errors.jsonl")]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// Which traces, such as: start:>-1h model:gpt-4o* ; by default all
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Format::Otlp)]
    format: Format,
    /// Where to; by default, or as -, stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The most traces, the latest first
    #[arg(long, value_name = "TRACES", default_value_t = 100_000)]
    limit: usize,
}

/// How traces are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line a trace: an OTLP request in JSON, which any receiver of OTLP takes
    Otlp,
    /// A line a span: what the API answers, with messages and usage read out of the attributes
    Jsonl,
    /// A line a trace, with observations and scores: what Langfuse's API answers
    Langfuse,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.server.connect()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let file = args.output.as_ref().filter(|path| path.as_os_str() != "-");
    let out: Box<dyn Write> = match file {
        None => Box::new(io::stdout().lock()),
        Some(path) => {
            let file = File::create(path);
            Box::new(file.with_context(|| format!("{} cannot be written", path.display()))?)
        }
    };
    let exported = runtime.block_on(export(args, &client, BufWriter::new(out)));
    let (traces, spans) = match exported {
        // Whoever read the lines has enough, as `head` has.
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        exported => exported?,
    };
    let (traces, spans) = (paint::count(traces as u64), paint::count(spans as u64));
    eprintln!("exported {traces} traces with {spans} spans");
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

async fn export(
    args: &Args,
    client: &Client,
    mut out: impl Write,
) -> anyhow::Result<(usize, usize)> {
    let filter = args.filter.join(" ");
    let traces = client.list("/api/v1/traces", &[("q", &filter)], args.limit).await?;
    let mut spans = 0;
    let mut progress = Progress::new();
    // Imported in the order in which they began.
    for (at, trace) in traces.iter().rev().enumerate() {
        progress.tell(|| format!("{at} of {} traces, {spans} spans", traces.len()));
        let id = trace["trace_id"].as_str().unwrap_or_default();
        match args.format {
            Format::Otlp => {
                let request = client.get(&format!("/api/v1/traces/{id}/otlp"), &[]).await?;
                spans += crate::import::spans_of(&request);
                writeln!(out, "{request}").context("the output cannot be written")?;
            }
            Format::Langfuse => {
                let mut trace = client.get(&format!("/api/public/traces/{id}"), &[]).await?;
                if let Some(observations) = trace["observations"].as_array_mut() {
                    observations.retain(|one| !one["endTime"].is_null());
                    spans += observations.len();
                }
                writeln!(out, "{trace}").context("the output cannot be written")?;
            }
            Format::Jsonl => {
                let trace = client.get(&format!("/api/v1/traces/{id}"), &[]).await?;
                for span in trace["spans"].as_array().into_iter().flatten() {
                    if span["end_us"].is_null() {
                        continue;
                    }
                    let span = span["span_id"].as_str().unwrap_or_default();
                    let span =
                        client.get(&format!("/api/v1/traces/{id}/spans/{span}"), &[]).await?;
                    spans += 1;
                    writeln!(out, "{span}").context("the output cannot be written")?;
                }
            }
        }
    }
    out.flush().context("the output cannot be written")?;
    Ok((traces.len(), spans))
}

//! `glassbox export`: traces of the server as lines, to be kept, compared, or imported elsewhere.

mod precise;

use crate::client::{Client, Refused, ServerArgs};
use crate::paint;
use crate::progress::Progress;
use anyhow::Context as _;
use clap::{Args as ClapArgs, ValueEnum};
use reqwest::header::HeaderName;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The most traces, if nothing else is said.
const MOST_TRACES: usize = 100_000;

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
    /// The most traces, the latest first [default: 100000, and it is told if there are more]
    #[arg(long, value_name = "TRACES")]
    limit: Option<usize>,
}

/// How traces are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line a trace: an OTLP request in JSON, which any receiver of OTLP takes
    Otlp,
    /// A line a span, score, or what was said of the trace itself: what the API answers, with messages and usage read out
    /// of the attributes
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
    let mut export = Export::new(client, args.format, BufWriter::new(out));
    match runtime.block_on(export.run(&args.filter.join(" "), args.limit.unwrap_or(MOST_TRACES))) {
        // Whoever read the lines has enough, as `head` has.
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        exported => exported?,
    }
    let Export { traces, spans, scores, left_out, .. } = export;
    let [traces, spans, scores, left_out] =
        [traces, spans, scores, left_out].map(|count| paint::count(count as u64));
    match scores.as_str() {
        "0" => eprintln!("exported {traces} traces with {spans} spans"),
        scores => eprintln!("exported {traces} traces with {spans} spans and {scores} scores"),
    }
    if export.has_more && args.limit.is_none() {
        let most = paint::count(MOST_TRACES as u64);
        eprintln!(
            "there are more than {most} traces, of which the latest are exported; --limit takes more"
        );
    }
    if export.left_out > 0 {
        eprintln!(
            "{left_out} scores are of traces without a span that could carry them in OTLP, and are left out; \
             --format jsonl has them"
        );
    }
    if export.spans_left_out > 0 {
        let count = paint::count(export.spans_left_out as u64);
        eprintln!(
            "{count} spans are left out, since their traces have more than this format takes; --format otlp has them"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

/// What is being exported.
struct Export<W> {
    client: Client,
    format: Format,
    out: W,
    traces: usize,
    spans: usize,
    scores: usize,
    /// There are more traces than were asked for.
    has_more: bool,
    /// Scores that the format has no place for.
    left_out: usize,
    /// Spans beyond what the server answers of one trace.
    spans_left_out: usize,
}

impl<W: Write> Export<W> {
    fn new(client: Client, format: Format, out: W) -> Self {
        Self {
            client,
            format,
            out,
            traces: 0,
            spans: 0,
            scores: 0,
            has_more: false,
            left_out: 0,
            spans_left_out: 0,
        }
    }

    async fn run(&mut self, filter: &str, most: usize) -> anyhow::Result<()> {
        // One more tells whether there are more.
        let asked = most.saturating_add(1);
        let mut traces = self.client.list("/api/v1/traces", &[("q", filter)], asked).await?;
        self.has_more = traces.len() > most;
        traces.truncate(most);
        let mut progress = Progress::new();
        // Imported in the order in which they began.
        for trace in traces.iter().rev() {
            let done = (self.traces, self.spans);
            progress.tell(|| format!("{} of {} traces, {} spans", done.0, traces.len(), done.1));
            let id = trace["trace_id"].as_str().unwrap_or_default();
            let exported = match self.format {
                Format::Otlp => self.otlp(id).await,
                Format::Langfuse => self.langfuse(id).await,
                Format::Jsonl => self.jsonl(id).await,
            };
            match exported {
                // The server has removed it meanwhile: it is too old to be kept.
                Err(error) if error.downcast_ref::<Refused>().is_some_and(Refused::is_gone) => (),
                exported => {
                    exported?;
                    self.traces += 1;
                }
            }
        }
        if filter.trim().is_empty() {
            self.scores_alone().await?;
        }
        self.out.flush().context("the output cannot be written")
    }

    fn line(&mut self, line: &Value) -> anyhow::Result<()> {
        writeln!(self.out, "{line}").context("the output cannot be written")
    }

    async fn otlp(&mut self, id: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/traces/{id}/otlp");
        let left_out = HeaderName::from_static("glassbox-scores-left-out");
        let (request, left_out) = self.client.get_with_count(&path, left_out).await?;
        self.spans += crate::import::spans_of(&request);
        self.scores += crate::import::scores_of(&request);
        self.left_out += left_out;
        self.line(&request)
    }

    async fn langfuse(&mut self, id: &str) -> anyhow::Result<()> {
        let mut trace = self.client.get(&format!("/api/public/traces/{id}"), &[]).await?;
        let ours = self.client.get(&format!("/api/v1/traces/{id}"), &[]).await?;
        let scores = self.client.list("/api/v1/scores", &[("trace_id", id)], usize::MAX).await?;
        precise::of_trace(&mut trace, &ours, &scores);
        let mut exported = 0;
        if let Some(observations) = trace["observations"].as_array_mut() {
            observations.retain(|one| !one["endTime"].is_null());
            exported = observations.len();
        }
        self.count_spans(&ours, exported);
        self.scores += trace["scores"].as_array().map_or(0, Vec::len);
        self.line(&trace)
    }

    /// Counts those that are exported, and those that ended and are not: answers about a trace have a limit.
    fn count_spans(&mut self, ours: &Value, exported: usize) {
        let trace = &ours["trace"];
        let count = |key: &str| trace[key].as_u64().and_then(|count| usize::try_from(count).ok());
        let running = ours["spans"].as_array().into_iter().flatten();
        let running = running.filter(|span| span["end_us"].is_null()).count();
        let ended = count("spans").unwrap_or_default().saturating_sub(running);
        self.spans += exported;
        self.spans_left_out += ended.saturating_sub(exported);
    }

    async fn jsonl(&mut self, id: &str) -> anyhow::Result<()> {
        let trace = self.client.get(&format!("/api/v1/traces/{id}"), &[]).await?;
        let mut exported = 0;
        for span in trace["spans"].as_array().into_iter().flatten() {
            if span["end_us"].is_null() {
                continue;
            }
            let span = span["span_id"].as_str().unwrap_or_default();
            let path = format!("/api/v1/traces/{id}/spans/{span}");
            let span = self.client.get(&path, &[]).await?;
            exported += 1;
            self.line(&span)?;
        }
        self.count_spans(&trace, exported);
        let records = self.client.get(&format!("/api/v1/traces/{id}/records"), &[]).await?;
        for record in records["items"].as_array().into_iter().flatten() {
            self.line(record)?;
        }
        let scores = self.client.list("/api/v1/scores", &[("trace_id", id)], usize::MAX).await?;
        self.scores += scores.len();
        // The first to arrive first.
        scores.iter().rev().try_for_each(|score| self.line(score))
    }

    /// Scores of traces that never arrived, which no list of traces has.
    async fn scores_alone(&mut self) -> anyhow::Result<()> {
        let scores = self.client.list("/api/v1/scores", &[("alone", "true")], usize::MAX).await?;
        for score in scores.iter().rev() {
            match self.format {
                Format::Otlp => {
                    self.left_out += 1;
                    continue;
                }
                Format::Jsonl => self.line(score)?,
                Format::Langfuse => {
                    let id = score["id"].as_str().unwrap_or_default();
                    let mut alone = self.client.get_below("/api/public/scores", id).await?;
                    precise::of_score(&mut alone, score);
                    self.line(&alone)?;
                }
            }
            self.scores += 1;
        }
        Ok(())
    }
}

//! `glassbox import`: lines of traces into the server, whichever way they are written.

use crate::client::{Client, ServerArgs};
use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

mod otlp;

/// As many spans of lines that are a span each go in one request.
const AT_ONCE: usize = 500;

/// The most bytes of a line: a request of the server may have as many.
const MOST_BYTES: u64 = 32 << 20;

/// Reads lines of JSON into the server: what glassbox export writes in either format, OTLP requests of anybody, and batches
/// of Langfuse's events. A span that is there already stays as it is.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// The files; by default, or as -, stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.server.connect()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stdin = [PathBuf::from("-")];
    let files = if args.files.is_empty() { &stdin[..] } else { &args.files };
    let mut done = Done::default();
    for path in files {
        let name = path.display().to_string();
        let reader: Box<dyn BufRead> = if name == "-" {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
            Box::new(BufReader::new(file))
        };
        runtime.block_on(import(&client, &name, reader, &mut done))?;
    }
    eprintln!("imported {} spans", done.spans - done.rejected);
    if done.rejected > 0 {
        bail!("{} spans were rejected; the first: {}", done.rejected, done.why);
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Default)]
struct Done {
    spans: usize,
    rejected: usize,
    why: String,
}

async fn import(
    client: &Client,
    name: &str,
    mut reader: impl BufRead,
    done: &mut Done,
) -> anyhow::Result<()> {
    let mut waiting = Vec::new();
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        let read = io::Read::take(&mut reader, MOST_BYTES).read_line(&mut line);
        let is_end = read.with_context(|| format!("{name} cannot be read"))? == 0;
        if waiting.len() >= AT_ONCE || (is_end && !waiting.is_empty()) {
            send(client, &otlp::request(&waiting), done).await?;
            waiting.clear();
        }
        if is_end {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let said: Value = serde_json::from_str(&line)
            .with_context(|| format!("{name}, line {number}: no JSON in one line"))?;
        if said["resourceSpans"].is_array() {
            send(client, &said, done).await?;
        } else if said["batch"].is_array() {
            let answer = client.post("/api/public/ingestion", said.to_string()).await?;
            let count = |key: &str| answer[key].as_array().map_or(0, Vec::len);
            done.spans += count("successes") + count("errors");
            done.reject(count("errors"), &answer["errors"][0]["message"]);
        } else if said["span_id"].is_string() && said["attributes"].is_object() {
            waiting.push(said);
        } else {
            bail!(
                "{name}, line {number}: neither an OTLP request (resourceSpans), nor a span as the API answers it \
                 (span_id, attributes), nor a batch of Langfuse's (batch)"
            );
        }
    }
    Ok(())
}

async fn send(client: &Client, request: &Value, done: &mut Done) -> anyhow::Result<()> {
    let spans = spans_of(request);
    if spans == 0 {
        return Ok(());
    }
    let answer = client.post("/v1/traces", request.to_string()).await?;
    let partial = &answer["partialSuccess"];
    let rejected = &partial["rejectedSpans"];
    // OTLP writes 64-bit numbers as texts.
    let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok());
    done.spans += spans;
    let rejected = usize::try_from(rejected.unwrap_or_default()).unwrap_or(usize::MAX);
    done.reject(rejected.min(spans), &partial["errorMessage"]);
    Ok(())
}

impl Done {
    fn reject(&mut self, count: usize, why: &Value) {
        self.rejected += count;
        if count > 0 && self.why.is_empty() {
            self.why = why.as_str().map_or_else(|| why.to_string(), str::to_owned);
        }
    }
}

/// Counts the spans of an OTLP request.
pub(crate) fn spans_of(request: &Value) -> usize {
    let groups = request["resourceSpans"].as_array().into_iter().flatten();
    let scopes = groups.flat_map(|group| group["scopeSpans"].as_array().into_iter().flatten());
    scopes.map(|scope| scope["spans"].as_array().map_or(0, Vec::len)).sum()
}

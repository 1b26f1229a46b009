//! `glassbox import`: lines of traces into the server, whichever way they are written.

use crate::client::{Client, Refused, ServerArgs};
use crate::paint;
use crate::progress::Progress;
use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use glassbox::trace::vocabulary::gen_ai;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

mod langfuse;
mod otlp;
mod score;
mod record;

/// As many spans of lines that are a span each go in one request.
const AT_ONCE: usize = 500;

/// The most bytes of a line, which can be a whole trace.
const MOST_BYTES: u64 = 256 << 20;

/// About as many bytes go in one request, a quarter of what a server takes.
const BYTES_AT_ONCE: usize = 8 << 20;

/// As many events of Langfuse's go in one request.
const EVENTS_AT_ONCE: usize = 1000;

/// As many lines that are none are told; further ones are only counted.
const MOST_TOLD: usize = 20;

/// Read traces into the server: what export writes, OTLP requests, what Langfuse exports
///
/// A line is what glassbox export writes in any of its formats, an OTLP request of anybody, a batch of Langfuse's events, or
/// a trace, observation or score as Langfuse's API answers it; or a list of those. A span that is there already stays as it
/// is. A line that is none of these is told with its number, and the rest goes on.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox import traces.jsonl
  glassbox export --server http://box:4318 'start:>-1d' | glassbox import -")]
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
    let mut import = Import { client, done: Done::default(), progress: Progress::new() };
    for path in files {
        let name = path.display().to_string();
        let reader: Box<dyn BufRead> = if name == "-" {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
            Box::new(BufReader::new(file))
        };
        runtime.block_on(import.file(&name, reader))?;
    }
    import.progress.clear();
    let done = import.done;
    let scores = match done.scores {
        0 => String::new(),
        scores => format!(" and {} scores", paint::count(scores as u64)),
    };
    eprintln!("imported {} spans{scores}", paint::count((done.spans - done.rejected) as u64));
    if done.rejected > 0 {
        eprintln!("{} spans were rejected; the first: {}", done.rejected, done.why);
    }
    if done.broken > 0 {
        bail!("{} lines were not imported", done.broken);
    }
    Ok(if done.rejected > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[derive(Debug, Default)]
struct Done {
    lines: usize,
    spans: usize,
    scores: usize,
    rejected: usize,
    /// Why the first one was.
    why: String,
    /// Lines that were none.
    broken: usize,
}

/// What is on its way to the server.
struct Import {
    client: Client,
    done: Done,
    progress: Progress,
}

/// What waits for more of its kind.
#[derive(Default)]
struct Waiting {
    spans: Vec<Value>,
    events: Vec<Value>,
    /// How long the lines were that they come from.
    bytes: usize,
}

impl Import {
    async fn file(&mut self, name: &str, mut reader: impl BufRead) -> anyhow::Result<()> {
        let mut waiting = Waiting::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = io::Read::take(&mut reader, MOST_BYTES).read_until(b'\n', &mut line);
            if read.with_context(|| format!("{name} cannot be read"))? == 0 {
                break;
            }
            self.done.lines += 1;
            let is_cut = line.len() as u64 == MOST_BYTES && !line.ends_with(b"\n");
            let taken = match is_cut {
                true => {
                    skip_line(&mut reader).with_context(|| format!("{name} cannot be read"))?;
                    Err(format!("longer than {} MiB", MOST_BYTES >> 20))
                }
                false => self.line(&line, &mut waiting).await?,
            };
            if let Err(why) = taken {
                self.skip(name, number, &why);
            }
            waiting.bytes += line.len();
            let is_much = waiting.bytes >= BYTES_AT_ONCE;
            if is_much || waiting.spans.len() >= AT_ONCE || waiting.events.len() >= EVENTS_AT_ONCE {
                self.send_waiting(&mut waiting).await?;
            }
            let done = &self.done;
            self.progress.tell(|| {
                format!("{name}: {} lines, {} spans", done.lines, paint::count(done.spans as u64))
            });
        }
        self.send_waiting(&mut waiting).await
    }

    /// Takes a line; the inner error is what is wrong with it.
    async fn line(
        &mut self,
        line: &[u8],
        waiting: &mut Waiting,
    ) -> anyhow::Result<Result<(), String>> {
        if line.trim_ascii().is_empty() {
            return Ok(Ok(()));
        }
        let said = match serde_json::from_slice(line) {
            Ok(Value::Array(all)) => all,
            Ok(one) => vec![one],
            Err(error) => return Ok(Err(format!("no JSON in one line: {error}"))),
        };
        for said in said {
            if said["resourceSpans"].is_array() {
                for part in otlp::parts(said, line.len()) {
                    if let Err(why) = self.request(&part).await? {
                        return Ok(Err(why));
                    }
                }
            } else if let Some(batch) = said["batch"].as_array() {
                waiting.events.extend(batch.iter().cloned());
            } else if let Some(events) = langfuse::events(&said) {
                waiting.events.extend(events);
            } else if said["span_id"].is_string() && said["attributes"].is_object() {
                waiting.spans.push(said);
            } else if let Some(event) = score::event(&said).or_else(|| record::event(&said)) {
                waiting.events.push(event);
            } else {
                return Ok(Err("neither an OTLP request (resourceSpans), nor a span, score or record as the API \
                     answers it (span_id, attributes; trace_id, at_us), nor anything of Langfuse's (batch, observations, traceId)"
                    .to_owned()));
            }
        }
        Ok(Ok(()))
    }

    fn skip(&mut self, name: &str, number: usize, why: &str) {
        self.done.broken += 1;
        if self.done.broken <= MOST_TOLD {
            self.progress.clear();
            eprintln!("{name}, line {number}: {why}");
        }
    }

    async fn send_waiting(&mut self, waiting: &mut Waiting) -> anyhow::Result<()> {
        let Waiting { spans, events, .. } = std::mem::take(waiting);
        for spans in together(spans, AT_ONCE) {
            if let Err(why) = self.request(&otlp::request(&spans)).await? {
                self.done.spans += spans.len();
                self.done.reject(spans.len(), &why.into());
            }
        }
        for events in together(events, EVENTS_AT_ONCE) {
            self.events(&events).await?;
        }
        Ok(())
    }

    async fn events(&mut self, events: &[Value]) -> anyhow::Result<()> {
        let body = json!({ "batch": events }).to_string();
        let answer = self.client.post("/api/public/ingestion", body).await?;
        let errors = answer["errors"].as_array().map_or(0, Vec::len);
        let of_type = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        let scores = of_type("score-create");
        self.done.scores += scores;
        // What is said of a trace is no span.
        self.done.spans += events.len() - scores - of_type("trace-create");
        self.done.reject(errors, &answer["errors"][0]["message"]);
        Ok(())
    }

    /// Sends an OTLP request; the inner error is why the server does not take it.
    async fn request(&mut self, request: &Value) -> anyhow::Result<Result<(), String>> {
        let spans = spans_of(request);
        if spans == 0 {
            return Ok(Ok(()));
        }
        let answer = match self.client.post("/v1/traces", request.to_string()).await {
            Ok(answer) => answer,
            Err(error) => {
                return match error.downcast_ref::<Refused>() {
                    Some(refused) if refused.is_about_body() => Ok(Err(refused.to_string())),
                    _ => Err(error),
                };
            }
        };
        let partial = &answer["partialSuccess"];
        let rejected = &partial["rejectedSpans"];
        // OTLP writes 64-bit numbers as texts.
        let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok());
        self.done.spans += spans;
        self.done.scores += scores_of(request);
        let rejected = usize::try_from(rejected.unwrap_or_default()).unwrap_or(usize::MAX);
        self.done.reject(rejected.min(spans), &partial["errorMessage"]);
        Ok(Ok(()))
    }
}

/// Puts values together that go in one request: so many at most, and only as much as a server takes.
fn together(values: Vec<Value>, most: usize) -> Vec<Vec<Value>> {
    let mut parts: Vec<Vec<Value>> = Vec::new();
    let mut bytes = 0;
    for value in values {
        let size = value.to_string().len();
        match parts.last_mut() {
            Some(part) if part.len() < most && bytes + size <= BYTES_AT_ONCE => part.push(value),
            _ => {
                parts.push(vec![value]);
                bytes = 0;
            }
        }
        bytes += size;
    }
    parts
}

/// Reads on to the next line.
fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let (length, end) = (buffer.len(), buffer.iter().position(|byte| *byte == b'\n'));
        reader.consume(end.map_or(length, |end| end + 1));
        if end.is_some() || length == 0 {
            return Ok(());
        }
    }
}

impl Done {
    fn reject(&mut self, count: usize, why: &Value) {
        self.rejected += count.min(self.spans - self.rejected);
        if count > 0 && self.why.is_empty() {
            self.why = why.as_str().map_or_else(|| why.to_string(), str::to_owned);
        }
    }
}

/// Counts the spans of an OTLP request.
pub(crate) fn spans_of(request: &Value) -> usize {
    all_spans(request).count()
}

/// Counts the scores that events of an OTLP request's spans tell.
pub(crate) fn scores_of(request: &Value) -> usize {
    let events =
        all_spans(request).flat_map(|span| span["events"].as_array().into_iter().flatten());
    let has = |event: &Value, key: &str| {
        event["attributes"].as_array().is_some_and(|all| all.iter().any(|one| one["key"] == key))
    };
    let is_score = |event: &&Value| {
        event["name"] == gen_ai::EVALUATION_RESULT
            && has(event, gen_ai::EVALUATION_NAME)
            && (has(event, gen_ai::EVALUATION_SCORE_VALUE)
                || has(event, gen_ai::EVALUATION_SCORE_LABEL))
    };
    events.filter(is_score).count()
}

fn all_spans(request: &Value) -> impl Iterator<Item = &Value> {
    let groups = request["resourceSpans"].as_array().into_iter().flatten();
    let scopes = groups.flat_map(|group| group["scopeSpans"].as_array().into_iter().flatten());
    scopes.flat_map(|scope| scope["spans"].as_array().into_iter().flatten())
}

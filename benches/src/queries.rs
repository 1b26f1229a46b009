//! How long Glassbox's server takes to answer, with so many spans in the store.

use crate::ingest::send;
use crate::requests::{Recipe, Request, now_ns};
use crate::server::{Process, Programs, System, client};
use crate::{stats, table};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::time::{Duration, Instant};

/// How many spans are made and sent at a time.
const WAVE: usize = 65_536;

const DAY_NS: u64 = 86_400_000_000_000;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// How many spans the store has
    #[arg(long, default_value_t = 1_000_000)]
    spans: usize,
    /// How many spans the largest trace has
    #[arg(long, default_value_t = 10_000)]
    large: usize,
    /// How often each question is asked
    #[arg(long, default_value_t = 40)]
    times: usize,
    /// How many bytes of text a span has
    #[arg(long, default_value_t = 2048)]
    payload: usize,
    #[command(flatten)]
    programs: Programs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answered {
    what: &'static str,
    wanted_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    /// Of the server's processor; another program on the machine makes less of a difference to it.
    cpu_ms: f64,
    bytes: usize,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut process = Process::start(System::Glassbox, &args.programs, folder.path())?;
    let traces = args.spans.div_ceil(crate::requests::SPANS_OF_TRACE).max(1) as u64;
    let recipe = Recipe {
        batch: 512,
        payload: args.payload,
        from_ns: now_ns() - DAY_NS,
        every_ns: DAY_NS / traces,
        run: 1,
    };
    fill(&process, &recipe, args)?;
    let large = recipe.large_trace(args.large);
    let large_id = large.first().map(|request| request.traces[0].0.clone()).unwrap_or_default();
    send(&process.otlp, &large, 1, Duration::from_secs(600))?;
    let client = client()?;
    eprintln!("waiting until the texts can be searched");
    wait_until_indexed(&process)?;
    let bytes = std::fs::metadata(folder.path().join("traces.db"))?.len();

    // Another process: nothing is in its memory, and what it takes to start is seen.
    let filled = process.used();
    process.kill()?;
    process = Process::start(System::Glassbox, &args.programs, folder.path())?;
    let (to_us, day_us) = (now_ns() / 1000, DAY_NS / 1000);
    let stats_of = |group: &str| {
        let bucket = day_us / 96;
        let from = to_us - day_us;
        format!("/api/v1/stats?from_us={from}&to_us={to_us}&bucket_us={bucket}&group={group}")
    };
    let questions = [
        ("traces", 30.0, "/api/v1/traces".to_owned()),
        ("traces with an error", 30.0, "/api/v1/traces?q=has:error".to_owned()),
        ("traces by cost", 30.0, "/api/v1/traces?sort=cost".to_owned()),
        ("one large trace", 100.0, format!("/api/v1/traces/{large_id}")),
        ("its critical path", 100.0, format!("/api/v1/traces/{large_id}/path")),
        ("stats of a day", 200.0, stats_of("none")),
        ("stats of a day by model", 200.0, stats_of("model")),
        (
            "models of a day",
            200.0,
            format!("/api/v1/models?from_us={}&to_us={to_us}", to_us - day_us),
        ),
        ("a rare word", 300.0, "/api/v1/traces?q=duduwodu".to_owned()),
        ("a frequent word", 300.0, "/api/v1/traces?q=kalo".to_owned()),
        ("two words", 300.0, "/api/v1/traces?q=kalo%20lolo".to_owned()),
    ];
    let mut rows = Vec::new();
    for (what, wanted_ms, path) in questions {
        match ask(&process, &client, &path, args.times) {
            Ok(asked) => rows.push(Answered {
                what,
                wanted_ms,
                p50_ms: stats::median(&asked.took_ms),
                p95_ms: stats::quantile(&asked.took_ms, 0.95),
                cpu_ms: asked.cpu_ms,
                bytes: asked.bytes,
            }),
            Err(error) => eprintln!("{what}: {error}"),
        }
    }
    let used = process.used();
    let program = std::fs::metadata(args.programs.of(System::Glassbox)?)?.len();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    if args.json {
        let report = serde_json::json!({
            "spans": args.spans, "queries": rows, "file_mib": mib(bytes), "program_mib": mib(program),
            "memory_after_ingest_mib": mib(filled.memory), "memory_after_queries_mib": mib(used.memory),
            "start_ms": process.took.as_secs_f64() * 1e3,
        });
        println!("{report}");
        return Ok(());
    }
    let headline = format!(
        "{} spans in a file of {:.0} MiB; in memory {:.0} MiB after ingest, {:.0} MiB after the questions; \
         first answer after {:.0} ms; a program of {:.1} MiB",
        args.spans,
        mib(bytes),
        mib(filled.memory),
        mib(used.memory),
        process.took.as_secs_f64() * 1e3,
        mib(program),
    );
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.what.to_owned(),
                format!("{:.1}", row.p50_ms),
                format!("{:.1}", row.p95_ms),
                format!("{:.1}", row.cpu_ms),
                format!("{:.0}", row.wanted_ms),
                row.bytes.to_string(),
            ]
        })
        .collect();
    table::print(&headline, &["", "p50 ms", "p95 ms", "CPU ms", "wanted below", "bytes"], &rows);
    Ok(())
}

fn fill(process: &Process, recipe: &Recipe, args: &Args) -> Result<()> {
    let requests = args.spans.div_ceil(recipe.batch) as u64;
    let wave = (WAVE / recipe.batch) as u64;
    for from in (0..requests).step_by(usize::try_from(wave)?) {
        let made: Vec<Request> =
            (from..requests.min(from + wave)).map(|at| recipe.request(at)).collect();
        let sent = send(&process.otlp, &made, 4, Duration::from_secs(600))?;
        eprintln!(
            "{} of {requests} requests, {:.0} spans/s",
            from + made.len() as u64,
            sent.acknowledged as f64 / sent.took.as_secs_f64()
        );
    }
    Ok(())
}

/// The server indexes when it has nothing else to do: until then it uses its processor.
fn wait_until_indexed(process: &Process) -> Result<()> {
    let begun = Instant::now();
    loop {
        let before = process.used().cpu;
        std::thread::sleep(Duration::from_secs(1));
        if process.used().cpu.saturating_sub(before) < Duration::from_millis(50) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(900),
            "the texts are not indexed after 900 s"
        );
    }
}

/// What came of asking.
#[derive(Debug)]
struct Asked {
    took_ms: Vec<f64>,
    /// Of the server's processor, for an answer.
    cpu_ms: f64,
    /// How long the last answer was.
    bytes: usize,
}

fn ask(
    process: &Process,
    client: &reqwest::blocking::Client,
    path: &str,
    times: usize,
) -> Result<Asked> {
    let answer = || -> Result<usize> {
        let request = client.get(format!("{}{path}", process.otlp)).bearer_auth(&process.token);
        let response = request.send()?;
        let status = response.status();
        let body = response.bytes().context("no answer")?;
        ensure!(status.is_success(), "{status}");
        Ok(body.len())
    };
    // The first answers fill caches, which a page that is looked at has done.
    answer()?;
    let mut bytes = answer()?;
    let mut took_ms = Vec::with_capacity(times);
    let before = process.used().cpu;
    for _ in 0..times {
        let begun = Instant::now();
        bytes = answer()?;
        took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let cpu = process.used().cpu.saturating_sub(before);
    Ok(Asked { took_ms, cpu_ms: cpu.as_secs_f64() * 1e3 / times.max(1) as f64, bytes })
}

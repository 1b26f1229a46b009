//! How many spans a second are acknowledged and stored, next to the peers that take the same requests.

use crate::requests::{Recipe, Request, now_ns};
use crate::server::{Process, Programs, System, Used, client};
use crate::{stats, table};
use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// How many spans are made; a server that is done with them before the time is up is done
    #[arg(long, default_value_t = 400_000)]
    spans: usize,
    /// For how many seconds a server is sent requests
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How many requests are under way at a time
    #[arg(long, default_value_t = 4)]
    senders: usize,
    /// How many spans a request has
    #[arg(long, default_value_t = 512)]
    batch: usize,
    /// How many bytes of text a span has
    #[arg(long, default_value_t = 2048)]
    payload: usize,
    /// Measures this one only; may be given several times
    #[arg(long)]
    system: Vec<System>,
    #[command(flatten)]
    programs: Programs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Measured {
    system: &'static str,
    acknowledged: usize,
    stored: usize,
    seconds: f64,
    spans_a_second: f64,
    stored_a_second: f64,
    cpu_us_a_span: f64,
    answer_p50_ms: f64,
    answer_p99_ms: f64,
    peak_memory_mib: f64,
    started_ms: f64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let systems = if args.system.is_empty() { &System::ALL[..] } else { &args.system };
    let requests = make(args);
    let bytes: usize = requests.iter().map(|request| request.body.len()).sum();
    let mut rows = Vec::new();
    for system in systems {
        if let Err(error) = args.programs.of(*system) {
            eprintln!("{error}: left out");
            continue;
        }
        rows.push(measure(*system, args, &requests)?);
    }
    if args.json {
        println!("{}", serde_json::json!({ "ingest": rows }));
        return Ok(());
    }
    let headline = format!(
        "{} senders, {} spans a request, {} bytes of text a span, {} bytes a span over the wire",
        args.senders,
        args.batch,
        args.payload,
        bytes / args.spans.max(1),
    );
    let columns = [
        "",
        "spans/s",
        "stored/s",
        "acknowledged",
        "stored",
        "CPU us/span",
        "p50 ms",
        "p99 ms",
        "peak MiB",
        "start ms",
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.system.to_owned(),
                format!("{:.0}", row.spans_a_second),
                format!("{:.0}", row.stored_a_second),
                row.acknowledged.to_string(),
                row.stored.to_string(),
                format!("{:.1}", row.cpu_us_a_span),
                format!("{:.1}", row.answer_p50_ms),
                format!("{:.1}", row.answer_p99_ms),
                format!("{:.0}", row.peak_memory_mib),
                format!("{:.0}", row.started_ms),
            ]
        })
        .collect();
    table::print(&headline, &columns, &rows);
    Ok(())
}

fn make(args: &Args) -> Vec<Request> {
    let recipe = Recipe {
        batch: args.batch,
        payload: args.payload,
        from_ns: now_ns(),
        every_ns: 1_000_000,
        run: now_ns(),
    };
    (0..args.spans.div_ceil(args.batch.max(1)) as u64).map(|at| recipe.request(at)).collect()
}

/// What came of sending.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) acknowledged: usize,
    pub(crate) took: Duration,
    /// How long each answer took, in milliseconds.
    pub(crate) answers_ms: Vec<f64>,
}

/// Sends requests from several threads until all are acknowledged or the time is up. What is refused for now is sent
/// again; of what is under way at the end the answers count.
pub(crate) fn send(
    otlp: &str,
    requests: &[Request],
    senders: usize,
    limit: Duration,
) -> Result<Sent> {
    let next = AtomicUsize::new(0);
    let sent = Mutex::new(Sent::default());
    let client = client()?;
    let begun = Instant::now();
    thread::scope(|scope| {
        let sender = || -> Result<()> {
            while begun.elapsed() < limit {
                let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    break;
                };
                let asked = Instant::now();
                if !deliver(&client, otlp, request, || begun.elapsed() < limit)? {
                    break;
                }
                let answer_ms = asked.elapsed().as_secs_f64() * 1e3;
                let mut sent = sent.lock().map_err(|_| anyhow::anyhow!("a sender panicked"))?;
                sent.acknowledged += request.spans();
                sent.answers_ms.push(answer_ms);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..senders).map(|_| scope.spawn(sender)).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
        }
        anyhow::Ok(())
    })?;
    let mut sent = sent.into_inner().map_err(|_| anyhow::anyhow!("a sender panicked"))?;
    sent.took = begun.elapsed();
    Ok(sent)
}

/// Sends a request until it is acknowledged; not, if it is refused and the time is up.
fn deliver(
    client: &reqwest::blocking::Client,
    otlp: &str,
    request: &Request,
    has_time: impl Fn() -> bool,
) -> Result<bool> {
    loop {
        let answer = client
            .post(format!("{otlp}/v1/traces"))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "gzip")
            // MLflow wants to know where to; others do not mind.
            .header("x-mlflow-experiment-id", "0")
            .body(request.body.clone())
            .send()?;
        let status = answer.status();
        // The connection is used again once the answer is read.
        let text = answer.text()?;
        if status.is_success() {
            return Ok(true);
        }
        ensure!(
            matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504),
            "the server answered {status}: {text}"
        );
        if !has_time() {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn measure(system: System, args: &Args, requests: &[Request]) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    eprintln!("{}: starting", system.as_str());
    let process = Process::start(system, &args.programs, folder.path())?;
    let before = process.used();
    let limit = Duration::from_secs(args.seconds);
    eprintln!("{}: taking requests", system.as_str());
    let sent = send(&process.otlp, requests, args.senders, limit)?;
    let acknowledged_with = process.used();
    let (started, begun) = (process.took, Instant::now());
    let (stored, used) = if system == System::Glassbox {
        // What was acknowledged is durable: the server is killed at once, and another one asked.
        process.kill()?;
        let again = Process::start(system, &args.programs, folder.path())?;
        let traces = again.traces(&client()?)?;
        (traces.iter().map(|(_, spans)| spans).sum(), acknowledged_with)
    } else {
        // Peers may store later, and are given as much time again.
        let mut stored = stored_by(system, folder.path())?;
        while stored < sent.acknowledged && begun.elapsed() < limit {
            thread::sleep(Duration::from_millis(500));
            stored = stored_by(system, folder.path())?;
        }
        (stored, process.used())
    };
    let waited = if system == System::Glassbox { Duration::ZERO } else { begun.elapsed() };
    let cpu = used.cpu.saturating_sub(before.cpu);
    Ok(of(system, &sent, stored, waited, cpu, used, started))
}

fn of(
    system: System,
    sent: &Sent,
    stored: usize,
    waited: Duration,
    cpu: Duration,
    used: Used,
    started: Duration,
) -> Measured {
    let seconds = sent.took.as_secs_f64();
    Measured {
        system: system.as_str(),
        acknowledged: sent.acknowledged,
        stored,
        seconds,
        spans_a_second: sent.acknowledged as f64 / seconds,
        stored_a_second: stored as f64 / (seconds + waited.as_secs_f64()),
        cpu_us_a_span: cpu.as_secs_f64() * 1e6 / stored.max(1) as f64,
        answer_p50_ms: stats::median(&sent.answers_ms),
        answer_p99_ms: stats::quantile(&sent.answers_ms, 0.99),
        peak_memory_mib: used.peak as f64 / f64::from(1 << 20),
        started_ms: started.as_secs_f64() * 1e3,
    }
}

/// Counts the spans in a peer's file.
fn stored_by(system: System, folder: &Path) -> Result<usize> {
    let file = if system == System::Phoenix { "phoenix.db" } else { "mlflow.db" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(folder.join(file), flags)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    let count: i64 = connection
        .query_row("SELECT COUNT(*) FROM spans", [], |row| row.get(0))
        .context("the spans could not be counted")?;
    Ok(usize::try_from(count)?)
}

//! Load for a long time, with the server killed again and again: what was acknowledged must be there in the end.

use crate::requests::{Recipe, Request, now_ns};
use crate::server::{Process, Programs, System, client};
use anyhow::{Result, ensure};
use rusqlite::{Connection, OpenFlags};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// For how many minutes
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// After how many seconds the server is killed, about
    #[arg(long, default_value_t = 60)]
    kill_every: u64,
    /// How many spans a second are sent
    #[arg(long, default_value_t = 4_000)]
    rate: u64,
    /// How many requests are under way at a time
    #[arg(long, default_value_t = 4)]
    senders: u64,
    /// Where the server keeps its data [default: a folder that is removed]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    programs: Programs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// What senders and the one who kills share.
#[derive(Default)]
struct Shared {
    /// Where the server is now.
    otlp: Mutex<String>,
    stop: AtomicBool,
    /// How many spans of each trace were acknowledged.
    acknowledged: Mutex<HashMap<String, usize>>,
    /// How many requests had to be sent once more.
    repeated: AtomicU64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = args.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let recipe =
        Recipe { batch: 128, payload: 512, from_ns: now_ns(), every_ns: 1_000_000, run: now_ns() };
    let start = || Process::start(System::Glassbox, &args.programs, &folder);
    let (begun, length) = (Instant::now(), Duration::from_secs_f64(args.minutes * 60.0));
    let process = start()?;
    let shared = Shared { otlp: Mutex::new(process.otlp.clone()), ..Shared::default() };
    let (mut kills, mut slowest) = (0, process.took);
    let killed = thread::scope(|scope| -> Result<Process> {
        let threads: Vec<_> = (0..args.senders)
            .map(|sender| {
                let shared = &shared;
                scope.spawn(move || send(sender, args, &recipe, shared))
            })
            .collect();
        let mut running = Ok(process);
        while begun.elapsed() < length {
            // Not always at the same moment of what the server does.
            let wait = args.kill_every as f64 * (0.75 + 0.5 * fastrand::f64());
            thread::sleep(
                Duration::from_secs_f64(wait).min(length.saturating_sub(begun.elapsed())),
            );
            running = running.and_then(Process::kill).and_then(|()| start());
            let Ok(process) = &running else { break };
            kills += 1;
            slowest = slowest.max(process.took);
            *lock(&shared.otlp) = process.otlp.clone();
            eprintln!(
                "{:.0} s: killed {kills} times, {} traces acknowledged, up again after {:.0} ms",
                begun.elapsed().as_secs_f64(),
                lock(&shared.acknowledged).len(),
                process.took.as_secs_f64() * 1e3,
            );
        }
        shared.stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
        }
        running
    })?;
    // The last word has the disk: killed once more, and asked what is there.
    killed.kill()?;
    let process = start()?;
    let found: HashMap<_, _> = process.traces(&client()?)?.into_iter().collect();
    process.kill()?;
    let acknowledged = shared.acknowledged.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sent: usize = acknowledged.values().sum();
    let lost: usize = acknowledged
        .iter()
        .map(|(trace, spans)| spans.saturating_sub(found.get(trace).copied().unwrap_or(0)))
        .sum();
    let sound = integrity(&folder)?;
    let report = serde_json::json!({
        "minutes": begun.elapsed().as_secs_f64() / 60.0, "kills": kills + 1, "acknowledged": sent, "lost": lost,
        "stored": found.values().sum::<usize>(), "requests_repeated": shared.repeated.into_inner(),
        "slowest_start_ms": slowest.as_secs_f64() * 1e3, "integrity": sound,
    });
    if args.json {
        println!("{report}");
    } else {
        for (key, value) in report.as_object().into_iter().flatten() {
            println!("{key:<20} {value}");
        }
    }
    ensure!(lost == 0, "{lost} spans that were acknowledged are gone");
    ensure!(sound == "ok", "the file is damaged: {sound}");
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends its share of the requests, each until it is acknowledged.
fn send(sender: u64, args: &Args, recipe: &Recipe, shared: &Shared) -> Result<()> {
    let client =
        reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let pause = Duration::from_secs_f64(
        recipe.batch as f64 * args.senders as f64 / args.rate.max(1) as f64,
    );
    let mut next = Instant::now();
    for number in (sender..).step_by(usize::try_from(args.senders)?) {
        let request = recipe.request(number);
        while !acknowledged(&client, &lock(&shared.otlp).clone(), &request)? {
            shared.repeated.fetch_add(1, Ordering::Relaxed);
            if shared.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        lock(&shared.acknowledged).extend(request.traces);
        if shared.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        next += pause;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Tells whether the server took the request. One that is gone did not.
fn acknowledged(client: &reqwest::blocking::Client, otlp: &str, request: &Request) -> Result<bool> {
    let answer = client
        .post(format!("{otlp}/v1/traces"))
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "gzip")
        .body(request.body.clone())
        .send();
    let Ok(answer) = answer else { return Ok(false) };
    let status = answer.status();
    ensure!(
        status.is_success() || status.is_server_error() || status.as_u16() == 429,
        "the server answered {status}"
    );
    // A partial success is an answer with a body.
    let whole = answer.bytes().is_ok_and(|body| body.is_empty());
    Ok(status.is_success() && whole)
}

fn integrity(folder: &Path) -> Result<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(folder.join("traces.db"), flags)?;
    Ok(connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)
}

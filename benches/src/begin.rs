//! `begin`: what `observe()` costs a program, before it does anything, by what its environment says.

use crate::child;
use crate::stats::{cpu_time, median};
use crate::table;
use anyhow::{Context as _, Result};
use glassbox_telemetry::observe::Observe;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Processes of each kind; the medians are of these.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Begins, in this process.
    #[arg(long, hide = true)]
    child: bool,
}

/// What a process tells.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    /// How long `observe()` took.
    begin_us: f64,
    /// How long the end took.
    end_us: f64,
    /// The processor time of all threads, with a second of idling.
    cpu_us: f64,
    /// The memory of its own that is in use because of it: no pages of the program.
    memory_kb: f64,
    threads: f64,
}

/// One of them.
type Figure = fn(&Told) -> f64;

/// What the environments say.
const KINDS: [(&str, &[(&str, &str)]); 4] = [
    ("off", &[("GLASSBOX_DISABLED", "true")]),
    ("no_server_looked_for", &[("GLASSBOX_SERVER", "off")]),
    ("nothing_said", &[]),
    ("otlp", &[("GLASSBOX_SERVER", "off"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:9")]),
];

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.child {
        println!("{}", serde_json::to_string(&begin()?)?);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let folder = folder.path().to_str().context("the folder for what is temporary")?;
    let mut told: Vec<Vec<Told>> = KINDS.iter().map(|_| Vec::new()).collect();
    for _ in 0..args.rounds {
        for ((_, variables), told) in KINDS.iter().zip(&mut told) {
            // A user of its own, who runs no server.
            let own = [("XDG_RUNTIME_DIR", folder), ("XDG_STATE_HOME", folder)];
            told.push(child::run(&["begin", "--child"], &[&own, *variables].concat())?);
        }
    }
    let of =
        |told: &[Told], what: fn(&Told) -> f64| median(&told.iter().map(what).collect::<Vec<_>>());
    let columns: [(&str, Figure); 5] = [
        ("begin_us", |told| told.begin_us),
        ("end_us", |told| told.end_us),
        ("cpu_us", |told| told.cpu_us),
        ("memory_kb", |told| told.memory_kb),
        ("threads", |told| told.threads),
    ];
    if args.json {
        let mut object = Map::new();
        for ((name, _), told) in KINDS.iter().zip(&told) {
            for (column, what) in columns {
                object.insert(format!("{name}_{column}"), json!(of(told, what)));
            }
        }
        println!("{}", Value::Object(object));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = KINDS
        .iter()
        .zip(&told)
        .map(|((name, _), told)| {
            let cells = columns.iter().map(|(_, what)| format!("{:.0}", of(told, *what)));
            std::iter::once((*name).replace('_', " ")).chain(cells).collect()
        })
        .collect();
    let names = [
        "environment",
        "us to begin",
        "us to end",
        "CPU us with 1 s idle",
        "KB of memory",
        "threads",
    ];
    table::print("observe() in a process of its own", &names, &rows);
    Ok(())
}

fn begin() -> Result<Told> {
    let (before, cpu_before) = (status("RssAnon:"), cpu_time());
    let began = Instant::now();
    let observing = Observe::from_env()?.start()?;
    let begin_us = began.elapsed().as_secs_f64() * 1e6;
    // A program that does nothing: what goes on then is ours.
    std::thread::sleep(Duration::from_secs(1));
    let (memory_kb, threads) = (status("RssAnon:") - before, status("Threads:") - 1.0);
    let ended = Instant::now();
    drop(observing);
    let end_us = ended.elapsed().as_secs_f64() * 1e6;
    let cpu_us = cpu_time().saturating_sub(cpu_before).as_secs_f64() * 1e6;
    Ok(Told { begin_us, end_us, cpu_us, memory_kb, threads })
}

/// Returns a number that the system tells of this process.
fn status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

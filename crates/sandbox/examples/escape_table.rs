//! Prints what becomes of code that wants out, or too much: `cargo run -p glassbox-sandbox --example escape_table`.
//!
//! With `--inline`, this program is its own worker, as one that calls `glassbox_sandbox::init()` first in `main`.

#![allow(clippy::print_stdout, reason = "it prints a table")]

#[path = "../tests/it/escapes.rs"]
mod escapes;

use escapes::{ESCAPES, Escape, Hostile};
use glassbox_sandbox::{Error, Execution, Limits, NoTools, Sandbox};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[tokio::main]
async fn serve(inline: bool) -> Result<(), Error> {
    let new = |limits| match std::env::current_exe() {
        Ok(own) if !inline => {
            let folder = own.parent().and_then(std::path::Path::parent).map(ToOwned::to_owned);
            Sandbox::new(limits).with_worker(folder.unwrap_or_default().join("glassbox-sandbox"))
        }
        _ => Sandbox::new(limits),
    };
    println!(
        "{:<28} {:<52} {:<10} {:>9} {:>9}  next run",
        "code", "outcome", "limit", "peak MiB", "ms"
    );
    let mut all_went_on = true;
    for escape in ESCAPES {
        let mut sandbox = new(escape.limits());
        sandbox.warm_up().await?;
        let (execution, peak) = attempt(&mut sandbox, escape).await?;
        let next = sandbox.run("6 * 7", &NoTools).await?;
        let went_on = next.value == Some(42.into());
        all_went_on &= went_on;
        let mut outcome = escapes::outcome(&execution);
        if outcome.chars().count() > 50 {
            outcome = outcome.chars().take(49).collect::<String>() + "…";
        }
        let goes_on = match (went_on, next.state_lost) {
            (true, false) => "ok",
            (true, true) => "ok, new worker",
            _ => "FAILED",
        };
        let limit = execution.limit.map_or("", |limit| limit.name());
        let peak = peak.map_or_else(|| "-".to_owned(), |kib| format!("{:.1}", kib as f64 / 1024.0));
        let ms = execution.duration.as_secs_f64() * 1e3;
        println!("{:<28} {outcome:<52} {limit:<10} {peak:>9} {ms:>9.1}  {goes_on}", escape.name);
    }
    println!("\nthe host went on after each: {all_went_on}");
    speed(new).await
}

async fn attempt(
    sandbox: &mut Sandbox,
    escape: &Escape,
) -> Result<(Execution, Option<u64>), Error> {
    let worker = sandbox.worker_id().unwrap_or_default();
    let over = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&over);
    let watcher = thread::spawn(move || {
        let mut peak = None;
        while !watched.load(Ordering::Relaxed) {
            peak = peak.max(peak_memory(worker));
            thread::sleep(Duration::from_micros(500));
        }
        peak
    });
    let execution = sandbox.run(&escape.code(), &Hostile { worker }).await;
    over.store(true, Ordering::Relaxed);
    Ok((execution?, watcher.join().ok().flatten()))
}

/// Returns the most memory that a process has held so far, in KiB, where the kernel tells.
fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

async fn speed(new: impl Fn(Limits) -> Sandbox) -> Result<(), Error> {
    let mut starts = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let mut sandbox = new(Limits::default());
        sandbox.warm_up().await?;
        starts.push(begun.elapsed());
    }
    let mut sandbox = new(Limits::default());
    sandbox.warm_up().await?;
    let guard = sandbox.memory_guard();
    let mut runs = Vec::new();
    for _ in 0..1000 {
        let begun = Instant::now();
        sandbox.run("1 + 1", &NoTools).await?;
        runs.push(begun.elapsed());
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        (times[times.len() / 2], times[times.len() * 99 / 100])
    };
    let (start, slow_start) = median(starts);
    let (run, slow_run) = median(runs);
    println!("start of a worker: {:.1} ms (p99 {:.1})", ms(start), ms(slow_start));
    println!("a run of `1 + 1`: {:.0} us (p99 {:.0})", ms(run) * 1e3, ms(slow_run) * 1e3);
    println!("memory is guarded by: {guard:?}");
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn main() -> Result<(), Error> {
    glassbox_sandbox::init();
    serve(std::env::args().any(|argument| argument == "--inline"))
}

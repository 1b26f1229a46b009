//! The checks of the repository, one step after the other, and a table of how they went.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::command::{command, run};
use crate::{peers, programs, tools};

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

const STEPS: [Step; 9] = [
    Step { name: "fmt", about: "the code is formatted", run: fmt },
    Step { name: "clippy", about: "the linter has no warnings", run: clippy },
    Step { name: "test", about: "the tests pass", run: test },
    Step { name: "doctest", about: "the examples in the documentation pass", run: doctest },
    Step { name: "doc", about: "the documentation builds without warnings", run: doc },
    Step { name: "examples", about: "the examples run", run: programs::examples },
    Step {
        name: "clients",
        about: "what clients by others send is what the trace server's API returns",
        run: programs::clients,
    },
    Step {
        name: "page",
        about: "the page of the trace server works in a browser",
        run: programs::page,
    },
    Step { name: "demo", about: "the demo runs and loses no span", run: programs::demo },
];

/// Runs the named steps, or all of them, and tells whether none failed.
///
/// Every step runs, also after one failed, so that one run tells everything that is wrong.
pub(crate) fn check(names: &[&str]) -> Result<bool> {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        bail!("no step `{unknown}`, the steps are {}", STEPS.map(|step| step.name).join(", "));
    }

    let chosen = STEPS.iter().filter(|step| names.is_empty() || names.contains(&step.name));
    let results: Vec<_> = chosen.map(timed).collect();
    let failed = results.iter().filter(|(_, result, _)| result.is_err()).count();

    println!();
    for (name, result, took) in &results {
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{name:<10} {verdict:<6} {:>7.1} s", took.as_secs_f64());
        if let Err(error) = result {
            println!("           {error:#}");
        }
    }
    println!("{} passed, {failed} failed", results.len() - failed);
    Ok(failed == 0)
}

/// The steps, as lines of the help.
pub(crate) fn steps_help() -> String {
    let lines = STEPS.iter().map(|step| format!("  {:<10} {}\n", step.name, step.about));
    format!("Steps of check, in this order:\n{}", lines.collect::<String>())
}

fn timed(step: &Step) -> (&'static str, Result<()>, Duration) {
    eprintln!("\n== {}: {}", step.name, step.about);
    let started = Instant::now();
    let result = (step.run)();
    if let Err(error) = &result {
        eprintln!("error: {error:#}");
    }
    (step.name, result, started.elapsed())
}

fn fmt() -> Result<()> {
    tools::component("rustfmt", "fmt")?;
    run(&mut command("cargo fmt --all --check"))
}

fn clippy() -> Result<()> {
    tools::component("clippy", "clippy")?;
    run(&mut command(
        "cargo clippy --workspace --exclude glassbox-benches --features glassbox/sqlite --all-targets -- -D warnings",
    ))
}

fn test() -> Result<()> {
    tools::nextest()?;
    let aimock = peers::aimock()?;
    let rotel = peers::rotel()?;
    run(command(
        "cargo nextest run --workspace --exclude glassbox-benches --features glassbox/sqlite",
    )
    .env("GLASSBOX_AIMOCK", aimock)
    .env("GLASSBOX_ROTEL", rotel))
}

fn doctest() -> Result<()> {
    run(&mut command(
        "cargo test --quiet --doc --workspace --exclude glassbox-benches --features glassbox/sqlite",
    ))
}

fn doc() -> Result<()> {
    run(command(
        "cargo doc --workspace --exclude glassbox-benches --features glassbox/sqlite --no-deps",
    )
    .env("RUSTDOCFLAGS", "-D warnings"))
}

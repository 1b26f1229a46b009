//! Running what a reader of the README would run: the examples and the demo.

use std::env::consts::EXE_SUFFIX;
use std::fs::{self, File};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::{command, run, run_within};
use crate::{peers, tools, workspace};

const EXAMPLES: &str = "glassbox-examples";

/// Examples and demo talk to a simulated provider on this machine: one that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A browser on a busy machine takes its time; one that takes longer hangs.
const PAGE_LIMIT: Duration = Duration::from_secs(300);

/// A client that sends a few spans takes seconds; one that takes longer hangs.
const CLIENT_LIMIT: Duration = Duration::from_secs(120);

const CLIENTS_OF_PYTHON: [&str; 4] = ["langfuse", "opentelemetry", "openinference", "openllmetry"];

const CLIENTS_OF_NODE: [&str; 2] = ["langfuse", "vercel"];

/// Runs every example.
pub(crate) fn examples() -> Result<()> {
    let names = workspace::examples(EXAMPLES)?;
    ensure!(!names.is_empty(), "no examples found in the package {EXAMPLES}");
    run(&mut command(&format!("cargo build --quiet -p {EXAMPLES} --examples")))?;
    for name in &names {
        run_within(
            LIMIT,
            &mut command(&format!("cargo run --quiet -p {EXAMPLES} --example {name}")),
        )?;
    }
    eprintln!("{} examples ran", names.len());
    Ok(())
}

/// Runs the scenes of the demo that take seconds, and checks what they report.
pub(crate) fn demo() -> Result<()> {
    run(&mut command("cargo build --quiet -p glassbox-cli"))?;
    ["coffee-shop", "react", "codeact", "research"].into_iter().try_for_each(scene)
}

fn scene(name: &str) -> Result<()> {
    let line =
        format!("cargo run --quiet -p glassbox-cli -- demo --scene {name} --json --speed 50");
    let file = workspace::target_dir()?.join("demo.json");
    run_within(LIMIT, command(&line).stdout(File::create(&file)?))?;
    let report = fs::read_to_string(&file)?;
    let report: Value = serde_json::from_str(&report)
        .with_context(|| format!("`{line}` wrote no JSON: {report}"))?;

    let dropped = values_of("spans_dropped", &report);
    ensure!(!dropped.is_empty(), "`{line}` does not say `spans_dropped`: {report}");
    ensure!(dropped.iter().all(|count| **count == 0), "`{line}` dropped spans: {report}");
    Ok(())
}

/// Checks the types of the page's scripts, and drives the page of a real server in a real browser.
pub(crate) fn page() -> Result<()> {
    let tsc = peers::typescript()?;
    run(command("node").arg(tsc).args(["-p", "crates/server/ui/jsconfig.json"]))?;

    run(&mut command("cargo build --quiet -p glassbox-cli"))?;
    let program = workspace::target_dir()?.join("debug").join(format!("glassbox{EXE_SUFFIX}"));
    let tests = ["scripts", "lists", "trace", "payloads", "live", "pages", "demo"]
        .map(|name| format!("crates/server/tests/page/{name}.test.mjs"));
    run_within(
        PAGE_LIMIT,
        command("node --test --test-concurrency=1")
            .args(tests)
            .env("GLASSBOX_BIN", program)
            .env("GLASSBOX_PEERS", peers::playwright()?)
            .env("GLASSBOX_CHROMIUM", tools::chromium()?),
    )
}

/// Sends with real clients to a real server, and compares what its API returns.
pub(crate) fn clients() -> Result<()> {
    let folder = workspace::root().join("crates/server/tests/clients");
    let clients = peers::clients(&folder)?;
    run(&mut command("cargo build --quiet -p glassbox-cli"))?;
    let program = workspace::target_dir()?.join("debug").join(format!("glassbox{EXE_SUFFIX}"));
    // Instrumentations change the program that they are in, so each has one of its own.
    for name in CLIENTS_OF_PYTHON {
        run_within(
            CLIENT_LIMIT,
            command("python3 -B")
                .arg(folder.join(format!("test_{name}.py")))
                .env("PYTHONPATH", &clients.python)
                .env("GLASSBOX_BIN", &program),
        )?;
    }
    let tests = CLIENTS_OF_NODE.map(|name| folder.join(format!("{name}.test.mjs")));
    run_within(
        CLIENT_LIMIT,
        command("node --test")
            .args(tests)
            .env("GLASSBOX_BIN", &program)
            .env("GLASSBOX_PEERS", &clients.node),
    )
}

/// The values under a key, anywhere in a document.
fn values_of<'a>(key: &str, document: &'a Value) -> Vec<&'a Value> {
    match document {
        Value::Object(fields) => {
            let here = fields.get(key);
            let below = fields.values().flat_map(|value| values_of(key, value));
            here.into_iter().chain(below).collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| values_of(key, item)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_found_at_any_depth() {
        let report =
            json!({"a": 1, "exports": [{"dropped": 2}, {"to": {"dropped": 0}}], "dropped": 3});
        assert_eq!(values_of("dropped", &report), [3, 2, 0]);
        assert!(values_of("none", &report).is_empty());
    }
}

//! `dspy`, in a Python that has it: the original of `Predict`.

use super::load::Told;
use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

const SCRIPT: &str = include_str!("dspy.py");

/// Tells whether this Python has it.
pub(super) fn is_installed(python: &str) -> bool {
    let finds = "import importlib.util, sys; sys.exit(importlib.util.find_spec('dspy') is None)";
    let mut command = Command::new(python);
    command.args(["-c", finds]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Says what to type where it is missing.
pub(super) fn hint(python: &str) -> String {
    format!(
        "`{python} -m venv ~/dspy && ~/dspy/bin/pip install dspy`, then run this with `--python ~/dspy/bin/python`"
    )
}

/// Makes calls, and returns what the process told.
pub(super) fn turn(python: &str, url: &str, calls: usize, concurrency: usize) -> Result<Told> {
    let (calls, concurrency) = (calls.to_string(), concurrency.to_string());
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT, url, &calls, &concurrency]).env("NO_PROXY", "127.0.0.1");
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{python} failed ({})", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Libraries may greet before.
    serde_json::from_str(text.lines().last().unwrap_or_default())
        .with_context(|| format!("{python} wrote {text:?}"))
}

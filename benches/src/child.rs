//! Measuring in a process of its own, so that its memory and its CPU time are its own.

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use std::process::{Command, Stdio};

/// Runs this very program with other arguments and variables, and reads what it writes as JSON.
pub(crate) fn run<T: DeserializeOwned>(
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Result<T> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).envs(variables.iter().copied());
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{arguments:?} failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!("{arguments:?} wrote {:?}", String::from_utf8_lossy(&output.stdout))
    })
}

/// The system that a process measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Peer {
    Glassbox,
    OpentelemetrySdk,
}

impl Peer {
    pub(crate) const BOTH: [Self; 2] = [Self::Glassbox, Self::OpentelemetrySdk];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Glassbox => "glassbox",
            Self::OpentelemetrySdk => "opentelemetry_sdk",
        }
    }
}

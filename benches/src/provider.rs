//! A simulated model provider without latency. It is a process of its own, so that its work is not counted.

use anyhow::{Context, Result};
use glassbox_sim::{Latency, Script, Sim, StartError};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// A running provider, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Provider {
    child: Child,
    /// The base URL for OpenAI clients, with a slash at the end.
    pub(crate) url: String,
}

impl Provider {
    pub(crate) fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("provider").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut answers =
            BufReader::new(child.stdout.take().context("the provider has no stdout")?);
        let mut url = String::new();
        answers.read_line(&mut url)?;
        Ok(Self { child, url: url.trim().to_owned() })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It ends when its standard input does; if that cannot be waited for, it is gone already.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Starts one within this process.
pub(crate) fn simulated() -> Result<Sim, StartError> {
    // Python's schemas are not as strict as OpenAI wants them, and it is not the provider that is measured.
    let sim = Sim::builder().latency(Latency::none()).script(Script::coffee_shop());
    sim.lenient_schemas().keep_requests(1).start()
}

/// Answers until the standard input ends.
pub(crate) fn run() -> Result<()> {
    let sim = simulated()?;
    println!("{}", sim.openai_url());
    std::io::stdout().flush()?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

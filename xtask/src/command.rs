//! Running other programs.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Makes a command from a line such as `cargo fmt --check`; no argument may hold a space.
pub(crate) fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::null()).current_dir(crate::workspace::root());
    command
}

/// Shows the command, runs it with its output shown, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs like [`run`], and stops the program if it takes longer than the limit.
pub(crate) fn run_within(limit: Duration, command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let mut child = command.spawn().with_context(|| cannot_run(command))?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("`{}` failed ({status})", shown(command));
            }
            return Ok(());
        }
        if started.elapsed() > limit {
            // It may have ended in this moment; then there is nothing to stop.
            let _ = child.kill();
            child.wait()?;
            bail!("`{}` was stopped, it ran longer than {} s", shown(command), limit.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs the command and returns its standard output; its standard error is shown.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| cannot_run(command))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote no text", shown(command)))
}

/// Tells whether the command runs and succeeds, showing nothing.
pub(crate) fn works(line: &str) -> bool {
    let mut command = command(line);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn cannot_run(command: &Command) -> String {
    format!("cannot run `{}`, is it installed?", command.get_program().display())
}

fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

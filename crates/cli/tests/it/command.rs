//! Runs the command without the environment of whoever runs the tests.

use serde_json::Value;
use std::process::{Command, Output, Stdio};

/// The command, with nothing in its environment but what the test sets.
pub(crate) fn glassbox(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glassbox"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn run(command: &mut Command) -> (Output, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

/// Runs a command that has to work and to print JSON and nothing else.
pub(crate) fn json(command: &mut Command) -> Value {
    let (output, stdout, stderr) = run(command);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

/// The variables of a Langfuse project at an address.
pub(crate) fn langfuse_at(url: &str) -> [(&str, &str); 3] {
    [
        ("LANGFUSE_PUBLIC_KEY", "pk-lf-demo"),
        ("LANGFUSE_SECRET_KEY", "sk-lf-demo"),
        ("LANGFUSE_BASE_URL", url),
    ]
}

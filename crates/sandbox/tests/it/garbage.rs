//! Garbage on the protocol, from either side.

#![cfg(unix)]

use glassbox_sandbox::{Limits, NoTools, Sandbox};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Writes a worker that answers with these bytes, whatever it is asked.
fn impostor(script: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("glassbox-sandbox");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    (folder, path)
}

/// Writes `printf` of a frame.
fn frame(message: &str) -> String {
    let length = message.len() as u32;
    let head: String = length.to_le_bytes().iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{head}{message}'")
}

/// Waits for the first order.
const LISTEN: &str = "dd bs=1 count=4 >/dev/null 2>&1";

const READY: &str = r#"{"ready":{"version":1,"memory":"allocator"}}"#;

#[tokio::test]
async fn a_worker_that_does_not_greet_is_refused() {
    let scripts = [
        ("dies", "echo 'no luck' >&2; exit 7".to_owned()),
        ("garbage", "printf 'garbage, and more'".to_owned()),
        ("no json", frame("nonsense")),
        ("another message", frame(r#"{"output":"x"}"#)),
        ("another version", frame(r#"{"ready":{"version":999,"memory":"allocator"}}"#)),
    ];
    let mut told = String::new();
    for (name, script) in scripts {
        let (_folder, path) = impostor(&format!("{LISTEN}; {script}"));
        let error = Sandbox::new(Limits::default()).with_worker(&path).warm_up().await.unwrap_err();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        let line = format!("{name}: {error}{}\n", cause.unwrap_or_default());
        told += &line.replace(path.to_str().unwrap(), "[worker]");
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_worker_that_goes_mad_is_killed_and_the_host_goes_on() {
    let call = r#"{"call":{"name":"x","args":[],"kwargs":{}}}"#;
    let flood = format!(r#"{{"output":"{}"}}"#, "x".repeat(70_000));
    let scripts = [
        ("garbage", "printf 'garbage, and more'; sleep 60".to_owned()),
        ("too long", r"printf '\377\377\377\377'; sleep 60".to_owned()),
        ("half a frame", r"printf '\100\000\000\000{'; exec 1>&-; sleep 60".to_owned()),
        ("ready again", format!("{}; sleep 60", frame(READY))),
        ("calls", format!("while true; do {}; done", frame(call))),
        ("flood", format!("{}; sleep 60", frame(&flood))),
        (
            "deep",
            format!(
                "{}; sleep 60",
                frame(&format!(r#"{{"done":{{"value":{}"#, "[".repeat(60_000)))
            ),
        ),
        ("ends", "exit 3".to_owned()),
    ];
    let mut told = String::new();
    for (name, script) in scripts {
        let (_folder, path) = impostor(&format!("{}; {LISTEN}; {script}", frame(READY)));
        let mut sandbox = Sandbox::new(Limits::default()).with_worker(path);
        for _ in 0..2 {
            // The second time, another worker goes mad.
            let execution = sandbox.run("1", &NoTools).await.unwrap();
            assert!(execution.worker_lost, "{name}");
            let message = execution.error.unwrap().message;
            if execution.state_lost {
                told += &format!("{name}: {message}\n");
            }
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_worker_ends_at_garbage() {
    let orders: [&[u8]; 4] = [
        b"garbage, and more",
        b"\xff\xff\xff\xff",
        b"\x04\0\0\0null",
        b"\x0f\0\0\0{\"value\":[1, 2]}",
    ];
    for order in orders {
        let mut worker = Command::new(env!("CARGO_BIN_EXE_glassbox-sandbox"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        worker.stdin.take().unwrap().write_all(order).unwrap();
        let output = worker.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{order:?}");
        assert_eq!(output.stdout, b"", "{order:?}");
    }
}

//! Processes: what the kernel says of a worker, and that none is left behind.

use crate::sandbox;
use glassbox_sandbox::{Answer, Call, Limits, NoTools, Tools};
use std::fs;
use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Notify;

fn proc(worker: u32, name: &str) -> PathBuf {
    format!("/proc/{worker}/{name}").into()
}

/// Waits until a process is gone, without a zombie.
async fn gone(worker: u32) {
    for _ in 0..2_000 {
        if !proc(worker, "status").exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{}", fs::read_to_string(proc(worker, "status")).unwrap_or_default());
}

#[tokio::test]
async fn the_kernel_withholds_all_that_a_worker_does_not_need() {
    // A descriptor that a careless library left open for children.
    let leaked =
        fs::File::open("/etc/hostname").or_else(|_| fs::File::open("/proc/self/status")).unwrap();
    let mut worker = sandbox(Limits::default());
    worker.run("1", &NoTools).await.unwrap();
    drop(leaked);
    let id = worker.worker_id().unwrap();

    assert_eq!(fs::read(proc(id, "environ")).unwrap(), b"");
    assert_eq!(fs::read_link(proc(id, "cwd")).unwrap(), PathBuf::from("/"));
    let mut open: Vec<_> =
        fs::read_dir(proc(id, "fd")).unwrap().map(|fd| fd.unwrap().file_name()).collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);

    let limits = fs::read_to_string(proc(id, "limits")).unwrap();
    let soft = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(soft("Max open files"), "3");
    assert_eq!(soft("Max processes"), "0");
    assert_eq!(soft("Max file size"), "0");
    assert_eq!(soft("Max core file size"), "0");
    assert_eq!(soft("Max cpu time"), "9");
    assert!(soft("Max address space").parse::<u64>().unwrap() < 1 << 30);
}

#[tokio::test]
async fn a_dropped_sandbox_leaves_no_process() {
    let mut sandbox = sandbox(Limits::default());
    sandbox.warm_up().await.unwrap();
    let worker = sandbox.worker_id().unwrap();
    drop(sandbox);
    gone(worker).await;
}

/// A tool that says that it was called, and never answers.
struct Hanging(Notify);

impl Tools for Hanging {
    fn names(&self) -> Vec<String> {
        vec!["hang".into()]
    }

    fn call<'a>(&'a self, _call: Call) -> Answer<'a> {
        self.0.notify_one();
        Box::pin(pending())
    }
}

#[tokio::test]
async fn a_dropped_run_kills_its_code_and_the_next_one_says_so() {
    let mut sandbox = sandbox(Limits::default());
    sandbox.run("x = 1", &NoTools).await.unwrap();
    let worker = sandbox.worker_id().unwrap();
    let hanging = Hanging(Notify::new());
    tokio::select! {
        _ = sandbox.run("hang()", &hanging) => panic!("it hangs"),
        () = hanging.0.notified() => {}
    }
    gone(worker).await;
    let next = sandbox.run("x", &NoTools).await.unwrap();
    assert!(next.state_lost);
    assert_eq!(next.error.unwrap().message, "name 'x' is not defined");
}

#[tokio::test]
async fn a_worker_without_a_host_ends() {
    use std::process::{Command, Stdio};
    let mut worker = Command::new(env!("CARGO_BIN_EXE_glassbox-sandbox"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(worker.stdin.take());
    assert!(worker.wait().unwrap().success());
}

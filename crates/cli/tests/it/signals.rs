//! Ctrl-C and SIGTERM, sent to the real process: what has happened is exported, what is lost is told.

#![cfg(unix)]

use crate::command::{glassbox, langfuse_at};
use crate::langfuse::Langfuse;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that ends with the test.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Reads until a line has these words.
    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "no {words:?}");
        }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end; returns the exit status and what was said on stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = Vec::new();
        self.stdout.read_to_end(&mut rest).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has usually ended by now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SIGNALS: [(&str, &str, i32); 2] = [("INT", "Ctrl-C", 130), ("TERM", "SIGTERM", 143)];

#[test]
fn what_has_happened_is_exported() {
    for (signal, name, code) in SIGNALS {
        let langfuse = Langfuse::start();
        // Slow enough to be in the middle of it after the first answer.
        let mut demo = glassbox(&["demo", "--speed", "8"]);
        let mut demo = Running::start(demo.envs(langfuse_at(&langfuse.url)));
        demo.wait_for("llm.generate");
        demo.signal(signal);
        let (status, stderr) = demo.end();
        assert_eq!(status, Some(code), "{stderr}");
        assert!(stderr.contains(&format!("stopped by {name}")), "{stderr}");
        let spans = langfuse.spans();
        let told = format!("langfuse: {} spans sent, 0 lost", spans.len());
        assert!(stderr.contains(&told), "no {told:?} in {stderr}");
        // The calls that were cut short are there, as what they are.
        let roots = spans.iter().filter(|span| span.parent_span_id.is_empty()).count();
        assert!((1..8).contains(&roots) && spans.len() == 3 * roots, "{roots} roots, {stderr}");
    }
}

#[test]
fn what_is_lost_is_told_within_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut demo = glassbox(&["demo", "--speed", "8", "--flush-timeout", "1"]);
    let mut demo = Running::start(demo.envs(langfuse_at(&url)));
    demo.wait_for("llm.generate");
    let began = Instant::now();
    demo.signal("TERM");
    let (status, stderr) = demo.end();
    assert_eq!(status, Some(143), "{stderr}");
    assert!(stderr.contains("langfuse: 0 spans sent, "), "{stderr}");
    assert!(!stderr.contains("langfuse: 0 spans sent, 0 lost"), "{stderr}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn a_second_signal_leaves_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut demo = glassbox(&["demo", "--speed", "8"]);
    let mut demo = Running::start(demo.envs(langfuse_at(&url)));
    demo.wait_for("llm.generate");
    let began = Instant::now();
    demo.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    demo.signal("INT");
    let (status, stderr) = demo.end();
    assert_eq!(status, Some(130), "{stderr}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_signal_cuts_the_last_flush_short() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut demo = glassbox(&["demo", "--speed", "0", "--flush-timeout", "30"]);
    let mut demo = Running::start(demo.envs(langfuse_at(&url)));
    // The eighth customer has been served.
    for _ in 0..8 {
        demo.wait_for("chain_of_thought.reasoning_complete");
    }
    std::thread::sleep(Duration::from_millis(300));
    demo.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    demo.signal("TERM");
    assert_eq!(demo.end().0, Some(143));
}

#[test]
fn without_telemetry_there_is_nothing_to_tell() {
    let mut demo = Running::start(&mut glassbox(&["demo", "--speed", "8", "--no-telemetry"]));
    demo.wait_for("llm.request");
    demo.signal("INT");
    let (status, stderr) = demo.end();
    assert_eq!((status, stderr.trim()), (Some(130), "stopped by Ctrl-C"));
}

#[test]
fn the_simulated_provider_tells_what_it_did() {
    for (signal, name, code) in SIGNALS {
        let mut sim = glassbox(&["sim", "--listen", "127.0.0.1:0"]);
        let mut sim = Running::start(&mut sim);
        sim.wait_for("Stop it with Ctrl-C");
        sim.signal(signal);
        let (status, stderr) = sim.end();
        assert_eq!(status, Some(code), "{stderr}");
        assert!(stderr.contains(&format!("stopped by {name}; 0 calls: 0 answered")), "{stderr}");
    }
}

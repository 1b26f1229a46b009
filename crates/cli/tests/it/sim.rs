//! `glassbox sim`: listens, says where, and answers.

use crate::command::{glassbox, run};
use glassbox::{Lm, Message, Request};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// Ends the process with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn it_says_where_it_listens_and_answers() {
    let mut command = glassbox(&[
        "sim",
        "--listen",
        "127.0.0.1:0",
        "--speed",
        "0",
        "--json",
        "--fault",
        "empty=0",
    ]);
    let mut child = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addresses: serde_json::Value = serde_json::from_str(&line).unwrap();

    for (model, key) in [
        ("openai/gpt-4o-mini", "openai"),
        ("anthropic/claude-haiku-4-5", "anthropic"),
        ("gemini/gemini-2.5-flash", "gemini"),
    ] {
        let lm = Lm::builder(model)
            .base_url(addresses[key].as_str().unwrap())
            .api_key("any")
            .build()
            .unwrap();
        let response =
            lm.generate(Request::new([Message::user("Do you sell hamburgers?")])).await.unwrap();
        assert!(response.text().contains("hamburgers"), "{model}: {}", response.text());
    }
}

#[test]
fn a_wrong_plan_says_what_to_type() {
    let check = |arguments: &[&str], expected: &str| {
        let (output, _, stderr) = run(&mut glassbox(&[&["sim"], arguments].concat()));
        assert!(!output.status.success());
        assert!(stderr.contains(expected), "no {expected:?} in: {stderr}");
    };
    check(&["--fault", "slow"], "type one of rate-limited, server-error");
    check(&["--fault", "reset=2"], "type a number from 0 to 1, such as reset=0.1");
    check(&["--script", "/no/such/file"], "cannot read the script /no/such/file");
    check(&["--speed=-1"], "speed -1 makes no sense");
}

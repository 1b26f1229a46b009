//! The commands around the server: tail, top, export, import, doctor, and what packagers need.

use crate::command::{glassbox, json, run};
use crate::stage::Stage;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

#[test]
fn tail_shows_a_tree_that_grows() {
    let stage = Stage::new();
    let mut command = stage.command(&["tail", "name:ChainOfThought*", "--limit", "8", "--ended"]);
    let mut tail = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(tail.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(said.starts_with("watching http://127.0.0.1:"), "{said}");
    stage.demo();
    let mut lines = String::new();
    tail.stdout.take().unwrap().read_to_string(&mut lines).unwrap();
    assert!(tail.wait().unwrap().success());
    assert_eq!(lines.lines().count(), 8, "{lines}");
    assert!(lines.lines().all(|line| line.contains("< ChainOfThought(CoffeeShop)")), "{lines}");
    assert!(!lines.contains('\u{1b}'), "piped, so without colours: {lines}");
}

#[test]
fn tail_goes_on_when_the_server_comes_back_somewhere_else() {
    let stage = Stage::new();
    let mut command = stage.command(&["tail", "--json", "--limit", "1"]);
    let mut tail = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(tail.stderr.take().unwrap());
    let mut stdout = BufReader::new(tail.stdout.take().unwrap());
    // It listens when it shows something.
    let first = stage.url().to_owned();
    let watch = |stage: &Stage| {
        stage.post("/v1/traces", &json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "after",
            "startTimeUnixNano": "1767225600000001000", "endTimeUnixNano": "1767225600900002000",
        }]}]}]}).to_string());
    };
    while stage.get("/api/v1/health")["stream"]["readers"] == 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let stage = stage.again();
    assert_ne!(stage.url(), first);
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "the server is gone; waiting for it\n");
    line.clear();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, format!("the server is back: watching {}\n", stage.url()));
    watch(&stage);
    line.clear();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"name\":\"after\""), "{line}");
    assert!(tail.wait().unwrap().success());
}

#[test]
fn top_sums_up_by_module_and_model() {
    let stage = Stage::new();
    stage.demo();
    let (output, stdout, stderr) = run(&mut stage.command(&["top", "--once"]));
    assert!(output.status.success(), "{stderr}");
    let heads: Vec<_> = stdout.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        heads,
        ["NAME", "KIND", "CALLS", "RUNNING", "ERRORS", "P50", "P95", "TOKENS", "COST"]
    );
    let rows = json_array(&mut stage.command(&["top", "--json"]));
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(row("gpt-4o-mini")["calls"], 8);
    assert!(row("gpt-4o-mini")["tokens"].as_u64().unwrap() > 1000);
    assert_eq!(row("ChainOfThought(CoffeeShop)")["kind"], "chain");
    assert_eq!(row("CoffeeShopAgent.forward")["running"], 0);
}

fn json_array(command: &mut std::process::Command) -> Vec<Value> {
    json(command).as_array().unwrap().clone()
}

#[test]
fn the_doctor_finds_the_server_and_reads_its_span_back() {
    let stage = Stage::new();
    let report = json(&mut stage.command(&["doctor", "--json"]));
    assert_eq!((&report["ok"], &report["server"]["url"]), (&json!(true), &stage.said["otlp"]));
    assert_eq!(report["server"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(report["server"]["store_bytes"].as_u64().unwrap() > 0);
    let steps = report["destinations"][0]["steps"].as_array().unwrap();
    let read_back = steps.iter().find(|step| step["step"] == "read back").unwrap();
    assert_eq!(read_back["verdict"], "ok", "{read_back}");
}

/// What the doctor's checks of the server say: `check: verdict`, and what was seen.
fn checks(report: &Value) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    checks
        .map(|check| {
            (
                format!("{}: {}", text(&check["check"]), text(&check["verdict"])),
                text(&check["seen"]),
            )
        })
        .collect()
}

#[test]
fn the_doctor_tells_what_is_in_the_way_of_a_server() {
    let stage = Stage::new();
    let said = checks(&json(&mut stage.command(&["doctor", "--json"])));
    let words: Vec<_> = said.iter().map(|(check, _)| check.as_str()).collect();
    assert_eq!(words, ["store: ok", "retention: ok", "disk: ok", "clock: ok"]);

    // Somebody who does not find it, and wants a server of the same address and file.
    let other = tempfile::tempdir().unwrap();
    let (_, port) = stage.url().rsplit_once(':').unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let grpc = listener.local_addr().unwrap().to_string();
    let ask = |variables: &[(&str, &str)]| {
        let mut command = glassbox(&["doctor", "--json"]);
        command.env("XDG_RUNTIME_DIR", other.path()).env("XDG_STATE_HOME", other.path());
        json(command.env("XDG_DATA_HOME", stage.folder.path()).envs(variables.iter().copied()))
    };
    let report = ask(&[("GLASSBOX_SERVE_HTTP", port), ("GLASSBOX_SERVE_GRPC", &grpc)]);
    let said = checks(&report);
    let seen = |check: &str| {
        let found = said.iter().find(|(name, _)| name == check);
        found.unwrap_or_else(|| panic!("no {check} in {said:?}")).1.as_str()
    };
    assert!(seen("port: warning").starts_with("a glassbox server 0."), "{said:?}");
    assert!(seen("grpc port: warning").starts_with("another program listens at"), "{said:?}");
    assert!(seen("store: warning").ends_with("is held by a server that programs do not find"));
    assert!(seen("disk: ok").contains("iB free at "), "{said:?}");
    assert!(report["checks"][0]["advice"].as_str().unwrap().contains("GLASSBOX_SERVER=http://"));

    let said =
        checks(&ask(&[("GLASSBOX_SERVE_HTTP", "0.0.0.0:0"), ("GLASSBOX_SERVE_GRPC", "off")]));
    assert_eq!((said[0].0.as_str(), said[1].0.as_str()), ("port: ok", "keys: warning"));
    let said = checks(&ask(&[("GLASSBOX_SERVE_KEEP_DAYS", "many")]));
    assert_eq!(said[0].0, "settings: warning");
    assert!(said[0].1.starts_with("GLASSBOX_SERVE_KEEP_DAYS"), "{said:?}");
}

#[test]
fn without_a_server_it_is_told_what_to_type() {
    for command in [&["tail"][..], &["top"], &["export"]] {
        let (output, _, stderr) = run(&mut glassbox(command));
        assert!(!output.status.success());
        assert_eq!(stderr, "error: no server runs; start one with: glassbox serve\n");
    }
    let (_, _, stderr) = run(&mut glassbox(&["top", "--server", "http://127.0.0.1:9"]));
    assert!(stderr.contains("does not answer; start it with: glassbox serve"), "{stderr}");
    let stage = Stage::new();
    let (_, _, stderr) = run(&mut glassbox(&["top", "--once", "--server", stage.url()]));
    assert!(stderr.contains("asks for its token"), "{stderr}");
    let page = stage.said["url"].as_str().unwrap();
    let (output, _, stderr) = run(&mut glassbox(&["top", "--once", "--server", page]));
    assert!(output.status.success(), "{stderr}");
}

#[test]
fn every_command_shows_examples() {
    let (_, commands, _) = run(&mut glassbox(&["--help"]));
    assert!(commands.starts_with("LLM programs you can see through\n"), "{commands}");
    let listed = commands.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<_> =
        listed.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names.len(), 11, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let (_, help, _) = run(&mut glassbox(&[name, "--help"]));
        let examples = help.split_once("Examples:").unwrap_or_else(|| panic!("{name}: {help}")).1;
        assert!(examples.contains(&format!("glassbox {name}")), "{name}: {examples}");
        let what = help.lines().next().unwrap();
        assert!(!what.ends_with('.') && what.chars().next().unwrap().is_uppercase(), "{what}");
    }
}

#[test]
fn packagers_get_completions_and_pages() {
    for shell in ["bash", "zsh", "fish"] {
        let (output, stdout, _) = run(&mut glassbox(&["completions", shell]));
        assert!(output.status.success() && stdout.contains("keep-days"), "{shell}");
    }
    let (_, page, _) = run(&mut glassbox(&["man"]));
    assert!(page.contains(".TH glassbox 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    run(&mut glassbox(&["man", folder.path().to_str().unwrap()]));
    assert!(folder.path().join("glassbox-serve.1").exists());
}

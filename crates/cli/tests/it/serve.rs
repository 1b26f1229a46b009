//! `glassbox serve`: says where it listens, keeps what it acknowledged, and ends in good order.

use crate::command::{glassbox, run};
use crate::stage::Stage;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server, which ends with the test.
struct Running {
    child: Child,
    said: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(store: &Path) -> Self {
        let store = store.to_str().unwrap();
        let mut command = glassbox(&[
            "serve",
            "--http",
            "127.0.0.1:0",
            "--grpc",
            "127.0.0.1:0",
            "--store",
            store,
            "--json",
        ]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, said: serde_json::from_str(&line).unwrap() }
    }

    /// Asks, and returns the status and the body.
    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let address = self.said["otlp"].as_str().unwrap().strip_prefix("http://").unwrap();
        let token = self.said["token"].as_str().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, answer.split_off(end + 4))
    }

    fn send(&self, id: u8) {
        let span = Span {
            trace_id: vec![id; 16],
            span_id: vec![id; 8],
            name: format!("span {id}"),
            start_time_unix_nano: 1_767_225_600_000_000_000,
            end_time_unix_nano: 1_767_225_600_000_000_001,
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        assert_eq!(self.ask("POST", "/v1/traces", "application/x-protobuf", &body).0, 200);
    }

    fn traces(&self) -> usize {
        let (status, body) = self.ask("GET", "/api/v1/traces", "text/plain", b"");
        assert_eq!(status, 200);
        let page: Value = serde_json::from_slice(&body).unwrap();
        page["items"].as_array().unwrap().len()
    }
}

#[test]
fn what_was_acknowledged_survives_the_end_of_the_process() {
    let folder = std::env::temp_dir().join(format!("glassbox-serve-{}", std::process::id()));
    let store = folder.join("traces.db");
    for round in 0..3_u8 {
        let server = Running::start(&store);
        assert_eq!(server.traces(), usize::from(round) * 5);
        (1..=5).for_each(|id| server.send(round * 5 + id));
        // Dropped: killed without a word.
    }
    let server = Running::start(&store);
    assert_eq!(server.traces(), 15);
    drop(server);
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn it_ends_in_good_order_when_asked_to() {
    let folder = std::env::temp_dir().join(format!("glassbox-serve-stop-{}", std::process::id()));
    let mut server = Running::start(&folder.join("traces.db"));
    server.send(1);
    let killed =
        Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(server.child.wait().unwrap().code(), Some(143));
    drop(server);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Sends the head and half of the body of a request, so that the server waits for the rest.
fn begin_request(server: &Running, body: &[u8]) -> TcpStream {
    let address = server.said["otlp"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server has begun to read the body when it says so.
    let mut line = [0; 25];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body[..body.len() / 2]).unwrap();
    stream
}

#[cfg(unix)]
#[test]
fn requests_that_are_under_way_are_finished_before_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("traces.db");
    let mut server = Running::start(&store);
    let body = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "last",
        "startTimeUnixNano": "1767225600000001000", "endTimeUnixNano": "1767225600900002000",
    }]}]}]})
    .to_string();
    let requests: Vec<_> = (0..4).map(|_| begin_request(&server, body.as_bytes())).collect();
    kill(&server, "-TERM");
    // It lets nobody in any more, and waits for those that are inside.
    let address = server.said["otlp"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    while TcpStream::connect(&address).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(server.child.try_wait().unwrap().is_none());
    for mut request in requests {
        request.write_all(&body.as_bytes()[body.len() / 2..]).unwrap();
        let mut answer = String::new();
        request.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(server.child.wait().unwrap().code(), Some(143));
    assert_eq!(Running::start(&store).traces(), 1);
}

#[cfg(unix)]
/// As `glassbox serve | head -1` does.
#[test]
fn it_goes_on_when_nobody_reads_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = glassbox(&["serve", "--http", "0", "--grpc", "off"]);
    command.env("XDG_RUNTIME_DIR", folder.path()).env("XDG_DATA_HOME", folder.path());
    let mut child = command.stdout(writer).spawn().unwrap();
    let top = || {
        let mut command = glassbox(&["top", "--once"]);
        command.env("XDG_RUNTIME_DIR", folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    };
    let is_found = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        top()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_found);
}

#[test]
fn a_hangup_does_not_end_a_server_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&folder.path().join("traces.db"));
    kill(&server, "-HUP");
    server.send(1);
    assert_eq!(server.traces(), 1);
    assert!(server.child.try_wait().unwrap().is_none());
}

#[cfg(unix)]
fn kill(server: &Running, signal: &str) {
    let id = server.child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

#[test]
fn what_is_misspelt_is_told_with_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("glassbox.toml");
    std::fs::write(&config, "# mine\nkeep-days = 3\n").unwrap();
    let (output, _, stderr) = run(&mut glassbox(&[
        "serve",
        "--config",
        config.to_str().unwrap(),
        "--store",
        "unused.db",
    ]));
    assert!(!output.status.success());
    assert!(
        stderr.contains("glassbox.toml is no configuration of glassbox serve: line 2: there is no setting keep-days; did you mean keep_days?"),
        "{stderr}"
    );
    let mut command = glassbox(&["serve", "--http", "0.0.0.0:0", "--store", "unused.db"]);
    let (_, _, stderr) = run(command.env("GLASSBOX_SERVE_KEEPDAYS", "3"));
    assert!(stderr.contains("did you mean GLASSBOX_SERVE_KEEP_DAYS?"), "{stderr}");
}

#[test]
fn it_does_not_listen_to_all_the_world_without_keys() {
    let (output, _, stderr) =
        run(&mut glassbox(&["serve", "--http", "0.0.0.0:0", "--store", "unused.db"]));
    assert!(!output.status.success());
    assert!(stderr.contains("can be reached from outside"), "{stderr}");
}

#[test]
fn it_is_set_up_by_variables_and_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let keys = file("keys", "# senders\npk-1:sk-1\n");
    let token = file("token", "0123456789abcdef-token\n");
    let store = folder.path().join("here.db");
    let config =
        file("glassbox.toml", &format!("store = {store:?}\nkeys_file = {keys:?}\nmax_spans = 700"));
    let variables =
        [("GLASSBOX_SERVE_CONFIG", config.as_str()), ("GLASSBOX_SERVE_TOKEN_FILE", &token)];
    let stage = Stage::with(&[], &variables);
    assert_eq!(stage.token(), "0123456789abcdef-token");
    assert_eq!(stage.said["store"].as_str().unwrap(), store.to_str().unwrap());
    // The programs of this user have the token, and so may send though there are keys.
    stage.demo();
    assert_eq!(stage.get("/api/v1/traces")["items"].as_array().unwrap().len(), 8);
}

#[test]
fn what_does_not_work_is_told_with_what_to_type() {
    let stage = Stage::new();
    let port = stage.url().rsplit(':').next().unwrap();
    let store = stage.folder.path().join("other.db");
    let store = store.to_str().unwrap();
    let (output, _, stderr) =
        run(&mut stage.command(&["serve", "--http", port, "--grpc", "off", "--store", store]));
    assert!(!output.status.success());
    let told = format!("a glassbox server runs there already: {}; stop it, or choose", stage.url());
    assert!(stderr.contains(&told), "{stderr}");

    let store = stage.said["store"].as_str().unwrap();
    let (output, _, stderr) =
        run(&mut stage.command(&["serve", "--http", "0", "--grpc", "off", "--store", store]));
    assert!(!output.status.success());
    assert!(
        stderr.contains("is locked by another process; stop it, or choose another file"),
        "{stderr}"
    );

    let (_, _, stderr) = run(&mut glassbox(&["serve", "--http", "here"]));
    assert!(stderr.contains("type a port, or an address such as 127.0.0.1:4318"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn the_demo_keeps_a_server_open_and_customers_go_on_coming_until_it_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = glassbox(&["demo", "--speed", "0", "--serve", "--every", "1"]);
    command.env("XDG_RUNTIME_DIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = command.spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut told = String::new();
    while !told.contains("Stop with Ctrl-C") {
        told.push_str(&lines.next().expect("it says how to stop it"));
    }
    // The address of the first trace, which shows it to whoever opens it.
    let (_, link) = told.split_once("   open http://").expect("a link to the first trace");
    assert!(link.contains("/trace/") && link.contains("?token="), "{told}");
    // Eight from the rounds that everybody sees, and whoever has come since.
    let calls = || {
        let mut top = glassbox(&["top", "--json"]);
        let rows = crate::command::json(top.env("XDG_RUNTIME_DIR", folder.path()));
        let rows = rows.as_array().unwrap().iter();
        rows.filter(|row| row["name"] == "gpt-4o-mini")
            .map(|row| row["calls"].as_u64().unwrap())
            .sum::<u64>()
    };
    while calls() <= 9 {}
    let killed = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(demo.wait().unwrap().success());
}

//! The doctor against receivers that play well and ones that do not.

use crate::command::{glassbox, json, langfuse_at, run};
use crate::langfuse::Langfuse;
use crate::tls::Tls;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

/// Answers every request alike until the process ends.
fn answering<A: IntoResponse + Clone + Send + Sync + 'static>(answer: A) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(move || async move { answer });
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    address
}

/// A port at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Runs the doctor, which has to find a problem, and returns what it says.
#[track_caller]
fn problem(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    let (output, stdout, stderr) =
        run(glassbox(&["doctor", "--json", "--wait", "0.6"]).envs(variables.iter().copied()));
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert_eq!(stderr, "");
    assert!(!stdout.contains("sk-lf-"), "{stdout}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["ok"], false);
    let steps = report["destinations"].as_array().unwrap().iter().flat_map(|destination| {
        assert_eq!(destination["ok"], false);
        destination["steps"].as_array().unwrap()
    });
    let problems = steps.filter(|step| step["verdict"] == "problem");
    let told = |step: &Value| {
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        (text("step"), format!("{} -> {}", text("seen"), text("advice")))
    };
    problems.map(told).collect()
}

/// The doctor has to find exactly this.
#[track_caller]
fn check(variables: &[(&str, &str)], step: &str, words: &[&str]) {
    let problems = problem(variables);
    let [(found, told)] = problems.as_slice() else { panic!("one problem: {problems:?}") };
    assert_eq!(found, step, "{told}");
    for word in words {
        assert!(told.contains(word), "no {word:?} in {told:?}");
    }
}

#[track_caller]
fn check_langfuse(url: &str, step: &str, words: &[&str]) {
    check(&langfuse_at(url), step, words);
}

#[track_caller]
fn check_otlp(url: &str, step: &str, words: &[&str]) {
    check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)], step, words);
}

#[test]
fn nothing_configured_is_no_problem_and_the_way_is_told() {
    let (output, stdout, _) = run(&mut glassbox(&["doctor"]));
    assert_eq!(output.status.code(), Some(0));
    for words in [
        "no variable about telemetry",
        "export LANGFUSE_PUBLIC_KEY=",
        "OTEL_EXPORTER_OTLP_ENDPOINT=",
    ] {
        assert!(stdout.contains(words), "{stdout}");
    }
    let report = json(&mut glassbox(&["doctor", "--json"]));
    assert_eq!((&report["ok"], &report["destinations"]), (&true.into(), &Value::Array(vec![])));
}

#[test]
fn a_span_gets_to_langfuse_and_is_read_back() {
    let langfuse = Langfuse::start();
    let (output, stdout, stderr) =
        run(glassbox(&["doctor"]).envs(langfuse_at(&langfuse.url)).env("LANGFUSE_PUBLICKEY", "x"));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    for words in [
        "LANGFUSE_SECRET_KEY  set, 10 characters  the secret key",
        "LANGFUSE_PUBLICKEY   set, and not heeded",
        "ok       credentials  the keys are for the project \"coffee shop\"",
        "ok       span sent    200 OK for trace ",
        "ok       read back    after ",
        "Spans get through.",
    ] {
        assert!(stdout.contains(words), "no {words:?} in {stdout}");
    }
    assert!(!stdout.contains("sk-lf-"), "{stdout}");
    let spans = langfuse.spans();
    assert_eq!(
        spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(),
        ["glassbox doctor"]
    );
}

#[test]
fn a_span_gets_to_an_otlp_receiver() {
    for protocol in ["http/protobuf", "http/json"] {
        let url = format!("http://{}", answering(StatusCode::OK));
        let report = json(glassbox(&["doctor", "--json"]).envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=very-secret"),
        ]));
        assert!(!report.to_string().contains("very-secret"), "{report}");
        let steps = report["destinations"][0]["steps"].as_array().unwrap();
        let verdicts: Vec<_> = steps
            .iter()
            .map(|step| (step["step"].as_str().unwrap(), step["verdict"].as_str().unwrap()))
            .collect();
        let expected = [
            ("name", "skipped"),
            ("connection", "ok"),
            ("tls", "skipped"),
            ("credentials", "ok"),
            ("span sent", "ok"),
            ("read back", "skipped"),
        ];
        assert_eq!(verdicts, expected);
    }
}

#[test]
fn credentials_that_are_refused() {
    let langfuse = Langfuse::start();
    let wrong = [("LANGFUSE_PUBLIC_KEY", "pk-lf-demo"), ("LANGFUSE_SECRET_KEY", "sk-lf-wrong")];
    let variables = [wrong[0], wrong[1], ("LANGFUSE_BASE_URL", langfuse.url.as_str())];
    check(
        &variables,
        "credentials",
        &["401 Unauthorized", "Invalid credentials", "check LANGFUSE_PUBLIC_KEY"],
    );
    assert!(langfuse.spans().is_empty());
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        let url = format!("http://{}", answering(status));
        check_otlp(&url, "credentials", &[status.as_str(), "check OTEL_EXPORTER_OTLP_HEADERS"]);
    }
}

#[test]
fn addresses_that_are_wrong() {
    let url = format!("http://{}", answering(StatusCode::NOT_FOUND));
    check_langfuse(&url, "credentials", &["404", "LANGFUSE_BASE_URL"]);
    check_otlp(&url, "span sent", &["404", "port in OTEL_EXPORTER_OTLP_ENDPOINT", "4318"]);
    let as_it_is = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url.as_str())];
    check(&as_it_is, "span sent", &["404", "used as it is", "end in /v1/traces"]);

    let page = format!("http://{}", answering(Html("<!doctype html><h1>Sign in</h1>")));
    check_langfuse(&page, "credentials", &["200 OK and a web page", "LANGFUSE_BASE_URL"]);
    check_otlp(&page, "span sent", &["200 OK and a web page", "no OTLP is taken there"]);

    let mut moved = HeaderMap::new();
    moved.insert("location", "https://new.example/v1/traces".parse().unwrap());
    let moved = format!("http://{}", answering((StatusCode::PERMANENT_REDIRECT, moved)));
    check_otlp(
        &moved,
        "span sent",
        &["308", "write https://new.example/v1/traces in OTEL_EXPORTER_OTLP_ENDPOINT"],
    );
}

#[test]
fn receivers_that_refuse() {
    let bad = format!("http://{}", answering((StatusCode::BAD_REQUEST, "cannot read")));
    check_otlp(
        &bad,
        "span sent",
        &["400 Bad Request: cannot read", "OTEL_EXPORTER_OTLP_PROTOCOL=http/json"],
    );
    let down = format!("http://{}", answering(StatusCode::SERVICE_UNAVAILABLE));
    check_otlp(&down, "span sent", &["503", "the server is in trouble"]);
    check_langfuse(&down, "credentials", &["503", "the server is in trouble"]);

    let partial =
        ExportTracePartialSuccess { rejected_spans: 1, error_message: "no thanks".into() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let picky = format!("http://{}", answering(answer));
    check_otlp(&picky, "span sent", &["rejected: no thanks"]);
}

#[test]
fn nobody_is_there_or_says_anything() {
    let url = format!("http://{}", nobody());
    check_langfuse(&url, "connection", &["Connection refused", "correct LANGFUSE_BASE_URL"]);
    check_otlp(&url, "connection", &["Connection refused", "OTEL_EXPORTER_OTLP_ENDPOINT"]);
    check_otlp(
        "http://no-such-host.invalid:4318",
        "name",
        &["correct the host in OTEL_EXPORTER_OTLP_ENDPOINT"],
    );

    // It accepts connections, by the system's own doing, and reads nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    let impatient =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_EXPORTER_OTLP_TIMEOUT", "300")];
    check(&impatient, "span sent", &["no answer within 300ms", "raise OTEL_EXPORTER_OTLP_TIMEOUT"]);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn langfuse_takes_the_span_and_does_not_show_it() {
    let answer = r#"{"data":[]}"#;
    let url = format!("http://{}", answering(answer));
    check_langfuse(&url, "read back", &["accepted, and not there after", "worker may be behind"]);
}

#[test]
fn certificates_and_schemes_that_do_not_fit() {
    let langfuse = Langfuse::start();
    let tls = Tls::in_front_of(langfuse.address(), &["localhost"]);
    let port = tls.address.port();
    let secure = format!("https://localhost:{port}");
    check_langfuse(&secure, "tls", &["UnknownIssuer", "GLASSBOX_CA_FILE=/path/to/authority.pem"]);
    check_otlp(&secure, "tls", &["UnknownIssuer", "OTEL_EXPORTER_OTLP_CERTIFICATE=/path"]);

    let authority = tls.authority().to_str().unwrap();
    let trusting = [&langfuse_at(&secure)[..], &[("GLASSBOX_CA_FILE", authority)]].concat();
    let report = json(glassbox(&["doctor", "--json"]).envs(trusting.iter().copied()));
    assert_eq!(report["ok"], true, "{report}");

    // The same server by a name that its certificate does not have, and without TLS.
    let address = format!("https://127.0.0.1:{port}");
    let other = [&langfuse_at(&address)[..], &[("GLASSBOX_CA_FILE", authority)]].concat();
    check(&other, "tls", &["the certificate is for another host"]);
    check_langfuse(
        &format!("http://localhost:{port}"),
        "credentials",
        &["If it speaks TLS, write https://"],
    );
    // A plain server by https.
    let plain = format!("https://localhost:{}", langfuse.address().port());
    check_langfuse(
        &plain,
        "tls",
        &["does not speak TLS there; write http:// in LANGFUSE_BASE_URL"],
    );

    let missing =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), ("GLASSBOX_CA_FILE", "/no/such.pem")];
    let (output, stdout, _) = run(glassbox(&["doctor"]).envs(missing));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout.contains("problem: GLASSBOX_CA_FILE: the file /no/such.pem cannot be read"),
        "{stdout}"
    );
}

#[test]
fn settings_that_make_no_sense_and_settings_that_are_off() {
    let half = [("LANGFUSE_PUBLIC_KEY", "pk-lf-demo")];
    let (output, stdout, _) = run(glassbox(&["doctor"]).envs(half));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout.contains("problem: LANGFUSE_PUBLIC_KEY is set and LANGFUSE_SECRET_KEY is not"),
        "{stdout}"
    );

    let off = [half[0], ("GLASSBOX_DISABLED", "true")];
    let (output, stdout, _) = run(glassbox(&["doctor"]).envs(off));
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout.contains("Telemetry is off, since GLASSBOX_DISABLED is set"), "{stdout}");

    let odd = [("OTEL_BSP_SCHEDULE_DELAY", "soon")];
    let report = json(glassbox(&["doctor", "--json"]).envs(odd));
    assert!(
        report["warnings"][0].as_str().unwrap().starts_with("OTEL_BSP_SCHEDULE_DELAY is \"soon\"")
    );
}

#[test]
fn one_bad_destination_is_enough_and_the_others_are_checked_too() {
    let langfuse = Langfuse::start();
    let dead = format!("http://{}", nobody());
    let variables =
        [&langfuse_at(&langfuse.url)[..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &dead)]].concat();
    let (output, stdout, _) = run(glassbox(&["doctor"]).envs(variables));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.contains("1 of 2 destinations would get no span."), "{stdout}");
    assert_eq!(langfuse.spans().len(), 1);
}

#[test]
fn every_variable_that_it_knows_is_documented() {
    let page = include_str!("../../../../docs/environment.md");
    for variable in glassbox::telemetry::config::VARIABLES {
        let name = variable.name.to_ascii_uppercase();
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/environment.md");
    }
}

#[test]
fn the_folder_for_what_waits_is_looked_at() {
    let url = format!("http://{}", answering(StatusCode::OK));
    let report = |folder: &Path| {
        let mut doctor = glassbox(&["doctor", "--json", "--wait", "0.6"]);
        doctor.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url).env("GLASSBOX_SPOOL_DIR", folder);
        json(&mut doctor)["spool"].clone()
    };
    let folder = tempfile::tempdir().unwrap();
    // It is made when it is needed, and not to look at it.
    let missing = folder.path().join("spool");
    let told = report(&missing);
    assert_eq!((&told["files"], &told["problem"]), (&0.into(), &Value::Null), "{told}");
    assert!(!missing.exists());

    std::fs::create_dir(&missing).unwrap();
    std::fs::write(missing.join("waits"), [0; 1500]).unwrap();
    let told = report(&missing);
    assert_eq!((&told["files"], &told["bytes"]), (&1.into(), &1500.into()), "{told}");
    assert_eq!(told["problem"], Value::Null);
    assert_eq!(std::fs::read_dir(&missing).unwrap().count(), 1, "the doctor leaves nothing");

    // A file is no folder, for root neither.
    let told = report(&missing.join("waits"));
    assert!(told["problem"].as_str().unwrap().contains("Not a directory"), "{told}");
}

//! The glassbox server as a destination: found, named, or left alone.

use glassbox_telemetry::address::ServerAddress;
use glassbox_telemetry::config::Settings;
use std::path::Path;

const COLLECTOR: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4999");

fn read(folder: &Path, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let lookup = |name: &str| match name {
        "XDG_RUNTIME_DIR" => Some(folder.to_str()?.to_owned()),
        _ => Some(variables.iter().find(|(other, _)| *other == name)?.1.to_owned()),
    };
    Settings::from_lookup(lookup).map_err(|error| error.to_string())
}

#[track_caller]
fn check(folder: &Path, variables: &[(&str, &str)], expected: &[&str]) {
    let settings = read(folder, variables).unwrap();
    let told = settings.destinations.iter().map(|destination| destination.info().to_string());
    assert_eq!(told.collect::<Vec<_>>(), expected, "{variables:?}");
}

#[test]
fn the_server_that_runs_is_a_destination_besides_others() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    check(folder, &[], &[]);
    let address = ServerAddress::new("http://127.0.0.1:4318").with_secret("verysecret");
    let posted = address.post(&folder.join("glassbox")).unwrap();
    check(folder, &[], &["glassbox (http://127.0.0.1:4318)"]);
    check(folder, &[COLLECTOR], &["otlp", "glassbox (http://127.0.0.1:4318)"]);
    check(folder, &[COLLECTOR, ("GLASSBOX_SERVER", "off")], &["otlp"]);
    check(folder, &[("GLASSBOX_DISABLED", "true")], &[]);
    check(folder, &[("GLASSBOX_SERVER", "http://box:1/")], &["glassbox (http://box:1)"]);
    let shown = format!("{:?}", read(folder, &[]).unwrap());
    assert!(shown.contains("live: Some") && !shown.contains("verysecret"), "{shown}");
    drop(posted);
    check(folder, &[], &[]);
}

#[test]
fn one_that_the_variables_lead_to_is_not_sent_everything_twice() {
    let folder = tempfile::tempdir().unwrap();
    let address = ServerAddress::new("http://127.0.0.1:4318").with_secret("t");
    let _posted = address.post(&folder.path().join("glassbox")).unwrap();
    let same = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")];
    check(folder.path(), &same, &["otlp"]);
    let shown = format!("{:?}", read(folder.path(), &same).unwrap().destinations);
    assert!(shown.contains("live: Some"), "{shown}");
}

#[test]
fn one_that_is_named_is_a_destination_besides_one_that_others_lead_to() {
    let folder = tempfile::tempdir().unwrap();
    let address = ServerAddress::new("http://127.0.0.1:4318").with_secret("t");
    let _posted = address.post(&folder.path().join("glassbox")).unwrap();
    let here = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
    let there = ("GLASSBOX_SERVER", "http://box:4318");
    check(folder.path(), &[here, there], &["otlp", "glassbox (http://box:4318)"]);
    check(folder.path(), &[here, ("GLASSBOX_SERVER", "http://127.0.0.1:4318")], &["otlp"]);
}

#[test]
fn a_server_that_two_variables_lead_to_hears_of_a_span_once() {
    let folder = tempfile::tempdir().unwrap();
    let both = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
        ("LANGFUSE_BASE_URL", "http://127.0.0.1:4318"),
        ("LANGFUSE_PUBLIC_KEY", "pk-lf-1"),
        ("LANGFUSE_SECRET_KEY", "sk-lf-1"),
    ];
    let announcing = |variables: &[(&str, &str)]| {
        let settings = read(folder.path(), variables).unwrap();
        assert_eq!(settings.destinations.len(), 2);
        format!("{:?}", settings.destinations).matches("live: Some").count()
    };
    assert_eq!(announcing(&both), 1);
    let apart = [&both[1..], &[COLLECTOR]].concat();
    assert_eq!(announcing(&apart), 2);
    let off = [&both[..], &[("GLASSBOX_SERVER", "off")]].concat();
    assert_eq!(announcing(&off), 0);
}

#[test]
fn what_names_no_server_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (value, expected) in [
        (
            "box:4318",
            r#"GLASSBOX_SERVER is "box:4318"; write an address such as http://localhost:4318, or off"#,
        ),
        (
            "ftp://box",
            "GLASSBOX_SERVER is not an http or https URL; write it as http://localhost:4318",
        ),
    ] {
        let error = read(folder.path(), &[("GLASSBOX_SERVER", value)]).unwrap_err();
        assert_eq!(error, expected);
    }
}

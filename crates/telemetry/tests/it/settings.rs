//! The environment's variables, one row a case. Nothing here touches the real environment.

use glassbox_telemetry::config::Settings;
use glassbox_telemetry::spool::SpoolConfig;
use glassbox_trace::otlp::Content;

const KEYS: [(&str, &str); 2] =
    [("LANGFUSE_PUBLIC_KEY", "pk-lf-1"), ("LANGFUSE_SECRET_KEY", "sk-lf-2")];
const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let lookup =
        |name: &str| Some(variables.iter().rev().find(|(other, _)| *other == name)?.1.to_owned());
    Settings::from_lookup(lookup).map_err(|error| error.to_string())
}

fn read(variables: &[(&str, &str)]) -> Settings {
    settings(variables).unwrap_or_else(|error| panic!("{variables:?}: {error}"))
}

fn with_keys(variable: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    KEYS.into_iter().chain([(variable, value)]).collect()
}

fn names(variables: &[(&str, &str)]) -> Vec<String> {
    read(variables)
        .destinations
        .iter()
        .map(|destination| destination.info().name.to_string())
        .collect()
}

#[test]
fn destinations_follow_from_what_is_set() {
    let both = [KEYS[0], KEYS[1], ENDPOINT];
    assert_eq!(names(&[]), Vec::<String>::new());
    assert_eq!(names(&KEYS), ["langfuse"]);
    assert_eq!(names(&[ENDPOINT]), ["otlp"]);
    assert_eq!(names(&both), ["langfuse", "otlp"]);
    assert_eq!(
        names(&[("LANGFUSE_PUBLIC_KEY", ""), ("LANGFUSE_SECRET_KEY", " ")]),
        Vec::<String>::new()
    );
    for (variable, value) in
        [("GLASSBOX_DISABLED", "true"), ("GLASSBOX_DISABLED", "1"), ("OTEL_SDK_DISABLED", "TRUE")]
    {
        let settings = read(&[KEYS[0], KEYS[1], ENDPOINT, (variable, value)]);
        assert_eq!((settings.disabled_by, settings.destinations.len()), (Some(variable), 0));
    }
    assert_eq!(
        names(&[ENDPOINT, ("GLASSBOX_DISABLED", "false"), ("OTEL_SDK_DISABLED", "false")]),
        ["otlp"]
    );
    // Off is off, even if the rest makes no sense.
    assert!(settings(&[KEYS[0], ("GLASSBOX_DISABLED", "true")]).is_ok());
}

/// What a destination has become of the variables, as `Debug` shows it.
#[track_caller]
fn check(variables: &[(&str, &str)], expected: &str) {
    let settings = read(variables);
    let shown = format!("{:?}", settings.destinations[0]);
    assert!(shown.contains(expected), "{expected} not in {shown}");
    assert_eq!(settings.warnings, [""; 0]);
}

#[test]
fn langfuse_is_configured() {
    let base = |url: &str| format!("base_url: Some({url:?})");
    check(&KEYS, &base("https://cloud.langfuse.com"));
    check(&with_keys("LANGFUSE_HOST", "http://localhost:3000/"), &base("http://localhost:3000"));
    let both = [
        KEYS[0],
        KEYS[1],
        ("LANGFUSE_HOST", "http://a"),
        ("LANGFUSE_BASE_URL", "https://b.example"),
    ];
    check(&both, &base("https://b.example"));
    check(&with_keys("LANGFUSE_FLUSH_AT", "15"), "batch_spans: 15");
    check(&with_keys("LANGFUSE_FLUSH_INTERVAL", "0.5"), "batch_age: 500ms");
    check(&with_keys("LANGFUSE_FLUSH_INTERVAL", "0"), "batch_age: 0ns");
    check(&with_keys("LANGFUSE_TIMEOUT", "3"), "request_timeout: 3s");
    check(
        &with_keys("LANGFUSE_SAMPLE_RATE", "0.5"),
        "sampling: Sampling { bound: 9223372036854775808, follows_parent: false, keeps_errors: false }",
    );
    check(&with_keys("OTEL_TRACES_SAMPLER", "always_off"), "sampling: Sampling { bound: 0,");
    let own =
        [KEYS[0], KEYS[1], ("OTEL_TRACES_SAMPLER", "always_off"), ("LANGFUSE_SAMPLE_RATE", "1")];
    check(&own, "sampling: Sampling { bound: 18446744073709551616,");
    let parent = [
        KEYS[0],
        KEYS[1],
        ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
        ("LANGFUSE_SAMPLE_RATE", "0.5"),
    ];
    check(&parent, "bound: 9223372036854775808, follows_parent: true");
    check(&with_keys("GLASSBOX_KEEP_ERRORS", "true"), "keeps_errors: true");
    check(&KEYS, "uploads_media: false");
    check(&with_keys("GLASSBOX_LANGFUSE_MEDIA", "true"), "uploads_media: true");
    check(&with_keys("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20"), "batch_spans: 20");

    let settings = read(&[("LANGFUSE_TRACING_ENVIRONMENT", "staging"), ("LANGFUSE_RELEASE", "v7")]);
    assert_eq!(settings.resource.environment.as_deref(), Some("staging"));
    assert_eq!(settings.resource.release.as_deref(), Some("v7"));
}

#[test]
fn otlp_is_configured() {
    let url = |path: &str| format!("port: Some(4318), path: {path:?}");
    check(&[ENDPOINT], &url("/v1/traces"));
    check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318/base/")], &url("/base/v1/traces"));
    check(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h:4318/as/it/is")], &url("/as/it/is"));
    check(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h:4318")], &url("/"));
    check(&[ENDPOINT], "protocol: HttpProtobuf, gzip: false");
    const ELSEWHERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.example.com");
    check(&[ELSEWHERE], "protocol: HttpProtobuf, gzip: true");
    check(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")], "gzip: true");
    check(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")], "protocol: HttpJson");
    let traces_first = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
    check(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), traces_first],
        "protocol: HttpProtobuf",
    );
    check(&[ELSEWHERE, ("OTEL_EXPORTER_OTLP_COMPRESSION", "none")], "gzip: false");
    check(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500")], "request_timeout: 1.5s");
    check(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250")], "request_timeout: 250ms");
    check(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a%20b, x-b = c=")],
        r#"{"x-api-key": Sensitive, "x-b": Sensitive}"#,
    );
    check(&[ENDPOINT, ("OTEL_BSP_MAX_QUEUE_SIZE", "100")], "queue_spans: 100");
    check(&[ENDPOINT, ("OTEL_BSP_MAX_QUEUE_SIZE", "100")], "batch_spans: 100");
    check(&[ENDPOINT, ("OTEL_BSP_SCHEDULE_DELAY", "5000")], "batch_age: 5s");
    let sampler =
        |name, ratio| [ENDPOINT, ("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", ratio)];
    check(&sampler("traceidratio", "0.5"), "bound: 9223372036854775808, follows_parent: false");
    check(
        &sampler("parentbased_traceidratio", "0.5"),
        "bound: 9223372036854775808, follows_parent: true",
    );
    check(&sampler("parentbased_always_on", "0.5"), "bound: 18446744073709551616");
    check(&sampler("parentbased_always_off", "0.5"), "bound: 0");
}

#[test]
fn the_resource_is_read() {
    let attributes =
        "service.name=a%20shop,service.version=2, deployment.environment = test ,team=%C3%A9";
    let resource = read(&[("OTEL_RESOURCE_ATTRIBUTES", attributes)]).resource;
    assert_eq!(&*resource.service_name, "a shop");
    assert_eq!(resource.service_version.as_deref(), Some("2"));
    assert_eq!(resource.environment.as_deref(), Some("test"));
    assert_eq!(resource.attributes, [("team".into(), "é".into())]);

    let named = [("OTEL_RESOURCE_ATTRIBUTES", attributes), ("OTEL_SERVICE_NAME", "mine")];
    assert_eq!(&*read(&named).resource.service_name, "mine");
    let newer = "deployment.environment=old,deployment.environment.name=new";
    assert_eq!(
        read(&[("OTEL_RESOURCE_ATTRIBUTES", newer)]).resource.environment.as_deref(),
        Some("new")
    );
}

#[test]
fn content_is_captured_unless_told_otherwise() {
    const OWN: &str = "GLASSBOX_CAPTURE_CONTENT";
    const SHARED: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
    let rows: [(&[(&str, &str)], bool); 6] = [
        (&[], true),
        (&[(OWN, "false")], false),
        (&[(SHARED, "NO_CONTENT")], false),
        (&[(SHARED, "false")], false),
        (&[(SHARED, "SPAN_ONLY")], true),
        (&[(OWN, "true"), (SHARED, "NO_CONTENT")], true),
    ];
    for (variables, captured) in rows {
        assert_eq!(read(variables).content, captured.into(), "{variables:?}");
    }
    assert_eq!(read(&[(OWN, "length")]).content, Content::Lengths);
}

#[test]
fn secrets_are_masked_unless_told_otherwise() {
    const TEXT: &str = "ada@example.com 4111111111111111 password=abc ORD-17";
    let check = |variables: &[(&str, &str)], expected: &str| {
        assert_eq!(read(variables).masking.redact(TEXT), expected, "{variables:?}");
    };
    const SECRETS: &str = "ada@example.com 4111111111111111 password=[redacted:secret] ORD-17";
    const ALL: &str = "[redacted:email] [redacted:card] password=[redacted:secret] ORD-17";
    check(&[], SECRETS);
    check(&[("GLASSBOX_MASK", "secrets")], SECRETS);
    check(&[("GLASSBOX_MASK", "secrets, email,card")], ALL);
    check(&[("GLASSBOX_MASK", "Email,card")], ALL);
    check(&[("GLASSBOX_MASK", "none")], TEXT);
    let pattern = ("GLASSBOX_MASK_PATTERN", r"ORD-\d+");
    check(&[pattern], &SECRETS.replace("ORD-17", "[redacted:pattern]"));
    check(&[("GLASSBOX_MASK", "none"), pattern], &TEXT.replace("ORD-17", "[redacted:pattern]"));
}

#[test]
fn errors_say_what_to_type() {
    let check = |variables: &[(&str, &str)], expected: &str| {
        let error = settings(variables).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{expected:?} not in {error:?}");
        assert!(!error.contains("lf-1") && !error.contains("lf-2"), "{error}");
    };
    check(
        &KEYS[..1],
        "LANGFUSE_PUBLIC_KEY is set and LANGFUSE_SECRET_KEY is not; set both, or neither",
    );
    check(
        &KEYS[1..],
        "LANGFUSE_SECRET_KEY is set and LANGFUSE_PUBLIC_KEY is not; set both, or neither",
    );
    let swapped = [("LANGFUSE_PUBLIC_KEY", "sk-lf-2"), ("LANGFUSE_SECRET_KEY", "pk-lf-1")];
    check(&swapped, "LANGFUSE_PUBLIC_KEY holds a secret key; the public key begins with pk-lf-");
    let twice = [("LANGFUSE_PUBLIC_KEY", "pk-lf-1"), ("LANGFUSE_SECRET_KEY", "pk-lf-1")];
    check(&twice, "LANGFUSE_SECRET_KEY holds a public key;");
    check(
        &with_keys("LANGFUSE_BASE_URL", "cloud.langfuse.com"),
        "LANGFUSE_BASE_URL is not a URL; write it as https://",
    );
    check(
        &with_keys("LANGFUSE_BASE_URL", "ftp://a"),
        "LANGFUSE_BASE_URL is not an http or https URL",
    );
    check(
        &with_keys("LANGFUSE_SAMPLE_RATE", "20%"),
        r#"LANGFUSE_SAMPLE_RATE is "20%"; write a number from 0 to 1"#,
    );
    check(&with_keys("LANGFUSE_SAMPLE_RATE", "1.5"), "write a number from 0 to 1");
    check(&with_keys("LANGFUSE_FLUSH_AT", "0"), "write a whole number from 1 on");
    check(&with_keys("LANGFUSE_FLUSH_INTERVAL", "-1"), "write a number of seconds");
    check(&with_keys("LANGFUSE_TIMEOUT", "0"), "write a number of seconds above 0");
    check(&with_keys("LANGFUSE_TIMEOUT", "10s"), r#"LANGFUSE_TIMEOUT is "10s""#);
    check(
        &with_keys("LANGFUSE_TRACING_ENVIRONMENT", "Prod EU"),
        "write at most 40 lowercase letters",
    );
    check(&with_keys("LANGFUSE_TRACING_ENVIRONMENT", "langfuse-a"), "do not begin with langfuse");
    check(
        &[("GLASSBOX_DISABLED", "maybe")],
        r#"GLASSBOX_DISABLED is "maybe"; write true or false"#,
    );
    check(&[("GLASSBOX_CAPTURE_CONTENT", "NO_CONTENT")], "write true, false or length");
    check(
        &[("GLASSBOX_MASK", "secrets,phone")],
        "write none, or some of secrets, email and card, separated by commas",
    );
    check(&[("GLASSBOX_MASK", "none,email")], "write none, or some of");
    check(
        &[("GLASSBOX_MASK_PATTERN", "(a")],
        "GLASSBOX_MASK_PATTERN is no regular expression: unclosed group; write one in the syntax",
    );
    check(
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")],
        "is not an http or https URL; write it as http://localhost:4318",
    );
    check(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        "gRPC is not spoken here; write http/protobuf",
    );
    check(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http")], "write http/protobuf or http/json");
    check(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", "lf-2")],
        "OTEL_EXPORTER_OTLP_HEADERS: header \"(not shown)\" is not a pair",
    );
    check(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", "a b=lf-2")],
        r#"header "a b" is not a header's name"#,
    );
}

#[test]
fn warnings_say_what_counts_instead() {
    let check = |variables: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(read(variables).warnings, expected)
    };
    check(
        &[ENDPOINT, ("OTEL_BSP_MAX_QUEUE_SIZE", "many")],
        &[
            r#"OTEL_BSP_MAX_QUEUE_SIZE is "many"; it counts as 262144; write a whole number from 1 on"#,
        ],
    );
    check(
        &[ENDPOINT, ("OTEL_BSP_SCHEDULE_DELAY", "1s")],
        &[
            r#"OTEL_BSP_SCHEDULE_DELAY is "1s"; it counts as 1000; write a whole number of milliseconds from 1 on"#,
        ],
    );
    check(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_TIMEOUT", "0")],
        &[
            r#"OTEL_EXPORTER_OTLP_TIMEOUT is "0"; it counts as 10000; write a whole number of milliseconds from 1 on"#,
        ],
    );
    check(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")],
        &[r#"OTEL_EXPORTER_OTLP_COMPRESSION is "zstd"; it counts as not set; write gzip or none"#],
    );
    check(
        &[ENDPOINT, ("OTEL_TRACES_SAMPLER", "xray")],
        &[
            r#"OTEL_TRACES_SAMPLER is "xray"; it counts as always_on; write always_on, always_off or traceidratio, or one of them after parentbased_"#,
        ],
    );
    let ratio =
        [ENDPOINT, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "half")];
    check(
        &ratio,
        &[r#"OTEL_TRACES_SAMPLER_ARG is "half"; it counts as 1; write a number from 0 to 1"#],
    );
    check(
        &[("OTEL_SDK_DISABLED", "yes")],
        &[r#"OTEL_SDK_DISABLED is "yes"; it counts as false; write true or false"#],
    );
    check(
        &[("OTEL_RESOURCE_ATTRIBUTES", "a=b,c")],
        &[
            "OTEL_RESOURCE_ATTRIBUTES is not a list such as key=value,key=value, and is ignored as a whole",
        ],
    );
    let batch =
        [ENDPOINT, ("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20")];
    check(
        &batch,
        &[
            r#"OTEL_BSP_MAX_EXPORT_BATCH_SIZE is "20"; it counts as OTEL_BSP_MAX_QUEUE_SIZE, which it must not exceed"#,
        ],
    );
}

#[test]
fn spans_wait_on_disk_unless_it_is_off() {
    let folder = |variables: &[(&str, &str)]| {
        let spool = read(variables).spool;
        spool.map(|spool| spool.folder().to_str().unwrap().to_owned())
    };
    let home = ("HOME", "/home/me");
    let state = ("XDG_STATE_HOME", "/state");
    assert_eq!(folder(&[home]).unwrap(), "/home/me/.local/state/glassbox/spool");
    assert_eq!(folder(&[home, state]).unwrap(), "/state/glassbox/spool");
    assert_eq!(folder(&[home, ("XDG_STATE_HOME", "here")]).unwrap(), folder(&[home]).unwrap());
    assert_eq!(folder(&[home, ("GLASSBOX_SPOOL_DIR", "/var/spool/me")]).unwrap(), "/var/spool/me");
    for off in ["off", "OFF", "false", "0"] {
        assert_eq!(folder(&[home, ("GLASSBOX_SPOOL_DIR", off)]), None);
    }
    assert_eq!(folder(&[]), None, "a user without a home");
    assert_eq!(folder(&[home, ("OTEL_SDK_DISABLED", "true")]), None);
    let large = read(&[home, ("GLASSBOX_SPOOL_MIB", "2048")]).spool.unwrap();
    assert_eq!(large, SpoolConfig::new("/home/me/.local/state/glassbox/spool").max_bytes(2 << 30));

    let error = |variable, value| settings(&[home, (variable, value)]).unwrap_err();
    assert_eq!(
        error("GLASSBOX_SPOOL_DIR", "on"),
        r#"GLASSBOX_SPOOL_DIR is "on"; write the path of a folder, or off; unset, it is on"#
    );
    assert_eq!(
        error("GLASSBOX_SPOOL_MIB", "0"),
        r#"GLASSBOX_SPOOL_MIB is "0"; write a whole number from 1 on"#
    );
}

//! Requests that are meant to harm, and the answer to each: the table that `docs/api.md` shows.

use crate::stage::{Stage, request_of, span, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const ATTACK: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>";

#[tokio::test]
async fn each_has_its_answer() {
    let stage = Stage::with(|options| {
        options.limits.body_bytes = 40 << 20;
        options.limits.read_timeout = Duration::from_millis(300);
    })
    .await;
    let mut table = Table { stage: &stage, rows: Vec::new() };
    let post = |path: &str, kind: &str, body: Vec<u8>| {
        stage.client.post(stage.url(path)).header("content-type", kind).body(body)
    };

    let bomb = gzip(&vec![0; 200 << 20]);
    table
        .row(
            "gzip bomb: 200 MB in 200 kB",
            post("/v1/traces", PROTOBUF, bomb.clone()).header("content-encoding", "gzip"),
        )
        .await;
    table
        .row(
            "gzip bomb for Langfuse's batches",
            post("/api/public/ingestion", JSON, bomb.clone()).header("content-encoding", "gzip"),
        )
        .await;
    table
        .row(
            "gzip bomb of announcements",
            post("/api/v1/live", JSON, bomb).header("content-encoding", "gzip"),
        )
        .await;
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes();
    table.row("10,000-deep JSON", post("/v1/traces", JSON, deep.clone())).await;
    table
        .row("10,000-deep JSON in a batch", post("/api/public/ingestion", JSON, deep.clone()))
        .await;
    table
        .row(
            "10,000-deep JSON as a score",
            post("/api/v1/scores", JSON, deep).bearer_auth(&stage.running.token),
        )
        .await;
    let bytes = deep_request();
    table.row("10,000-deep protobuf", post("/v1/traces", PROTOBUF, bytes)).await;
    let many = Span {
        attributes: (0..1_000_000).map(|n| text(&n.to_string(), "")).collect(),
        ..span(1, 2, 0, "many", 0, 1)
    };
    table
        .row(
            "1,000,000 attributes",
            post("/v1/traces", PROTOBUF, request_of(vec![many]).encode_to_vec()),
        )
        .await;
    let nul = span(1, 3, 0, "nul\0nul", 0, 1);
    table
        .row("NUL in a name", post("/v1/traces", PROTOBUF, request_of(vec![nul]).encode_to_vec()))
        .await;
    let mut bytes = request_of(vec![span(1, 4, 0, "name", 0, 1)]).encode_to_vec();
    let last = bytes.windows(4).rposition(|window| window == b"name").unwrap();
    bytes[last] = 0xff;
    table.row("invalid UTF-8 in a name", post("/v1/traces", PROTOBUF, bytes)).await;
    table
        .row(
            "invalid UTF-8 in JSON",
            post("/v1/traces", JSON, b"{\"resourceSpans\":\"\xff\"}".to_vec()),
        )
        .await;
    let script = Span {
        attributes: vec![text(ATTACK, ATTACK), text("session.id", ATTACK)],
        ..span(1, 5, 0, ATTACK, 0, 1)
    };
    table
        .row(
            "a script in every field",
            post("/v1/traces", PROTOBUF, request_of(vec![script]).encode_to_vec()),
        )
        .await;
    table
        .row(
            "a length that lies",
            post("/v1/traces", PROTOBUF, vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        )
        .await;

    let look = |path: &str| stage.client.get(stage.url(path)).bearer_auth(&stage.running.token);
    table.row("wrong Host", look("/api/v1/traces").header("host", "evil.example")).await;
    table
        .row(
            "DNS rebinding: the page of another name",
            look("/").header("host", "rebound.evil.example:4318"),
        )
        .await;
    table
        .row(
            "DNS rebinding: sending",
            post("/v1/traces", JSON, b"{}".to_vec()).header("host", "127.0.0.1.evil.example"),
        )
        .await;
    table
        .row("another Origin", look("/api/v1/traces").header("origin", "http://evil.example"))
        .await;
    table
        .row(
            "a form of another page",
            post("/v1/traces", "text/plain", b"{}".to_vec()).header("origin", "null"),
        )
        .await;
    table.row("no token", stage.client.get(stage.url("/api/v1/health"))).await;
    table.row("SQL in a filter", look("/api/v1/traces?q=name:%22x'%20OR%201=1;--%22")).await;
    table.row("FTS syntax in words", look("/api/v1/traces?q=%22%5C%22%20NEAR(a%20b)%20*%22")).await;
    table
        .row(
            "a filter of 10,000 characters",
            look(&format!("/api/v1/traces?q={}", "a".repeat(10_000))),
        )
        .await;
    table.row("a cursor of one's own", look("/api/v1/traces?cursor=9e99.1")).await;
    table.row("a path out of the page's files", look("/assets/..%2f..%2fCargo.toml")).await;
    table.raw("slow loris: a body that stops", "POST /v1/traces HTTP/1.1\r\nhost: HOST\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{").await;
    table.raw("two lengths", "POST /v1/traces HTTP/1.1\r\nhost: HOST\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}").await;
    table
        .raw(
            "a head of 1 MB",
            &format!("GET / HTTP/1.1\r\nhost: HOST\r\nx: {}\r\n\r\n", "a".repeat(1 << 20)),
        )
        .await;
    table.raw("no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n").await;
    insta::assert_snapshot!(table.rows.join("\n"), @r"
    gzip bomb: 200 MB in 200 kB: 413 refused
    gzip bomb for Langfuse's batches: 413 too_large
    gzip bomb of announcements: 413 too_large
    10,000-deep JSON: 400 bad_request
    10,000-deep JSON in a batch: 400 bad_request
    10,000-deep JSON as a score: 400 bad_request
    10,000-deep protobuf: 200 taken
    1,000,000 attributes: 200 the span is rejected
    NUL in a name: 200 taken
    invalid UTF-8 in a name: 200 taken
    invalid UTF-8 in JSON: 400 bad_request
    a script in every field: 200 taken
    a length that lies: 400 refused
    wrong Host: 403 forbidden
    DNS rebinding: the page of another name: 403 forbidden
    DNS rebinding: sending: 403 forbidden
    another Origin: 403 forbidden
    a form of another page: 403 forbidden
    no token: 401 unauthorized
    SQL in a filter: 200 taken
    FTS syntax in words: 200 taken
    a filter of 10,000 characters: 400 bad_filter
    a cursor of one's own: 400 bad_cursor
    a path out of the page's files: 404 not_found
    slow loris: a body that stops: 408
    two lengths: 400
    a head of 1 MB: 431
    no HTTP: 400
    ");

    // What was kept is text, told as JSON that no browser takes for a page.
    let response = look(&format!("/api/v1/traces/{}", "01".repeat(16))).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], JSON);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let view: Value = response.json().await.unwrap();
    let names: Vec<_> =
        view["spans"].as_array().unwrap().iter().map(|span| span["name"].clone()).collect();
    assert!(names.contains(&json!(ATTACK)) && names.contains(&json!("nul\0nul")), "{names:?}");
}

struct Table<'s> {
    stage: &'s Stage,
    rows: Vec<String>,
}

impl Table<'_> {
    async fn row(&mut self, what: &str, request: reqwest::RequestBuilder) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        let said = String::from_utf8_lossy(&body);
        let error: Value = serde_json::from_slice(&body).unwrap_or_default();
        let code = error["error"]["code"].as_str().or(error["error"].as_str());
        let otherwise = match status {
            200 if said.contains("more than") => "the span is rejected",
            200 => "taken",
            _ => "refused",
        };
        let answer = code.unwrap_or(otherwise);
        self.rows.push(format!("{what}: {status} {answer}"));
    }

    /// Sends bytes as they are, and waits for the answer's first line.
    async fn raw(&mut self, what: &str, request: &str) {
        let address = self.stage.running.otlp.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may hang up before it has read all.
        let _ = stream.write_all(request.replace("HOST", address).as_bytes()).await;
        let mut answer = Vec::new();
        let mut part = [0; 512];
        let reading = async {
            while !answer.contains(&b'\n') {
                match stream.read(&mut part).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => answer.extend_from_slice(&part[..read]),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap();
        let line = String::from_utf8_lossy(&answer);
        let status = line.split(' ').nth(1).unwrap_or("hung up").to_owned();
        self.rows.push(format!("{what}: {status}"));
    }
}

/// A request with a span with an attribute of 10,000 lists in one another, which is written from the inside out.
fn deep_request() -> Vec<u8> {
    let field = |number: u32, inner: &[u8]| {
        let mut bytes = Vec::new();
        prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut bytes);
        prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
        bytes.extend_from_slice(inner);
        bytes
    };
    // A value is a list, field 5, of values, field 1.
    let value = (0..10_000).fold(Vec::new(), |inner, _| field(5, &field(1, &inner)));
    let attribute = [field(1, b"deep"), field(2, &value)].concat();
    let span = [field(1, &[1; 16]), field(2, &[1; 8]), field(5, b"deep"), field(9, &attribute)];
    field(1, &field(2, &field(2, &span.concat())))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

//! Requests that are wrong, too large or meant to harm, and the answer to each.

use crate::stage::{Stage, attribute, call, int, request_of, span, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use serde_json::json;
use std::io::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn each_has_its_status() {
    let stage = Stage::with(|options| {
        options.limits.body_bytes = 100_000;
        options.limits.plain_bytes = 1_000_000;
    })
    .await;
    let good = request_of(vec![span(1, 1, 0, "root", 0, 1)]).encode_to_vec();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: [(&str, &str, &str, Vec<u8>, u16); 11] = [
        ("good", "application/x-protobuf", "", good.clone(), 200),
        ("empty", "application/x-protobuf", "", Vec::new(), 200),
        ("gzip", "application/x-protobuf", "gzip", gzip(&good), 200),
        ("no gzip", "application/x-protobuf", "gzip", good.clone(), 400),
        ("unknown encoding", "application/x-protobuf", "br", good.clone(), 415),
        ("gzip bomb", "application/x-protobuf", "gzip", gzip(&vec![0; 50_000_000]), 413),
        ("too large", "application/x-protobuf", "", vec![0; 200_000], 413),
        ("no protobuf", "application/x-protobuf", "", b"\xff\xff\xff".to_vec(), 400),
        ("no JSON", "application/json", "", b"{".to_vec(), 400),
        ("deep JSON", "application/json", "", deep.into_bytes(), 400),
        ("unknown type", "text/plain", "", good, 415),
    ];
    for (what, content_type, encoding, body, status) in cases {
        let request =
            stage.client.post(stage.url("/v1/traces")).header("content-type", content_type);
        let response =
            request.header("content-encoding", encoding).body(body).send().await.unwrap();
        assert_eq!(response.status(), status, "{what}");
    }
    assert_eq!(stage.get("/api/v1/traces").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bad_span_is_rejected_alone() {
    let stage = Stage::with(|options| options.limits.spans = 3).await;
    let mut no_id = span(1, 2, 0, "no id", 0, 1);
    no_id.span_id = vec![0; 8];
    let mut many = span(1, 3, 0, "many", 0, 1);
    many.attributes = vec![int("k", 1); 5000];
    let mut spans = vec![span(1, 1, 0, "good", 0, 1), no_id, many];
    spans.extend((4..8).map(|id| span(1, id, 0, "more", 0, 1)));
    let answer = stage.send(spans).await.bytes().await.unwrap();
    let partial = ExportTraceServiceResponse::decode(answer).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 4);
    for part in
        ["more than 1024 attributes", "the span id is not 8 bytes", "2 times: more than 3 spans"]
    {
        assert!(partial.error_message.contains(part), "{part}: {}", partial.error_message);
    }
    assert_eq!(stage.get("/api/v1/traces").await["items"][0]["spans"], 3);
}

#[tokio::test]
async fn a_bad_span_in_json_is_rejected_alone() {
    let stage = Stage::new().await;
    let span = |trace_id: &str, span_id: &str, end: serde_json::Value| {
        serde_json::json!({
            "traceId": trace_id, "spanId": span_id, "name": "s", "startTimeUnixNano": "1767225600000000000",
            "endTimeUnixNano": end,
        })
    };
    let (good, id, end) = ("01".repeat(16), "01".repeat(8), "1767225601000000000");
    let spans = [
        span(&good, &id, end.into()),
        span("zz", &id, end.into()),
        span(&good, "02", "tomorrow".into()),
        span(&good, "", end.into()),
    ];
    let send = |body: serde_json::Value| {
        let request = stage.client.post(stage.url("/v1/traces"));
        request.header("content-type", "application/json").body(body.to_string()).send()
    };
    let resource = serde_json::json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let body = serde_json::json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
    let answer: serde_json::Value = send(body).await.unwrap().json().await.unwrap();
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], 3, "{answer}");
    let said = answer["partialSuccess"]["errorMessage"].as_str().unwrap();
    for part in ["invalid character 'z'", "the span id is not 8 bytes"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let trace = &stage.get("/api/v1/traces").await["items"][0];
    assert_eq!((&trace["spans"], &trace["service"]), (&1.into(), &"shop".into()));

    let all = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [span(&good, &id, end.into())]}]}]});
    assert_eq!(send(all).await.unwrap().text().await.unwrap(), "{}");
}

#[tokio::test]
async fn odd_spans_are_shown_for_what_they_are() {
    let stage = Stage::new().await;
    let mut backwards = span(1, 4, 1, "backwards", 10, 5);
    backwards.attributes = vec![
        text("nul", "a\0b"),
        text("script", "<script>alert(1)</script>"),
        attribute("nan", Any::DoubleValue(f64::NAN)),
        attribute("bytes", Any::BytesValue(vec![0xff])),
    ];
    let mut huge = call(1, 5, 1, 0, 10);
    huge.attributes.push(int("gen_ai.usage.output_tokens", i64::MAX));
    huge.end_time_unix_nano = u64::MAX;
    let spans = vec![
        span(1, 1, 0, "<script>", 0, 100),
        span(1, 2, 3, "circle", 0, 1),
        span(1, 3, 2, "circle", 0, 1),
        backwards,
        huge,
        span(1, 6, 6, "own parent", 0, 1),
        span(1, 7, 1, "early", 0, 200),
    ];
    assert_eq!(stage.send(spans).await.status(), 200);
    let view = stage.get(&format!("/api/v1/traces/{}", "01".repeat(16))).await;
    let odd = |id: &str| {
        let spans = view["spans"].as_array().unwrap();
        spans.iter().find(|span| span["span_id"] == id.repeat(8)).unwrap()["odd"].clone()
    };
    assert_eq!(odd("02"), json!(["cycle: it is below itself"]));
    assert_eq!(odd("03"), json!(["cycle: it is below itself"]));
    assert_eq!(odd("04"), json!(["clock skew: it ended 5000 us before it began"]));
    assert_eq!(odd("06"), json!(["cycle: it is its own parent"]));
    assert_eq!(odd("07"), json!(["it ended 100000 us after its parent"]));
    let detail =
        stage.get(&format!("/api/v1/traces/{}/spans/{}", "01".repeat(16), "04".repeat(8))).await;
    assert_eq!(
        detail["attributes"],
        json!({"nul": "a\0b", "script": "<script>alert(1)</script>", "nan": "NaN", "bytes": "/w=="})
    );
}

/// A head that comes byte by byte does not hold a connection for ever, and a body that stops ends with 408.
#[tokio::test]
async fn who_dawdles_is_told() {
    let stage =
        Stage::with(|options| options.limits.read_timeout = Duration::from_millis(300)).await;
    let address = stage.running.otlp.strip_prefix("http://").unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nx"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

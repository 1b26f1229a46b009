//! OTLP over gRPC, spoken by tonic's client.

use crate::stage::{Stage, request_of, span};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tonic::codec::CompressionEncoding;

#[tokio::test]
async fn spans_arrive_plain_and_compressed() {
    let stage = Stage::new().await;
    let client = TraceServiceClient::connect(stage.running.grpc.clone().unwrap()).await.unwrap();
    let answer =
        client.clone().export(request_of(vec![span(1, 1, 0, "plain", 0, 1)])).await.unwrap();
    assert_eq!(answer.into_inner().partial_success, None);
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    let mut bad = span(2, 1, 0, "bad", 0, 1);
    bad.trace_id = vec![0; 16];
    let answer = client.export(request_of(vec![span(1, 2, 1, "gzip", 0, 1), bad])).await.unwrap();
    assert_eq!(answer.into_inner().partial_success.unwrap().rejected_spans, 1);
    assert_eq!(stage.get("/api/v1/traces").await["items"][0]["spans"], 2);
    stage.running.stop().await;
}

#[tokio::test]
async fn errors_have_their_code() {
    let stage = Stage::with(|options| options.limits.body_bytes = 1000).await;
    let mut client =
        TraceServiceClient::connect(stage.running.grpc.clone().unwrap()).await.unwrap();
    let large = span(1, 1, 0, &"x".repeat(2000), 0, 1);
    let status = client.export(request_of(vec![large])).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert!(status.message().contains("more than 1000 bytes"), "{status}");
}

#[tokio::test]
async fn what_does_not_speak_grpc_is_told_where_to_go() {
    let stage = Stage::new().await;
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let url = format!("{}{path}", stage.running.grpc.clone().unwrap());
    let otlp = format!("{}/v1/traces", stage.running.grpc.clone().unwrap());
    let body = request_of(vec![span(1, 1, 0, "planted", 0, 1)]).encode_to_vec();
    let frame = [vec![0], (body.len() as u32).to_be_bytes().to_vec(), body.clone()].concat();
    for (url, body) in [(url, frame), (otlp, body)] {
        let request = stage.client.post(&url).header("content-type", "application/x-protobuf");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{url}");
        let said = answer.text().await.unwrap();
        assert!(said.contains(&format!("send OTLP over HTTP to {}", stage.running.otlp)), "{said}");
    }
    assert!(stage.get("/api/v1/traces").await["items"].as_array().unwrap().is_empty());
    stage.running.stop().await;
}

//! What goes over the wire: paths, headers and bodies.

use crate::receiver::{Received, Receiver};
use crate::spans::{end, observe, quick, root};
use glassbox_events::bus::Bus;
use glassbox_telemetry::destination::{
    Compression, Destination, LangfuseConfig, OtlpConfig, Protocol,
};
use glassbox_telemetry::observe::Observe;
use glassbox_trace::span::Span;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match &attribute.value {
        Some(AnyValue { value: Some(Any::StringValue(text)) }) => Some(text.clone()),
        other => panic!("{key} is {other:?}"),
    }
}

fn send(receiver: &Receiver, destination: Destination, capture_content: bool) -> Received {
    let observing = Observe::new()
        .bus(&Bus::new())
        .destination(destination.limits(quick()))
        .service_name("coffee-shop")
        .environment("production")
        .capture_content(capture_content)
        .start()
        .unwrap();
    end(&observing, Span { input: Some("a latte".into()), ..root("CoffeeShopAgent.forward") });
    observing.flush_blocking(PATIENCE).unwrap();
    receiver.requests().remove(0)
}

fn langfuse(receiver: &Receiver) -> Destination {
    let config = LangfuseConfig {
        base_url: receiver.base.clone(),
        ..LangfuseConfig::new("pk-lf-1", "sk-lf-2")
    };
    Destination::langfuse(config).unwrap()
}

#[test]
fn langfuse_gets_what_it_wants() {
    let receiver = Receiver::ok();
    let request = send(&receiver, langfuse(&receiver), true);
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/api/public/otel/v1/traces")
    );
    let headers = [
        ("authorization", "Basic cGstbGYtMTpzay1sZi0y"),
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "gzip"),
        ("x-langfuse-ingestion-version", "4"),
        ("x-langfuse-sdk-name", "glassbox"),
        ("x-langfuse-sdk-version", env!("CARGO_PKG_VERSION")),
        ("user-agent", concat!("glassbox/", env!("CARGO_PKG_VERSION"))),
    ];
    for (name, value) in headers {
        assert_eq!(request.header(name), value, "{name}");
    }

    let [resource] = request.export.resource_spans.as_slice() else { panic!("one resource") };
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    assert_eq!(text(attributes, "service.name").as_deref(), Some("coffee-shop"));
    let [scope] = resource.scope_spans.as_slice() else { panic!("one scope") };
    let [span] = scope.spans.as_slice() else { panic!("one span") };
    assert_eq!(span.name, "CoffeeShopAgent.forward");
    assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
    assert_eq!(text(&span.attributes, "langfuse.observation.type").as_deref(), Some("span"));
    assert_eq!(text(&span.attributes, "langfuse.observation.input").as_deref(), Some("a latte"));
    assert_eq!(text(&span.attributes, "langfuse.environment").as_deref(), Some("production"));
}

#[test]
fn langfuse_is_told_with_its_address() {
    let receiver = Receiver::ok();
    let observing = observe(langfuse(&receiver));
    let [info] = observing.destinations() else { panic!("one destination") };
    assert_eq!(info.to_string(), format!("langfuse ({})", receiver.base));
    assert_eq!(info.base_url.as_deref(), Some(receiver.base.as_str()));
}

#[test]
fn others_get_protobuf_or_json_compressed_or_not() {
    let cases = [
        (Protocol::HttpProtobuf, Compression::Gzip, "application/x-protobuf", "gzip"),
        (Protocol::HttpProtobuf, Compression::None, "application/x-protobuf", ""),
        (Protocol::HttpJson, Compression::Gzip, "application/json", "gzip"),
        (Protocol::HttpJson, Compression::None, "application/json", ""),
    ];
    for (protocol, compression, kind, coding) in cases {
        let receiver = Receiver::ok();
        let headers = vec![("x-api-key".to_owned(), "secret".to_owned().into())];
        let config =
            OtlpConfig { headers, protocol, compression, ..OtlpConfig::new(receiver.traces_url()) };
        let request = send(&receiver, Destination::otlp(config).unwrap(), true);
        assert_eq!(request.path, "/v1/traces");
        assert_eq!(request.header("content-type"), kind);
        assert_eq!(request.header("content-encoding"), coding);
        assert_eq!(request.header("x-api-key"), "secret");
        assert_eq!(request.names(), ["CoffeeShopAgent.forward"]);
    }
}

#[test]
fn content_stays_at_home_if_asked() {
    let receiver = Receiver::ok();
    let request = send(&receiver, langfuse(&receiver), false);
    assert_eq!(request.names(), ["CoffeeShopAgent.forward"]);
    assert!(!format!("{:?}", request.export).contains("latte"));
}

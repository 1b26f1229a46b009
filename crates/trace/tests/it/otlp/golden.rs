//! What goes over the wire, whole. If a change is meant: `INSTA_UPDATE=always cargo nextest run -p glassbox-trace golden`,
//! and read the difference before you commit it.

use super::fixture;
use glassbox_trace::otlp::{self, DecodeLimits, Encoding, Profile, Resource};
use glassbox_trace::span::Span;
use serde_json::Value;

fn check(name: &str, spans: &[Span]) {
    let resource = Resource {
        service_version: Some("1.2.3".into()),
        attributes: vec![("host.name".into(), "counter-1".into())],
        ..Resource::new("coffee-shop")
    };
    for (profile, suffix) in
        [(Profile::Langfuse, "langfuse"), (Profile::OpenTelemetry, "open_telemetry")]
    {
        let request = otlp::encode(spans, &resource, &Encoding::new(profile));
        let mut json: Value = serde_json::from_slice(&request.to_json()).unwrap();
        json["resourceSpans"][0]["scopeSpans"][0]["scope"]["version"] = "[version]".into();
        let decoded = otlp::decode_json(&request.to_json(), &DecodeLimits::default()).unwrap();
        assert_eq!(decoded.spans, spans);
        assert_eq!(decoded.origins[0].resource, resource);
        insta::with_settings!({ snapshot_path => "../../golden", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_json_snapshot!(format!("{name}_{suffix}"), json);
        });
    }
}

#[test]
fn coffee_shop() {
    check("coffee_shop", &fixture::coffee_shop());
}

#[test]
fn trouble() {
    check("trouble", &fixture::trouble());
}

#[test]
fn kinds() {
    check("kinds", &fixture::kinds());
}

//! What is decoded equals what was encoded.

use super::arbitrary::{langfuse_normal, span};
use super::{PROFILES, attributes, fixture, json};
use glassbox_trace::otlp::{self, DecodeLimits, Decoded, Encoding, Profile, Resource};
use glassbox_trace::span::{Detail, Span};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::Arc;

/// Encodes and decodes, by both forms of the wire, which must agree.
fn round_trip(spans: &[Span], profile: Profile) -> Decoded {
    let request = otlp::encode(spans, &Resource::new("tests"), &Encoding::new(profile));
    let limits = DecodeLimits::default();
    let decoded = otlp::decode_protobuf(&request.to_protobuf(), &limits).unwrap();
    assert_eq!(decoded, otlp::decode_json(&request.to_json(), &limits).unwrap());
    assert_eq!(decoded.rejected, []);
    decoded
}

proptest! {
    #[test]
    fn spans_come_back_from_open_telemetry(spans in vec(span(), 1..3)) {
        prop_assert_eq!(round_trip(&spans, Profile::OpenTelemetry).spans, spans);
    }

    #[test]
    fn spans_come_back_from_langfuse(spans in vec(span(), 1..3)) {
        let normal: Vec<_> = spans.iter().map(langfuse_normal).collect();
        prop_assert_eq!(round_trip(&spans, Profile::Langfuse).spans, normal);
    }

    #[test]
    fn langfuses_buckets_sum_to_their_total(span in span()) {
        let attributes = attributes(&span, &Encoding::new(Profile::Langfuse));
        if attributes.contains_key("langfuse.observation.usage_details") {
            let details = json(&attributes, "langfuse.observation.usage_details");
            let buckets = details.as_object().unwrap();
            let sum: u64 = buckets.iter().filter(|(key, _)| *key != "total").map(|(_, count)| count.as_u64().unwrap()).sum();
            prop_assert_eq!(&buckets["total"], &Value::from(sum));
        }
    }
}

#[test]
fn spans_of_one_trace_share_its_attributes() {
    for profile in PROFILES {
        let spans = round_trip(&fixture::coffee_shop(), profile).spans;
        assert!(Arc::ptr_eq(&spans[0].trace, &spans[2].trace));
    }
}

#[test]
fn a_resource_comes_back() {
    let resource = Resource {
        service_version: Some("1.2.3".into()),
        environment: Some("staging".into()),
        release: Some("4f2c1d9".into()),
        attributes: vec![("host.name".into(), "counter-1".into())],
        ..Resource::new("coffee-shop")
    };
    let request =
        otlp::encode(&fixture::coffee_shop(), &resource, &Encoding::new(Profile::OpenTelemetry));
    let decoded = otlp::decode_protobuf(&request.to_protobuf(), &DecodeLimits::default()).unwrap();
    let origin = &decoded.origins[0];
    assert_eq!(origin.resource, Resource { release: None, ..resource });
    assert_eq!((origin.scope.as_ref(), origin.spans.clone()), ("glassbox", 0..3));
}

#[test]
fn a_resource_gives_what_the_trace_lacks() {
    let resource = Resource {
        environment: Some("staging".into()),
        release: Some("r1".into()),
        ..Resource::new("coffee-shop")
    };
    for profile in PROFILES {
        let request =
            otlp::encode(&[fixture::span(Detail::Span)], &resource, &Encoding::new(profile));
        let decoded =
            otlp::decode_protobuf(&request.to_protobuf(), &DecodeLimits::default()).unwrap();
        let trace = &decoded.spans[0].trace;
        assert_eq!(
            (trace.environment.as_deref(), trace.release.as_deref()),
            (Some("staging"), Some("r1"))
        );
    }
}

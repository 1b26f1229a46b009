//! One attribute of a span by its OpenTelemetry key, for those who think in keys and not in types.

use super::{Content, Encoding, Profile, Resource, encode};
use crate::span::{Detail, Span};
use crate::vocabulary::gen_ai;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

/// Returns an attribute of a span as the OpenTelemetry profile has it; see [`super::attribute`].
pub(super) fn attribute(span: &Span, key: &str) -> Option<Value> {
    match (key, &span.detail) {
        (gen_ai::USAGE_TOTAL_TOKENS, Detail::Generation(generation))
            if !generation.usage.is_unknown() =>
        {
            return Some(generation.usage.total().into());
        }
        (gen_ai::USAGE_COST, Detail::Generation(generation)) => {
            return Some(generation.cost.total()?.to_f64()?.into());
        }
        _ => (),
    }
    // Rendering content is what costs, so it is done only for a key that is not found without it.
    [Content::None, Content::Full].into_iter().find_map(|content| encoded(span, key, content))
}

fn encoded(span: &Span, key: &str, content: Content) -> Option<Value> {
    let encoding = Encoding { content, ..Encoding::new(Profile::OpenTelemetry) };
    let request =
        encode::request(std::slice::from_ref(span), &Resource::default(), &encoding, None);
    let request = ExportTraceServiceRequest::decode(request).ok()?;
    let resource_spans = request.resource_spans.into_iter().next()?;
    let scope_spans = resource_spans.scope_spans.into_iter().next()?;
    let span = scope_spans.spans.into_iter().next()?;
    let attribute = span.attributes.into_iter().find(|attribute| attribute.key == key)?;
    json(attribute.value?)
}

fn json(value: AnyValue) -> Option<Value> {
    Some(match value.value? {
        Any::StringValue(text) => text.into(),
        Any::BoolValue(flag) => flag.into(),
        Any::IntValue(count) => count.into(),
        Any::DoubleValue(number) => number.into(),
        Any::ArrayValue(array) => array.values.into_iter().filter_map(json).collect(),
        // The encoder writes no others.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SpanId, TraceId};
    use crate::span::{Generation, Status};
    use crate::time::Timestamp;
    use crate::usage::Usage;

    #[test]
    fn attributes_are_found_by_their_keys() {
        let usage = Usage { input: Some(10), output: Some(5), ..Usage::default() };
        let span = Span {
            trace_id: TraceId::from_bytes([1; 16]),
            span_id: SpanId::from_bytes([1; 8]),
            parent_id: None,
            name: "chat m".into(),
            start: Timestamp::from_unix_nanos(1),
            end: None,
            status: Status::Ok,
            trace: Default::default(),
            input: None,
            output: None,
            notes: Vec::new(),
            detail: Detail::Generation(Box::new(Generation {
                request_model: "m".into(),
                usage,
                ..Generation::default()
            })),
            attributes: Vec::new(),
        };
        let check = |key: &str, expected: Option<Value>| {
            assert_eq!(attribute(&span, key), expected, "{key}")
        };
        check("gen_ai.usage.total_tokens", Some(15.into()));
        check("gen_ai.usage.input_tokens", Some(10.into()));
        check("gen_ai.request.model", Some("m".into()));
        check("gen_ai.usage.cost", None);
        check("no.such.key", None);
    }
}

//! Encoded spans on their way: a request's body that can be kept, halved and shrunk without the spans it was made of.
//!
//! Once spans are encoded (and masked), everything else is done to the bytes: what goes to the disk is what would have
//! gone over the wire, and a span is rendered once, however often it is sent.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use glassbox_trace::otlp::cut_text;
use glassbox_trace::vocabulary::glassbox::PAYLOAD_LIMIT;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use std::io::{Read as _, Write as _};

/// Payloads are not cut to less than this: what a span then still has is not its payload.
const SMALLEST_PAYLOAD: usize = 1024;

/// A parcel says itself how large it is when it is unpacked; more than this is not believed.
const MAX_RAW: u64 = 1 << 30;

/// Encoded spans: the body of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) bytes: Bytes,
    /// The size before compression.
    pub(crate) raw: usize,
    /// How many spans there are.
    pub(crate) spans: u64,
    pub(crate) format: Format,
}

/// How the bytes are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Format {
    /// They are compressed.
    pub(crate) gzip: bool,
    /// They are JSON, and not protobuf.
    pub(crate) json: bool,
}

impl Parcel {
    /// Makes two parcels of half the spans each; `None` if there are fewer than two.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        let request = self.request()?;
        let spans = scopes(&request).map(|scope| scope.spans.len()).sum::<usize>();
        let mut left = spans / 2;
        if left == 0 {
            return None;
        }
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for resource in request.resource_spans {
            let ResourceSpans { resource, scope_spans, schema_url } = resource;
            let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
            for mut scope in scope_spans {
                let rest = scope.spans.split_off(left.min(scope.spans.len()));
                left -= scope.spans.len();
                seconds.push(ScopeSpans { spans: rest, ..bare(&scope) });
                firsts.push(scope);
            }
            for (half, mut scopes) in [(&mut first, firsts), (&mut second, seconds)] {
                scopes.retain(|scope| !scope.spans.is_empty());
                if !scopes.is_empty() {
                    let (resource, schema_url) = (resource.clone(), schema_url.clone());
                    half.push(ResourceSpans { resource, scope_spans: scopes, schema_url });
                }
            }
        }
        Some((self.repacked(first), self.repacked(second)))
    }

    /// Cuts the longest texts to a quarter, and marks the spans with the length that was left; `None` if nothing long is
    /// left.
    pub(crate) fn shrunk(&self) -> Option<Self> {
        let mut request = self.request()?;
        let longest = scopes(&request).flat_map(|scope| &scope.spans).map(longest_text).max()?;
        if longest <= SMALLEST_PAYLOAD {
            return None;
        }
        let limit = (longest / 4).max(SMALLEST_PAYLOAD);
        let resources = request.resource_spans.iter_mut();
        let scopes = resources.flat_map(|resource| &mut resource.scope_spans);
        for span in scopes.flat_map(|scope| &mut scope.spans) {
            cut(span, limit);
        }
        Some(self.repacked(request.resource_spans))
    }

    fn request(&self) -> Option<ExportTraceServiceRequest> {
        if !self.format.gzip {
            return decode(&self.bytes, self.format);
        }
        let mut raw = Vec::new();
        GzDecoder::new(&*self.bytes).take(MAX_RAW).read_to_end(&mut raw).ok()?;
        decode(&raw, self.format)
    }

    fn repacked(&self, resource_spans: Vec<ResourceSpans>) -> Self {
        let request = ExportTraceServiceRequest { resource_spans };
        let raw = if self.format.json {
            // Serializing to memory fails only for maps with keys that are not strings, and OTLP has none.
            serde_json::to_vec(&request).unwrap_or_default()
        } else {
            request.encode_to_vec()
        };
        Self {
            raw: raw.len(),
            spans: scopes(&request).map(|scope| scope.spans.len() as u64).sum(),
            format: self.format,
            bytes: if self.format.gzip { gzip(&raw) } else { raw }.into(),
        }
    }
}

fn decode(raw: &[u8], format: Format) -> Option<ExportTraceServiceRequest> {
    if format.json {
        serde_json::from_slice(raw).ok()
    } else {
        ExportTraceServiceRequest::decode(raw).ok()
    }
}

fn gzip(raw: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(raw.len() / 3), Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(raw);
    encoder.finish().unwrap_or_default()
}

fn scopes(request: &ExportTraceServiceRequest) -> impl Iterator<Item = &ScopeSpans> {
    request.resource_spans.iter().flat_map(|resource| &resource.scope_spans)
}

/// A scope without its spans.
fn bare(scope: &ScopeSpans) -> ScopeSpans {
    ScopeSpans {
        scope: scope.scope.clone(),
        spans: Vec::new(),
        schema_url: scope.schema_url.clone(),
    }
}

fn longest_text(span: &Span) -> usize {
    let attributes = span.attributes.iter().chain(span.events.iter().flat_map(|it| &it.attributes));
    let texts =
        attributes.filter_map(|attribute| match attribute.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.len()),
            _ => None,
        });
    let message = span.status.as_ref().map_or(0, |status| status.message.len());
    texts.max().unwrap_or(0).max(message)
}

fn cut(span: &mut Span, limit: usize) {
    let on_events = span.events.iter_mut().flat_map(|event| &mut event.attributes);
    for attribute in span.attributes.iter_mut().chain(on_events) {
        let value = attribute.value.as_mut().and_then(|value| value.value.as_mut());
        if let Some(Value::StringValue(text)) = value {
            *text = cut_text(std::mem::take(text), limit);
        }
    }
    if let Some(status) = &mut span.status {
        status.message = cut_text(std::mem::take(&mut status.message), limit);
    }
    let mark = Value::IntValue(i64::try_from(limit).unwrap_or(i64::MAX));
    span.attributes.retain(|attribute| attribute.key != PAYLOAD_LIMIT);
    span.attributes.push(KeyValue {
        key: PAYLOAD_LIMIT.to_owned(),
        value: Some(AnyValue { value: Some(mark) }),
        ..KeyValue::default()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [Format; 4] = [
        Format { gzip: false, json: false },
        Format { gzip: true, json: false },
        Format { gzip: false, json: true },
        Format { gzip: true, json: true },
    ];

    fn parcel(format: Format, names: &[&str], text: &str) -> Parcel {
        let span = |name: &&str| Span {
            name: (*name).to_owned(),
            attributes: vec![KeyValue {
                key: "input".to_owned(),
                value: Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) }),
                ..KeyValue::default()
            }],
            ..Span::default()
        };
        let scope = ScopeSpans { spans: names.iter().map(span).collect(), ..Default::default() };
        let empty = Parcel { bytes: Bytes::new(), raw: 0, spans: 0, format };
        empty.repacked(vec![ResourceSpans { scope_spans: vec![scope], ..Default::default() }])
    }

    fn names(parcel: &Parcel) -> Vec<String> {
        let request = parcel.request().unwrap();
        scopes(&request).flat_map(|scope| &scope.spans).map(|span| span.name.clone()).collect()
    }

    #[test]
    fn halves_are_the_whole() {
        for format in FORMATS {
            let whole = parcel(format, &["a", "b", "c"], "x");
            assert_eq!(whole.spans, 3);
            let (first, second) = whole.halves().unwrap();
            assert_eq!((first.spans, second.spans), (1, 2));
            assert_eq!(
                (names(&first), names(&second)),
                (vec!["a".into()], vec!["b".into(), "c".into()])
            );
            assert_eq!(first.halves(), None);
        }
    }

    #[test]
    fn a_span_shrinks_until_nothing_long_is_left() {
        for format in FORMATS {
            let text = serde_json::json!({ "long": "x".repeat(100_000) }).to_string();
            let mut parcel = parcel(format, &["a"], &text);
            let mut limits = Vec::new();
            while let Some(shrunk) = parcel.shrunk() {
                parcel = shrunk;
                let request = parcel.request().unwrap();
                let span = &scopes(&request).next().unwrap().spans[0];
                let value = |at: usize| span.attributes[at].value.clone().unwrap().value.unwrap();
                let (Value::StringValue(text), Value::IntValue(limit)) = (value(0), value(1))
                else {
                    panic!("{span:?}");
                };
                assert_eq!(span.attributes.len(), 2, "it is marked once");
                assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
                assert!(text.len() <= usize::try_from(limit).unwrap());
                limits.push(limit);
            }
            assert_eq!(limits.len(), 4, "{limits:?}");
            assert_eq!(limits.last(), Some(&1024), "{limits:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_left_alone() {
        let bytes = Bytes::from_static(b"\xff\xff\xff");
        for format in FORMATS {
            let parcel = Parcel { bytes: bytes.clone(), raw: 3, spans: 7, format };
            assert_eq!((parcel.halves(), parcel.shrunk()), (None, None));
        }
    }
}

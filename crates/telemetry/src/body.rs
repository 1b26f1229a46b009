//! The body of a request: OTLP, masked, encoded and compressed. This is the one place where spans are serialized.

use crate::destination::{HttpTarget, Protocol};
use crate::mask::Masking;
use crate::media::Upload;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use glassbox_trace::otlp::{self, Content, Encoding, Filter, Media, Profile, Resource};
use glassbox_trace::span::Span;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use prost::Message as _;
use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// As many bytes of media go with one request: they are decoded, and in memory until they are uploaded.
const MEDIA_BYTES: usize = 32 << 20;

/// A request's body, ready to be sent any number of times.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    /// Its size before compression.
    pub(crate) raw: usize,
    /// What it refers to, and is to be uploaded before it.
    pub(crate) media: Vec<Upload>,
}

/// What is the same for all bodies of an observer.
#[derive(Clone, Debug)]
pub(crate) struct BodyStyle {
    pub(crate) resource: Arc<Resource>,
    pub(crate) content: Content,
    pub(crate) masking: Masking,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It would have more bytes than a request may have.
    TooLarge,
    /// A value of the program panicked when it was rendered.
    Panicked,
}

impl Body {
    /// Encodes and compresses spans. A single span may be larger than `limit`.
    pub(crate) fn of(
        spans: &[Arc<Span>],
        style: &BodyStyle,
        target: &HttpTarget,
        limit: usize,
    ) -> Result<Self, Unfit> {
        let outgoing = Outgoing {
            masking: &style.masking,
            media: target.uploads_media.then(RefCell::default),
        };
        // Rendering runs code of the program, which must not end the worker.
        let raw = catch_unwind(AssertUnwindSafe(|| encode(spans, style, target, &outgoing)))
            .map_err(|_| Unfit::Panicked)?;
        let media = outgoing.media.map(RefCell::into_inner).unwrap_or_default();
        let media_bytes: usize = media.iter().map(|upload| upload.bytes.len()).sum();
        if (raw.len() > limit || media_bytes > MEDIA_BYTES) && spans.len() > 1 {
            return Err(Unfit::TooLarge);
        }
        let size = raw.len();
        let bytes = if target.gzip { gzip(&raw).into() } else { raw };
        Ok(Self { bytes, raw: size, media })
    }
}

fn encode(
    spans: &[Arc<Span>],
    style: &BodyStyle,
    target: &HttpTarget,
    outgoing: &Outgoing<'_>,
) -> Bytes {
    let encoding = Encoding { content: style.content, ..Encoding::new(target.profile) };
    let request = if style.masking.is_none() && outgoing.media.is_none() {
        otlp::encode(spans, &style.resource, &encoding)
    } else {
        otlp::encode_filtered(spans, &style.resource, &encoding, outgoing)
    };
    match target.protocol {
        Protocol::HttpProtobuf => request.into_protobuf(),
        Protocol::HttpJson => request.to_json().into(),
    }
}

/// Encodes a span that runs as it would be exported now, with no attribute longer than `limit`; without what went in, if
/// rendering that panics. `None` if it cannot be encoded at all.
pub(crate) fn begun(span: &Arc<Span>, style: &BodyStyle, limit: usize) -> Option<WireSpan> {
    let outgoing = Outgoing { masking: &style.masking, media: None };
    // Who made it is told once a request, and not with each span.
    let resource = Resource::default();
    let encode = |content| {
        let encoding =
            Encoding { content, payload_limit: limit, ..Encoding::new(Profile::OpenTelemetry) };
        let spans = std::slice::from_ref(span);
        // Rendering runs code of the program, which must not end the worker.
        let request = catch_unwind(AssertUnwindSafe(|| {
            if style.masking.is_none() {
                otlp::encode(spans, &resource, &encoding)
            } else {
                otlp::encode_filtered(spans, &resource, &encoding, &outgoing)
            }
        }));
        ExportTraceServiceRequest::decode(request.ok()?.into_protobuf()).ok()
    };
    let request = encode(style.content).or_else(|| encode(Content::None))?;
    request.resource_spans.into_iter().next()?.scope_spans.into_iter().next()?.spans.pop()
}

/// What texts have to pass on their way out.
struct Outgoing<'a> {
    masking: &'a Masking,
    /// Collects what is to be uploaded, if the destination takes media.
    media: Option<RefCell<Vec<Upload>>>,
}

impl Filter for Outgoing<'_> {
    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.masking.redact(text)
    }

    fn entry<'t>(&self, key: &str, text: &'t str) -> Cow<'t, str> {
        self.masking.redact_value(key, text)
    }

    fn may_change(&self, key: Option<&str>, text: &str) -> bool {
        self.masking.may_change(key, text)
    }

    fn media(&self, media: &Media<'_>) -> Option<String> {
        let upload = Upload::of(media)?;
        let reference = upload.reference();
        let mut uploads = self.media.as_ref()?.borrow_mut();
        if !uploads.contains(&upload) {
            uploads.push(upload);
        }
        Some(reference)
    }
}

pub(crate) fn gzip(raw: &[u8]) -> Vec<u8> {
    // The fastest level: it halves the time of the default one, and prompts shrink to a third either way.
    let mut encoder = GzEncoder::new(Vec::with_capacity(raw.len() / 3), Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(raw);
    encoder.finish().unwrap_or_default()
}

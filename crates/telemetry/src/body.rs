//! The body of a request: OTLP, encoded and compressed. This is the one place where spans are serialized.

use crate::destination::{HttpTarget, Protocol};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use glassbox_trace::otlp::{self, Encoding, Resource};
use glassbox_trace::span::Span;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A request's body, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    /// Its size before compression.
    pub(crate) raw: usize,
}

/// What is the same for all bodies of an observer.
#[derive(Clone, Debug)]
pub(crate) struct BodyStyle {
    pub(crate) resource: Arc<Resource>,
    pub(crate) capture_content: bool,
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
        // Rendering runs code of the program, which must not end the worker.
        let raw = catch_unwind(AssertUnwindSafe(|| encode(spans, style, target)))
            .map_err(|_| Unfit::Panicked)?;
        if raw.len() > limit && spans.len() > 1 {
            return Err(Unfit::TooLarge);
        }
        let size = raw.len();
        let bytes = if target.gzip { gzip(&raw) } else { raw };
        Ok(Self { bytes: bytes.into(), raw: size })
    }
}

fn encode(spans: &[Arc<Span>], style: &BodyStyle, target: &HttpTarget) -> Vec<u8> {
    let encoding =
        Encoding { capture_content: style.capture_content, ..Encoding::new(target.profile) };
    let request = otlp::encode(spans, &style.resource, &encoding);
    match target.protocol {
        Protocol::HttpProtobuf => request.to_protobuf(),
        Protocol::HttpJson => request.to_json(),
    }
}

fn gzip(raw: &[u8]) -> Vec<u8> {
    // The fastest level: it halves the time of the default one, and prompts shrink to a third either way.
    let mut encoder = GzEncoder::new(Vec::with_capacity(raw.len() / 3), Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(raw);
    encoder.finish().unwrap_or_default()
}

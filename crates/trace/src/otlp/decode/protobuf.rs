//! Walks a request in protobuf down to its spans without building it: each span is decoded alone, and one that
//! cannot be, or is too large, takes no other with it.

use super::{DecodeLimits, Decoded, Decoder, Unread};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use prost::{DecodeError, Message};

// The numbers of the fields, from `opentelemetry/proto/trace/v1/trace.proto` of OTLP 1.
const REQUEST_RESOURCE_SPANS: u64 = 1;
const RESOURCE_SPANS_RESOURCE: u64 = 1;
const RESOURCE_SPANS_SCOPE_SPANS: u64 = 2;
const SCOPE_SPANS_SCOPE: u64 = 1;
const SCOPE_SPANS_SPANS: u64 = 2;
const SPAN_NAME: u64 = 5;
const SPAN_ATTRIBUTES: u64 = 9;
const SPAN_EVENTS: u64 = 11;
const SPAN_LINKS: u64 = 13;

/// Why bytes are no protobuf.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a field ends after its message")]
    Short,
    #[error("a number is longer than 10 bytes")]
    Varint,
    #[error("wire type {0} does not exist")]
    WireType(u64),
    #[error(transparent)]
    Message(#[from] DecodeError),
}

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Decoded, Malformed> {
    let mut decoder = Decoder::new(limits);
    for resource_spans in messages(bytes, REQUEST_RESOURCE_SPANS) {
        let resource_spans = resource_spans?;
        decoder.resource(first::<WireResource>(resource_spans, RESOURCE_SPANS_RESOURCE)?);
        for scope_spans in messages(resource_spans, RESOURCE_SPANS_SCOPE_SPANS) {
            let scope_spans = scope_spans?;
            decoder.scope(&first::<InstrumentationScope>(scope_spans, SCOPE_SPANS_SCOPE)?.name);
            for span in messages(scope_spans, SCOPE_SPANS_SPANS) {
                let span = span?;
                decoder.span(|limits| read_span(span, limits));
            }
        }
    }
    Ok(decoder.finish())
}

/// Decodes a span, after a count of its parts: each takes more memory than it has bytes.
fn read_span(span: &[u8], limits: &DecodeLimits) -> Result<WireSpan, Unread> {
    let (mut attributes, mut events, mut name) = (0, 0, String::new());
    for field in fields(span) {
        match field.map_err(|error| Unread::malformed(&error))? {
            (SPAN_NAME, bytes) => {
                name = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
            }
            (SPAN_ATTRIBUTES, _) => attributes += 1,
            (SPAN_EVENTS | SPAN_LINKS, _) => events += 1,
            _ => {}
        }
    }
    if attributes > limits.attributes {
        return Err(Unread::too_many(name, "attributes", limits.attributes));
    }
    if events > limits.events {
        return Err(Unread::too_many(name, "events and links", limits.events));
    }
    WireSpan::decode(span).map_err(|error| Unread { name, ..Unread::malformed(&error) })
}

/// The first message with a field's number, or an empty one.
fn first<T: Message + Default>(bytes: &[u8], number: u64) -> Result<T, Malformed> {
    match messages(bytes, number).next() {
        Some(message) => Ok(T::decode(message?)?),
        None => Ok(T::default()),
    }
}

/// The messages with a field's number.
fn messages(bytes: &[u8], number: u64) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    fields(bytes).filter_map(move |field| match field {
        Ok((found, message)) => (found == number).then_some(Ok(message)),
        Err(error) => Some(Err(error)),
    })
}

/// The fields that have a length, with their numbers; scalars are skipped. Ends after the first error.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u64, &[u8]), Malformed>> {
    std::iter::from_fn(move || {
        while !bytes.is_empty() {
            match field(&mut bytes) {
                Ok((_, None)) => {}
                Ok((number, Some(field))) => return Some(Ok((number, field))),
                Err(error) => {
                    bytes = &[];
                    return Some(Err(error));
                }
            }
        }
        None
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Result<(u64, Option<&'a [u8]>), Malformed> {
    let key = varint(bytes)?;
    let number = key >> 3;
    match key & 7 {
        0 => varint(bytes).map(|_| (number, None)),
        1 => take(bytes, 8).map(|_| (number, None)),
        2 => {
            let length = usize::try_from(varint(bytes)?).map_err(|_| Malformed::Short)?;
            Ok((number, Some(take(bytes, length)?)))
        }
        5 => take(bytes, 4).map(|_| (number, None)),
        other => Err(Malformed::WireType(other)),
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    bytes.split_off(..length).ok_or(Malformed::Short)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first().ok_or(Malformed::Short)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed::Varint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        let check =
            |mut bytes: &[u8], expected: u64| assert_eq!(varint(&mut bytes).unwrap(), expected);
        check(&[0], 0);
        check(&[0x96, 0x01], 150);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], u64::MAX);
        assert!(matches!(varint(&mut &[0x80][..]), Err(Malformed::Short)));
        assert!(matches!(varint(&mut &[0x80; 11][..]), Err(Malformed::Varint)));
    }

    #[test]
    fn fields_end_with_the_first_error() {
        // Field 1 holds "a"; field 2 claims five bytes and has one.
        let found: Vec<_> = fields(&[0x0a, 1, b'a', 0x12, 5, b'b']).collect();
        assert!(matches!(found[..], [Ok((1, b"a")), Err(Malformed::Short)]));
    }
}

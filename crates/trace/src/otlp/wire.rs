//! Protobuf, written in one go: the parts of an OTLP request that there are many of. A struct for each attribute, with
//! its key and its value on the heap, would cost more than all else that is done to a span.
//!
//! What there is little of is encoded by `prost`, and all of it is read with its structs.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use std::borrow::Cow;
use std::ops::Range;

// The numbers of fields, from OTLP's definitions.
pub(super) const SPAN_ATTRIBUTES: u32 = 9;
pub(super) const SPANS: u32 = 2;
pub(super) const SCOPE_SPANS: u32 = 2;
pub(super) const RESOURCE_SPANS: u32 = 1;
const KEY: u32 = 1;
const VALUE: u32 = 2;
const STRING_VALUE: u32 = 1;
const BOOL_VALUE: u32 = 2;
const INT_VALUE: u32 = 3;
const DOUBLE_VALUE: u32 = 4;
const ARRAY_VALUE: u32 = 5;
const ARRAY_VALUES: u32 = 1;

/// The value of an attribute.
pub(super) enum Any<'t> {
    String(Cow<'t, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(Vec<Self>),
}

/// The attributes of a span as they are encoded, and where their keys are.
#[derive(Default)]
pub(super) struct Attributes {
    bytes: Vec<u8>,
    keys: Vec<Range<usize>>,
}

impl Attributes {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.keys.clear();
    }

    /// Tells whether a key is taken.
    pub(super) fn has(&self, prefix: &str, key: &str) -> bool {
        let is = |taken: &[u8]| taken.strip_prefix(prefix.as_bytes()) == Some(key.as_bytes());
        self.keys.iter().any(|taken| is(&self.bytes[taken.clone()]))
    }

    /// Adds an attribute whose key has a part before it.
    pub(super) fn push(&mut self, prefix: &str, key: &str, value: &Any<'_>) {
        let key_bytes = prefix.len() + key.len();
        let value_bytes = value.len();
        let length = delimited_len(KEY, key_bytes) + delimited_len(VALUE, value_bytes);
        let bytes = &mut self.bytes;
        begin(SPAN_ATTRIBUTES, length, bytes);
        begin(KEY, key_bytes, bytes);
        let start = bytes.len();
        bytes.extend_from_slice(prefix.as_bytes());
        bytes.extend_from_slice(key.as_bytes());
        self.keys.push(start..bytes.len());
        begin(VALUE, value_bytes, bytes);
        value.write(bytes);
    }
}

impl Any<'_> {
    /// The length of the value as a message.
    fn len(&self) -> usize {
        match self {
            Self::String(text) => delimited_len(STRING_VALUE, text.len()),
            Self::Bool(_) => key_len(BOOL_VALUE) + 1,
            Self::Int(number) => key_len(INT_VALUE) + encoded_len_varint(number.cast_unsigned()),
            Self::Double(_) => key_len(DOUBLE_VALUE) + 8,
            Self::Array(items) => delimited_len(ARRAY_VALUE, items_len(items)),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(text) => {
                begin(STRING_VALUE, text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Bool(flag) => {
                encode_key(BOOL_VALUE, WireType::Varint, out);
                out.push(u8::from(*flag));
            }
            Self::Int(number) => {
                encode_key(INT_VALUE, WireType::Varint, out);
                encode_varint(number.cast_unsigned(), out);
            }
            Self::Double(number) => {
                encode_key(DOUBLE_VALUE, WireType::SixtyFourBit, out);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::Array(items) => {
                begin(ARRAY_VALUE, items_len(items), out);
                for item in items {
                    begin(ARRAY_VALUES, item.len(), out);
                    item.write(out);
                }
            }
        }
    }
}

fn items_len(items: &[Any<'_>]) -> usize {
    items.iter().map(|item| delimited_len(ARRAY_VALUES, item.len())).sum()
}

/// Writes a message as a field, with attributes behind its own fields.
pub(super) fn write_message(
    field: u32,
    message: &impl Message,
    attributes: &Attributes,
    out: &mut Vec<u8>,
) {
    begin(field, message.encoded_len() + attributes.bytes.len(), out);
    // A vector always has room.
    let _ = message.encode(out);
    out.extend_from_slice(&attributes.bytes);
}

/// Begins a field that has a length.
pub(super) fn begin(field: u32, length: usize, out: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

/// The length of a field that has one, all in all.
pub(super) fn delimited_len(field: u32, length: usize) -> usize {
    key_len(field) + encoded_len_varint(length as u64) + length
}

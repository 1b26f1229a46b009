//! Trace and span ids: 128 and 64 bits, written as lowercase hex, as W3C trace context has them.

use std::fmt;
use std::str::FromStr;

/// Identifies a trace: 16 bytes, never all zero when [valid](TraceId::is_valid).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// Identifies a span within its trace: 8 bytes, never all zero when [valid](SpanId::is_valid).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

impl TraceId {
    /// Makes an id of its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, in the order of the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Tells whether the id may be used: all zero means "no trace" in W3C trace context.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.0 != [0; 16]
    }

    /// Returns the last six letters, which is enough to tell traces apart on a screen.
    ///
    /// ```
    /// use glassbox_trace::id::TraceId;
    /// let id: TraceId = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
    /// assert_eq!(id.short(), "80319c");
    /// ```
    #[must_use]
    pub fn short(self) -> String {
        hex(&self.0[13..])
    }
}

impl SpanId {
    /// Makes an id of its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, in the order of the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// Tells whether the id may be used: all zero means "no span" in W3C trace context.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.0 != [0; 8]
    }
}

/// Tells why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} lowercase hex digits, not all zero, found {found:?}")]
pub struct ParseIdError {
    expected: usize,
    found: String,
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    let error = || ParseIdError { expected: 2 * N, found: text.chars().take(40).collect() };
    if text.len() != 2 * N || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(error());
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| error())?;
    }
    if bytes == [0; N] { Err(error()) } else { Ok(bytes) }
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_hex(text).map(Self)
    }
}

impl FromStr for SpanId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read_as_hex() {
        let id = SpanId::from_bytes([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(id.to_string(), "00010203fcfdfeff");
        assert_eq!("00010203fcfdfeff".parse(), Ok(id));
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in [
            "",
            "00",
            "0000000000000000",
            "00010203FCFDFEFF",
            "00010203fcfdfefé",
            "+0010203fcfdfeff",
        ] {
            assert!(text.parse::<SpanId>().is_err(), "{text}");
        }
    }
}

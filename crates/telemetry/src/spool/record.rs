//! One record of a segment: a head with a checksum, and a body.
//!
//! ```text
//! length of the body: u32 | CRC-32 of all the rest: u32 | kind: u8 | format: u8 | 0: u16 | spans: u32 | raw: u32 | body
//! ```
//!
//! Numbers are little-endian. A parcel's body is what goes over the wire. A receipt's body is the place of a parcel
//! that was delivered, or given up, since: so segments are only ever appended to.

use crate::parcel::{Format, Parcel};
use crc32fast::Hasher;

/// The bytes before the body.
pub(super) const HEAD: usize = 20;

const PARCEL: u8 = 1;
const RECEIPT: u8 = 2;

const GZIP: u8 = 1;
const JSON: u8 = 2;

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The length of the body.
    pub(super) length: u32,
    checksum: u32,
    kind: u8,
    format: u8,
    spans: u32,
    raw: u32,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Parcel(Parcel),
    /// The parcel at this place is done with.
    Receipt(u64),
}

/// Writes a parcel as a record; `None` if it is larger than a record can be.
pub(super) fn of_parcel(parcel: &Parcel) -> Option<Vec<u8>> {
    let Format { gzip, json } = parcel.format;
    let format = if gzip { GZIP } else { 0 } | if json { JSON } else { 0 };
    let head = Head {
        length: u32::try_from(parcel.bytes.len()).ok()?,
        checksum: 0,
        kind: PARCEL,
        format,
        spans: u32::try_from(parcel.spans).ok()?,
        raw: u32::try_from(parcel.raw).unwrap_or(u32::MAX),
    };
    Some(written(head, &parcel.bytes))
}

/// Writes a receipt for the parcel at a place.
pub(super) fn of_receipt(place: u64) -> Vec<u8> {
    let head = Head { length: 8, checksum: 0, kind: RECEIPT, format: 0, spans: 0, raw: 0 };
    written(head, &place.to_le_bytes())
}

fn written(head: Head, body: &[u8]) -> Vec<u8> {
    let head = Head { checksum: head.checksum_of(body), ..head };
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend(head.to_bytes());
    bytes.extend(body);
    bytes
}

impl Head {
    fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.checksum.to_le_bytes());
        (bytes[8], bytes[9]) = (self.kind, self.format);
        bytes[12..16].copy_from_slice(&self.spans.to_le_bytes());
        bytes[16..].copy_from_slice(&self.raw.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; HEAD]) -> Self {
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Self {
            length: number(0),
            checksum: number(4),
            kind: bytes[8],
            format: bytes[9],
            spans: number(12),
            raw: number(16),
        }
    }

    /// The size of the whole record.
    pub(super) const fn size(&self) -> u64 {
        HEAD as u64 + self.length as u64
    }

    /// Reads the body; `None` if it is not what was written.
    pub(super) fn read(&self, body: Vec<u8>) -> Option<Record> {
        if body.len() != self.length as usize || self.checksum != self.checksum_of(&body) {
            return None;
        }
        match self.kind {
            PARCEL => Some(Record::Parcel(Parcel {
                bytes: body.into(),
                raw: self.raw as usize,
                spans: u64::from(self.spans),
                format: Format { gzip: self.format & GZIP != 0, json: self.format & JSON != 0 },
            })),
            RECEIPT => Some(Record::Receipt(u64::from_le_bytes(body.try_into().ok()?))),
            _ => None,
        }
    }

    fn checksum_of(&self, body: &[u8]) -> u32 {
        let head = Self { checksum: 0, ..*self }.to_bytes();
        let mut hasher = Hasher::new();
        hasher.update(&head);
        hasher.update(body);
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Option<Record> {
        let head = Head::from_bytes(bytes[..HEAD].try_into().unwrap());
        head.read(bytes[HEAD..].to_vec())
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_what_was_damaged_is_not(
            bytes: Vec<u8>, spans: u32, gzip: bool, json: bool, at: prop::sample::Index, bit in 0_u32..8,
        ) {
            let parcel = Parcel {
                raw: bytes.len(),
                bytes: bytes.into(),
                spans: u64::from(spans),
                format: Format { gzip, json },
            };
            let mut written = of_parcel(&parcel).unwrap();
            prop_assert_eq!(read(&written), Some(Record::Parcel(parcel)));
            let at = at.index(written.len());
            // The two bytes that mean nothing, and are zero.
            prop_assume!(at != 10 && at != 11);
            written[at] ^= 1_u8 << bit;
            prop_assert_eq!(read(&written), None);
        }
    }

    #[test]
    fn a_receipt_names_a_place() {
        assert_eq!(read(&of_receipt(12345)), Some(Record::Receipt(12345)));
    }
}

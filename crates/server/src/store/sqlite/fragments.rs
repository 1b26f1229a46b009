//! Spans that arrive in parts, as Langfuse's `span-create` and `span-update` do.
//!
//! A part is a message of its own that begins with the time when it was made. The parts of a span stand one behind the
//! other, in the order of those times, and to protobuf that is one message in which what comes later wins. So parts may
//! come in any order, and more than once.

use crate::store::{Block, NewSpan, OriginBytes, Packer};
use crate::wire::{FRAGMENT_FIELD, WireSpan};
use glassbox_trace::id::{SpanId, TraceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most bytes of all parts of a span; parts that find no room are left out.
const MOST_BYTES: usize = 16 << 20;

/// Parts that arrived together, by their span.
#[derive(Default)]
pub(super) struct Parts(BTreeMap<(TraceId, SpanId), Arrived>);

struct Arrived {
    parts: BTreeSet<(u64, Vec<u8>)>,
    origin: Arc<OriginBytes>,
}

impl Parts {
    /// Takes the parts out of a block; what is left is the spans that are whole.
    pub(super) fn take_out(&mut self, block: Block) -> rusqlite::Result<Block> {
        if !block.spans.iter().any(|new| new.is_fragment) {
            return Ok(block);
        }
        let raw = zstd::bulk::decompress(&block.compressed, block.raw_bytes);
        let raw = raw.map_err(|_| no_memory())?;
        let (parts, spans): (Vec<_>, Vec<NewSpan>) =
            block.spans.into_iter().partition(|new| new.is_fragment);
        for new in parts {
            let Some(bytes) = raw.get(new.offset..new.offset + new.length) else { continue };
            let arrived =
                self.0.entry((new.span.trace_id, new.span.span_id)).or_insert_with(|| Arrived {
                    parts: BTreeSet::new(),
                    origin: Arc::clone(&new.origin),
                });
            arrived.parts.extend(split(bytes));
        }
        Ok(Block { spans, ..block })
    }

    /// Puts the parts together with those that came before, which `load` returns.
    pub(super) fn put_together(
        self,
        mut load: impl FnMut(TraceId, SpanId) -> rusqlite::Result<Option<Vec<u8>>>,
    ) -> rusqlite::Result<Vec<Block>> {
        let mut packer = Packer::default();
        for ((trace_id, span_id), mut arrived) in self.0 {
            if let Some(before) = load(trace_id, span_id)? {
                arrived.parts.extend(split(&before));
            }
            let mut whole = Vec::new();
            for (_, part) in arrived.parts {
                if whole.len() + part.len() <= MOST_BYTES {
                    whole.extend(part);
                }
            }
            // Each part was read before, so that all of them can be.
            if let Ok(wire) = WireSpan::read(&whole) {
                packer.push(&wire, &whole, &arrived.origin);
            }
        }
        let blocks = packer.finish();
        match blocks.iter().all(Block::is_whole) {
            true => Ok(blocks),
            false => Err(no_memory()),
        }
    }
}

/// What was compressed a moment ago can be decompressed, and the other way round, unless there is no memory.
fn no_memory() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOMEM), None)
}

/// Takes parts that stand behind one another apart, with the times when they were made.
fn split(bytes: &[u8]) -> BTreeSet<(u64, Vec<u8>)> {
    let starts: Vec<_> =
        crate::wire::fields(bytes).filter(|field| field.number == FRAGMENT_FIELD).collect();
    let ends = starts.iter().skip(1).map(|field| field.at).chain([bytes.len()]);
    let parts = starts.iter().zip(ends);
    parts.map(|(field, end)| (field.value, bytes[field.at..end].to_vec())).collect()
}

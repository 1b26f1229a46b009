//! What is written: spans with their payloads packed together.

use crate::received::{Origin, ReceivedSpan};
use crate::view::{SpanSummary, TraceSummary};
use crate::wire::WireSpan;
use glassbox_trace::id::{SpanId, TraceId};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::Compressor;

/// The most bytes of payload in a block, unless one span alone has more.
const BLOCK_BYTES: usize = 128 << 10;

/// The fastest that compresses well; a block is compressed by whoever received it, not by the writer.
const COMPRESSION_LEVEL: i32 = 1;

/// What is written together.
#[derive(Debug, Default)]
pub struct Batch {
    /// The spans.
    pub blocks: Vec<Block>,
    /// The scores.
    pub scores: Vec<NewScore>,
}

impl Batch {
    /// Returns how many bytes the batch holds on to.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let spans =
            self.blocks.iter().map(|block| block.compressed.len() + 600 * block.spans.len());
        spans.sum::<usize>() + 300 * self.scores.len()
    }

    /// Tells whether all payloads are there: there was memory to compress them.
    pub(super) fn is_whole(&self) -> bool {
        self.blocks.iter().all(Block::is_whole)
    }
}

/// Some spans, with their payloads compressed as one.
#[derive(Debug, Default)]
pub struct Block {
    /// The payloads, a zstd frame; empty if there was no memory to make one. A store refuses that.
    pub compressed: Vec<u8>,
    /// How many bytes they are when decompressed.
    pub raw_bytes: usize,
    /// The spans.
    pub spans: Vec<NewSpan>,
}

impl Block {
    /// Tells whether the payloads are there: a zstd frame is never empty.
    pub(super) fn is_whole(&self) -> bool {
        self.spans.is_empty() || !self.compressed.is_empty()
    }
}

/// A span to keep.
#[derive(Debug)]
pub struct NewSpan {
    /// What lists need.
    pub span: Arc<ReceivedSpan>,
    /// Where in the decompressed block its payload begins.
    pub offset: usize,
    /// How long it is.
    pub length: usize,
    /// Tells payloads of the same span apart.
    pub digest: i64,
    /// Who made it.
    pub origin: Arc<OriginBytes>,
    /// Whether it is a part of a span of which others may come, and so what it is a part of.
    pub is_fragment: bool,
    /// Whether it is no span but what is said of its trace.
    pub is_trace_record: bool,
}

/// Who made spans, as it arrived and as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OriginBytes {
    /// The resource, an OTLP message.
    pub resource: Vec<u8>,
    /// The instrumentation scope, an OTLP message.
    pub scope: Vec<u8>,
    /// What spans inherit.
    pub origin: Origin,
    /// Tells origins apart.
    pub digest: i64,
}

impl OriginBytes {
    /// Keeps the bytes of a resource and a scope.
    #[must_use]
    pub fn new(resource: &[u8], scope: &[u8], origin: Origin) -> Self {
        let mut hash = Sha256::new();
        for part in [resource, &[0], scope] {
            hash.update(part);
        }
        let mut digest = [0; 8];
        digest.copy_from_slice(&hash.finalize()[..8]);
        let digest = i64::from_le_bytes(digest);
        Self { resource: resource.to_vec(), scope: scope.to_vec(), origin, digest }
    }
}

/// A judgement to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct NewScore {
    /// Its own id; a second one with the same id replaces the first.
    pub id: String,
    /// The trace.
    pub trace_id: TraceId,
    /// The span, if not the whole trace is meant.
    pub span_id: Option<SpanId>,
    /// What was judged.
    pub name: String,
    /// A number, a word or yes or no.
    pub value: serde_json::Value,
    /// Why.
    pub comment: Option<String>,
    /// When, microseconds since the epoch.
    pub at_us: i64,
}

/// How a batch was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many spans were new or said something new.
    pub changed: usize,
    /// How many spans were there already.
    pub duplicates: usize,
    /// How many spans found no room in their trace.
    pub surplus: usize,
}

/// Something that changed in the store.
#[derive(Clone, Debug)]
pub enum Change {
    /// A span began, ended, or is told more of.
    Span(Arc<ReceivedSpan>),
    /// A trace has new numbers.
    Trace(Arc<TraceSummary>),
}

impl Change {
    /// Returns the row of the span, if it is one.
    #[must_use]
    pub fn span(&self) -> Option<SpanSummary> {
        match self {
            Self::Span(span) => Some(SpanSummary::of(span)),
            Self::Trace(_) => None,
        }
    }
}

/// What changed in one commit, told after it is durable.
pub type Changes = Vec<Change>;

/// Packs spans into blocks.
#[derive(Default)]
pub struct Packer {
    done: Vec<Block>,
    spans: Vec<NewSpan>,
    raw: Vec<u8>,
    /// Making one costs as much as compressing a small block, so that it is kept.
    compressor: Option<Compressor<'static>>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, spans, raw, compressor: _ } = self;
        f.debug_struct("Packer")
            .field("done", done)
            .field("spans", spans)
            .field("raw_bytes", &raw.len())
            .finish_non_exhaustive()
    }
}

impl Packer {
    /// Adds a span and its bytes.
    pub fn push(&mut self, wire: &WireSpan<'_>, bytes: &[u8], origin: &Arc<OriginBytes>) {
        if !self.raw.is_empty() && self.raw.len() + bytes.len() > BLOCK_BYTES {
            self.close();
        }
        let offset = self.raw.len();
        self.raw.extend_from_slice(bytes);
        self.spans.push(NewSpan {
            span: Arc::new(ReceivedSpan::read(wire, &origin.origin)),
            offset,
            length: bytes.len(),
            digest: xxh3_64(bytes).cast_signed(),
            origin: Arc::clone(origin),
            is_fragment: wire.fragment_at.is_some(),
            is_trace_record: wire.is_trace_record,
        });
    }

    fn close(&mut self) {
        if self.spans.is_empty() {
            return;
        }
        // Compressing into memory fails only if there is none left. The store refuses what is empty then.
        let compressed = self.compress().unwrap_or_default();
        self.done.push(Block {
            compressed,
            raw_bytes: self.raw.len(),
            spans: std::mem::take(&mut self.spans),
        });
        self.raw.clear();
    }

    fn compress(&mut self) -> std::io::Result<Vec<u8>> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(COMPRESSION_LEVEL)?),
        };
        let mut compressed = compressor.compress(&self.raw)?;
        // It waits for the writer, and should not hold on to the room that was made for the worst.
        compressed.shrink_to_fit();
        Ok(compressed)
    }

    /// Returns the blocks.
    #[must_use]
    pub fn finish(mut self) -> Vec<Block> {
        self.close();
        self.done
    }
}

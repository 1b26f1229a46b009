//! What the targets share: everything that the server would do with a batch when somebody looks at it.

use glassbox_server::detail::SpanDetail;
use glassbox_server::store::Batch;
use glassbox_server::view::{RawSpan, SpanSummary};

/// The most bytes that a target looks at; longer inputs only make it slower.
pub const MOST_BYTES: usize = 64 << 10;

/// Reads each span of a batch as the API shows it, and checks what the store relies on.
///
/// # Panics
///
/// If a payload is not where the batch says.
pub fn look_at(batch: &Batch) {
    for block in &batch.blocks {
        let raw = zstd::bulk::decompress(&block.compressed, block.raw_bytes)
            .expect("a block that was just compressed can be decompressed");
        assert_eq!(raw.len(), block.raw_bytes);
        for new in &block.spans {
            let span = &new.span;
            assert!(span.end_us.is_none_or(|end| end >= span.start_us));
            assert!(span.name.len() <= 512 && span.cost_pico.is_none_or(|cost| cost >= 0));
            let bytes = raw[new.offset..new.offset + new.length].to_vec();
            let detail = SpanDetail::read(RawSpan {
                summary: SpanSummary::of(span),
                context: span.context.clone(),
                bytes,
                resource: new.origin.resource.clone(),
                scope: new.origin.scope.clone(),
            });
            assert_eq!(detail.summary.trace_id.len(), 32);
        }
    }
}

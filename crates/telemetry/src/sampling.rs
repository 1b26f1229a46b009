//! Sampling by trace id and by what the caller has decided: every span of a trace, in every process, comes to the same
//! decision. The spans of other traces may be held until it is known whether one of them failed.

use glassbox_trace::id::TraceId;
use glassbox_trace::span::{RemoteParent, Span};

mod held;

pub(crate) use held::{Held, Offer};

/// Keeps a share of the traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampling {
    /// The lower 64 bits of a trace id are random; a trace is kept if they are below this.
    bound: u128,
    /// Where a trace goes on from another process, that one has decided.
    follows_parent: bool,
    /// Traces in which a span failed are kept too.
    keeps_errors: bool,
}

impl Sampling {
    /// Keeps about this share of traces, between 0 and 1; what is not a number keeps all.
    pub(crate) fn ratio(ratio: f64) -> Self {
        let ratio = if ratio.is_nan() { 1.0 } else { ratio.clamp(0.0, 1.0) };
        // OpenTelemetry's `TraceIdRatioBased`, so that services which share a ratio keep the same traces.
        let bound = (ratio * 2_f64.powi(64)) as u128;
        Self { bound, follows_parent: false, keeps_errors: false }
    }

    pub(crate) fn with_ratio(self, ratio: f64) -> Self {
        Self { bound: Self::ratio(ratio).bound, ..self }
    }

    pub(crate) const fn following_parent(mut self, follows_parent: bool) -> Self {
        self.follows_parent = follows_parent;
        self
    }

    pub(crate) const fn keeping_errors(mut self) -> Self {
        self.keeps_errors = true;
        self
    }

    /// Tells whether a span is in the sample.
    pub(crate) fn keeps(&self, span: &Span) -> bool {
        self.keeps_trace(span.trace_id, span.trace.remote_parent.as_deref())
    }

    /// Tells whether a trace is in the sample, which may go on from another process.
    pub(crate) fn keeps_trace(&self, trace_id: TraceId, parent: Option<&RemoteParent>) -> bool {
        if self.follows_parent
            && let Some(parent) = parent
        {
            return parent.sampled;
        }
        let id = u128::from_be_bytes(trace_id.to_bytes());
        id & u128::from(u64::MAX) < self.bound
    }

    /// Tells whether a span that is not in the sample is of interest all the same.
    pub(crate) const fn holds(&self) -> bool {
        self.keeps_errors
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use glassbox_trace::id::{SpanId, TraceId};
    use glassbox_trace::span::{Detail, RemoteParent, Status, TraceAttributes};
    use glassbox_trace::time::Timestamp;
    use std::sync::Arc;

    /// A span of a trace whose id ends with this number.
    pub(crate) fn span(low: u64, parent: Option<u8>) -> Span {
        Span {
            trace_id: TraceId::from_bytes((1 << 100 | u128::from(low)).to_be_bytes()),
            span_id: SpanId::from_bytes([1; 8]),
            parent_id: parent.map(|id| SpanId::from_bytes([id; 8])),
            name: "a".into(),
            start: Timestamp::from_unix_nanos(1),
            end: Some(Timestamp::from_unix_nanos(2)),
            status: Status::Ok,
            trace: Arc::default(),
            input: None,
            output: None,
            notes: Vec::new(),
            detail: Detail::Span,
            attributes: Vec::new(),
        }
    }

    fn check(ratio: f64, low: u64, kept: bool) {
        assert_eq!(Sampling::ratio(ratio).keeps(&span(low, None)), kept, "{ratio} {low:x}");
    }

    #[test]
    fn the_lower_half_of_the_id_decides() {
        check(1.0, u64::MAX, true);
        check(0.0, 0, false);
        check(0.5, u64::MAX / 2, true);
        check(0.5, u64::MAX / 2 + 1, false);
        check(f64::NAN, u64::MAX, true);
        check(7.0, u64::MAX, true);
        check(-1.0, 0, false);
    }

    #[test]
    fn the_caller_decides_if_it_is_followed() {
        for (sampled, ratio) in [(true, 0.0), (false, 1.0)] {
            let mut span = span(1, Some(9));
            let parent = RemoteParent {
                trace_id: span.trace_id,
                span_id: SpanId::from_bytes([9; 8]),
                sampled,
                trace_state: None,
            };
            let remote_parent = Some(Arc::new(parent));
            span.trace = Arc::new(TraceAttributes { remote_parent, ..TraceAttributes::default() });
            let sampling = Sampling::ratio(ratio);
            assert_eq!(sampling.keeps(&span), !sampled);
            assert_eq!(sampling.following_parent(true).keeps(&span), sampled);
        }
    }
}

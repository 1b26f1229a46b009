//! Sampling by trace id: every span of a trace, in every process, comes to the same decision.

use glassbox_trace::id::TraceId;

/// Keeps a share of the traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampling {
    /// The lower 64 bits of a trace id are random; a trace is kept if they are below this.
    bound: u128,
}

impl Sampling {
    /// Keeps about this share of traces, between 0 and 1; what is not a number keeps all.
    pub(crate) fn ratio(ratio: f64) -> Self {
        let ratio = if ratio.is_nan() { 1.0 } else { ratio.clamp(0.0, 1.0) };
        // OpenTelemetry's `TraceIdRatioBased`, so that services which share a ratio keep the same traces.
        Self { bound: (ratio * 2_f64.powi(64)) as u128 }
    }

    pub(crate) fn keeps(self, trace_id: TraceId) -> bool {
        u128::from_be_bytes(trace_id.to_bytes()) & u128::from(u64::MAX) < self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ratio: f64, low: u64, kept: bool) {
        let id = TraceId::from_bytes((1 << 100 | u128::from(low)).to_be_bytes());
        assert_eq!(Sampling::ratio(ratio).keeps(id), kept, "{ratio} {low:x}");
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
}

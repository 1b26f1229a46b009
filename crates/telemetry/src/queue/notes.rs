//! What a queue notes of spans that begin and end, for a destination that shows them while they run.

use super::Queue;
use crate::starts::Starts;
use glassbox_trace::span::Span;
use std::sync::Arc;

impl Queue {
    /// Takes note of spans that begin and end from now on.
    pub(crate) fn take_notes(&self) -> &Arc<Starts> {
        self.starts.get_or_init(Arc::default)
    }

    /// Returns what is noted, if anything is.
    pub(crate) fn notes(&self) -> Option<&Arc<Starts>> {
        self.starts.get()
    }

    /// Notes that a span began, if anybody wants to know and it is in the sample. Never waits.
    pub(crate) fn begin(&self, span: &Arc<Span>) {
        if let Some(starts) = self.starts.get()
            && !self.slumber.lasts()
            && self.sampling.keeps(span)
        {
            starts.begin(span);
        }
    }
}

//! Spans of traces that are not in the sample, held until it is known whether a span of their trace failed.

use glassbox_trace::id::TraceId;
use glassbox_trace::span::Span;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// The most spans that are held.
const MOST_SPANS: usize = 16_384;
/// The most bytes of them, about.
const MOST_BYTES: usize = 64 << 20;
/// Of as many traces that failed it is known that they did, for spans that end after their root.
const MOST_FAILED: usize = 4096;

/// Spans that are held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    traces: HashMap<TraceId, Trace>,
    /// The traces in the order in which they began to be held; some are decided already.
    order: VecDeque<(TraceId, u64)>,
    next_number: u64,
    spans: usize,
    bytes: usize,
    failed: HashSet<TraceId>,
    failed_order: VecDeque<TraceId>,
}

#[derive(Debug, Default)]
struct Trace {
    number: u64,
    spans: Vec<(Arc<Span>, usize)>,
}

/// What becomes of a span, and of others.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    /// These are to be exported, with their weights: a span of their trace failed.
    pub(crate) released: Vec<(Arc<Span>, usize)>,
    /// These are not: no span of their trace failed, or they were too many.
    pub(crate) forgotten: Vec<Arc<Span>>,
}

impl Held {
    /// Takes a span of a weight.
    pub(crate) fn offer(&mut self, span: Arc<Span>, weight: usize) -> Offer {
        let mut offer = Offer::default();
        let id = span.trace_id;
        if self.failed.contains(&id) {
            offer.released.push((span, weight));
        } else if span.status.is_error() {
            self.note_failed(id);
            offer.released = self.take(id);
            offer.released.push((span, weight));
        } else if span.is_local_root() {
            offer.forgotten = self.take(id).into_iter().map(|(span, _)| span).collect();
            offer.forgotten.push(span);
        } else {
            self.hold(span, weight);
            while self.spans > MOST_SPANS || self.bytes > MOST_BYTES {
                let oldest = self.take_oldest();
                offer.forgotten.extend(oldest.into_iter().map(|(span, _)| span));
            }
        }
        offer
    }

    /// Returns how many spans are held.
    pub(crate) const fn len(&self) -> usize {
        self.spans
    }

    /// Forgets all: no more will be known of them.
    pub(crate) fn clear(&mut self) -> Vec<Arc<Span>> {
        let traces = std::mem::take(&mut self.traces).into_values();
        (self.spans, self.bytes) = (0, 0);
        self.order.clear();
        traces.flat_map(|trace| trace.spans).map(|(span, _)| span).collect()
    }

    fn hold(&mut self, span: Arc<Span>, weight: usize) {
        self.spans += 1;
        self.bytes += weight;
        let id = span.trace_id;
        let trace = self.traces.entry(id).or_insert_with(|| {
            self.next_number += 1;
            self.order.push_back((id, self.next_number));
            Trace { number: self.next_number, spans: Vec::new() }
        });
        trace.spans.push((span, weight));
    }

    fn take(&mut self, id: TraceId) -> Vec<(Arc<Span>, usize)> {
        let spans = self.traces.remove(&id).unwrap_or_default().spans;
        self.spans -= spans.len();
        self.bytes -= spans.iter().map(|(_, weight)| weight).sum::<usize>();
        // What is decided leaves its place in the order; it must not outgrow what is held.
        if self.order.len() > 2 * self.traces.len() + 64 {
            let traces = &self.traces;
            let is_held = |(id, number): &(TraceId, u64)| {
                traces.get(id).is_some_and(|trace| trace.number == *number)
            };
            self.order.retain(is_held);
        }
        spans
    }

    fn take_oldest(&mut self) -> Vec<(Arc<Span>, usize)> {
        while let Some((id, number)) = self.order.pop_front() {
            if self.traces.get(&id).is_some_and(|trace| trace.number == number) {
                return self.take(id);
            }
        }
        Vec::new()
    }

    fn note_failed(&mut self, id: TraceId) {
        if self.failed_order.len() >= MOST_FAILED
            && let Some(oldest) = self.failed_order.pop_front()
        {
            self.failed.remove(&oldest);
        }
        self.failed.insert(id);
        self.failed_order.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::span;
    use super::*;
    use glassbox_trace::span::Status;

    fn offer(held: &mut Held, span: Span) -> (usize, usize) {
        let offer = held.offer(Arc::new(span), 1000);
        (offer.released.len(), offer.forgotten.len())
    }

    fn failed(span: Span) -> Span {
        Span { status: Status::error("429", "slow down"), ..span }
    }

    #[test]
    fn a_trace_is_released_by_its_first_error() {
        let mut held = Held::default();
        assert_eq!(offer(&mut held, span(1, Some(2))), (0, 0));
        assert_eq!(offer(&mut held, span(2, Some(2))), (0, 0));
        assert_eq!(offer(&mut held, failed(span(1, Some(2)))), (2, 0));
        assert_eq!(offer(&mut held, span(1, Some(2))), (1, 0));
        assert_eq!(offer(&mut held, span(1, None)), (1, 0));
        assert_eq!(offer(&mut held, span(1, Some(2))), (1, 0), "ended after its root");
        assert_eq!(held.len(), 1);
    }

    #[test]
    fn a_trace_without_an_error_is_forgotten_with_its_root() {
        let mut held = Held::default();
        for _ in 0..3 {
            assert_eq!(offer(&mut held, span(1, Some(2))), (0, 0));
        }
        assert_eq!(offer(&mut held, span(1, None)), (0, 4));
        assert_eq!((held.len(), held.bytes), (0, 0));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut held = Held::default();
        let (mut forgotten, count) = (0, 3 * MOST_SPANS);
        for number in 0..count {
            forgotten += offer(&mut held, span(number as u64 / 10, Some(2))).1;
            assert!(held.len() <= MOST_SPANS && held.bytes <= MOST_BYTES);
        }
        assert_eq!(forgotten + held.len(), count);
        let heavy = held.offer(Arc::new(span(7, Some(2))), MOST_BYTES + 1);
        assert_eq!((heavy.released.len(), held.len()), (0, 0), "not even alone");
    }

    #[test]
    fn what_is_known_of_traces_is_bounded() {
        let mut held = Held::default();
        for number in 0..10_000 {
            offer(&mut held, failed(span(number, Some(2))));
            offer(&mut held, span(1_000_000 + number, Some(2)));
            offer(&mut held, span(1_000_000 + number, None));
        }
        assert_eq!(held.failed.len(), MOST_FAILED);
        assert!(held.order.len() <= 64, "{}", held.order.len());
    }
}

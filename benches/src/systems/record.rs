//! The floor: the same typed record, two readings of the clock and a push into a lock-free queue. No events, no
//! context, no parent to find, no bounds but the queue's.

use super::System;
use crate::data::{self, Facts};
use crossbeam_queue::ArrayQueue;
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::span::{Detail, Span, Status};
use glassbox_trace::time::Timestamp;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Records in a queue, which a thread empties.
pub(crate) struct Record {
    queue: Arc<ArrayQueue<Span>>,
    discarded: Arc<AtomicU64>,
    pushed: AtomicU64,
}

impl Record {
    pub(crate) fn start() -> Self {
        let queue = Arc::new(ArrayQueue::<Span>::new(65_536));
        let discarded = Arc::new(AtomicU64::new(0));
        let (emptied, counted) = (Arc::clone(&queue), Arc::clone(&discarded));
        thread::spawn(move || {
            loop {
                while let Some(span) = emptied.pop() {
                    drop(span);
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { queue, discarded, pushed: AtomicU64::new(0) }
    }
}

impl System for Record {
    fn name(&self) -> &'static str {
        "record"
    }

    fn spans(&self, facts: &Facts, count: u32) -> Duration {
        let trace = Arc::default();
        let trace_id = TraceId::from_bytes([1; 16]);
        let parent_id = Some(SpanId::from_bytes([1; 8]));
        let began = Instant::now();
        for number in 0..u64::from(count) {
            let start = now();
            let mut generation = Box::new(facts.generation());
            black_box(());
            facts.answer(&mut generation);
            let span = Span {
                trace_id,
                span_id: SpanId::from_bytes(number.to_be_bytes()),
                parent_id,
                name: Arc::clone(&facts.name),
                start,
                end: Some(now()),
                status: Status::Ok,
                trace: Arc::clone(&trace),
                input: Some(facts.input()),
                output: Some(facts.output()),
                notes: Vec::new(),
                detail: Detail::Generation(generation),
                attributes: Vec::new(),
            };
            assert!(self.queue.push(span).is_ok(), "the queue of {} is full", data::NAME);
        }
        let took = began.elapsed();
        self.pushed.fetch_add(count.into(), Ordering::Relaxed);
        took
    }

    fn settle(&self) {
        while self.discarded.load(Ordering::Relaxed) < self.pushed.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_nanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

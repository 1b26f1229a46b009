//! The worker of a destination: an OS thread with a runtime of its own, so that the program can neither starve nor
//! deadlock it, and needs no runtime at all.

use crate::exporter::Exporter;
use crate::ledger::Origin;
use crate::memory::Memory;
use crate::queue::{Message, Queue, Ready};
use cpu_time::ThreadTime;
use glassbox_trace::span::Span;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

/// What a worker does with spans.
#[derive(Debug)]
pub(crate) enum Work {
    Export(Box<Exporter>),
    Keep(Memory),
    Discard,
}

/// Starts the worker of a queue. It ends when it is told to stop.
pub(crate) fn spawn(queue: Arc<Queue>, work: Work) -> io::Result<()> {
    let (ready, is_ready) = sync_channel(1);
    let name = format!("glassbox-{}", queue.name());
    thread::Builder::new().name(name).spawn(move || {
        let counted = Arc::clone(&queue);
        let built = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .on_thread_park(move || counted.set_worker_cpu(ThreadTime::now().as_duration()))
            .build();
        let runtime = match built {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        // Whoever spawned it waits for this very message, so it arrives.
        let _ = ready.send(Ok(()));
        work_on(runtime, queue, work);
    })?;
    is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the worker's thread ended")))
}

fn work_on(runtime: Runtime, queue: Arc<Queue>, work: Work) {
    let closing = Closing(queue);
    match work {
        Work::Export(exporter) => runtime.block_on(exporter.run()),
        Work::Keep(memory) => runtime.block_on(take(&closing.0, |spans| memory.keep(spans))),
        Work::Discard => runtime.block_on(take(&closing.0, |_| ())),
    }
    // A name may still be resolving, which nothing can interrupt: it is not waited for.
    runtime.shutdown_background();
}

/// Takes spans in batches, as an exporter does.
async fn take(queue: &Queue, keep: impl Fn(&[Arc<Span>])) {
    let age = queue.limits().batch_age;
    // No span in the queue waits since before this.
    let mut oldest: Option<Instant> = None;
    loop {
        match queue.next(Ready::Spans { due: oldest.is_some_and(|at| at.elapsed() >= age) }) {
            Some(Message::Export(spans)) => {
                keep(&spans);
                queue.book(|ledger| ledger.export(spans.len() as u64, Origin::Memory));
                oldest = oldest.filter(|_| queue.has_spans());
            }
            Some(Message::Flush(reply)) => queue.answer(reply),
            Some(Message::Stop(reply)) => {
                queue.close();
                return queue.answer(reply);
            }
            None if queue.has_spans() => {
                let due = *oldest.get_or_insert_with(Instant::now) + age;
                // Whether it was woken or the time came, the queue tells what is next.
                let _ = tokio::time::timeout_at(due.into(), queue.woken(oldest)).await;
            }
            None => oldest = queue.woken(None).await,
        }
    }
}

/// Closes the queue however the worker ends, so that nobody waits for a worker that is gone.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

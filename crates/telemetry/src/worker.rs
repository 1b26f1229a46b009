//! The worker of a destination: an OS thread with a runtime of its own, so that the program can neither starve nor
//! deadlock it, and needs no runtime at all.

use crate::delivery::Delivery;
use crate::queue::{Message, Next, Queue};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Starts the worker. It ends when it is told to stop.
pub(crate) fn spawn(delivery: Delivery) -> io::Result<()> {
    let (ready, is_ready) = sync_channel(1);
    let name = format!("glassbox-{}", delivery.queue().name());
    thread::Builder::new().name(name).spawn(move || {
        let runtime = match Builder::new_current_thread().enable_io().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        // Whoever spawned it waits for this very message, so it arrives.
        let _ = ready.send(Ok(()));
        work_on(runtime, delivery);
    })?;
    is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the worker's thread ended")))
}

fn work_on(runtime: Runtime, mut delivery: Delivery) {
    let _closing = Closing(Arc::clone(delivery.queue()));
    runtime.block_on(work(&mut delivery));
    // A name may still be resolving, which nothing can interrupt: it is not waited for.
    runtime.shutdown_background();
}

async fn work(delivery: &mut Delivery) {
    let queue = Arc::clone(delivery.queue());
    let age = delivery.limits().batch_age;
    // No span in the queue waits since before this.
    let mut oldest: Option<Instant> = None;
    loop {
        delivery.tell_overflow();
        match queue.next(oldest.is_some_and(|oldest| oldest.elapsed() >= age)) {
            Next::Message(Message::Export { spans, last }) => {
                if last {
                    oldest = Some(Instant::now());
                }
                tokio::select! {
                    biased;
                    () = queue.overdue() => return,
                    () = delivery.deliver(&spans) => (),
                }
            }
            Next::Message(Message::Flush(reply)) => queue.answer(reply),
            Next::Message(Message::Stop(reply)) => return queue.answer(reply),
            Next::Later => {
                let due = age.saturating_sub(oldest.get_or_insert_with(Instant::now).elapsed());
                // Whether it was woken or the time came, the queue tells what is next.
                let _ =
                    tokio::time::timeout(due.max(Duration::from_millis(1)), queue.woken()).await;
            }
            Next::Nothing => {
                oldest = None;
                queue.woken().await;
            }
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

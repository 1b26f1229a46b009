//! An outlet: a future hands out items on its way to its end, to whoever polls both as one stream.
//!
//! The future runs only while the stream is polled. So a consumer that is slow slows it down, one that drops the stream
//! cancels it, and at most one item waits in between.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The future's end of a [`Flow`].
pub(crate) struct Outlet<T> {
    items: mpsc::Sender<T>,
    held: Arc<Held>,
}

/// How long the consumer had an item in hand and did not come back for more, in nanoseconds.
#[derive(Debug, Default)]
struct Held(AtomicU64);

impl<T> Outlet<T> {
    /// Hands out an item, and waits while the one before has not been taken.
    pub(crate) async fn send(&self, item: T) {
        // The other end is gone only where the stream is being dropped, and this future with it.
        let _ = self.items.send(item).await;
    }

    /// Returns for how long the future did not run because the consumer was busy.
    pub(crate) fn held(&self) -> Duration {
        Duration::from_nanos(self.held.0.load(Ordering::Relaxed))
    }
}

/// What comes out of a [`Flow`].
pub(crate) enum Step<T, O> {
    /// An item, on the way.
    Item(T),
    /// What the future returned; the last that comes.
    End(O),
}

/// A future and what it hands out, as one stream.
pub(crate) struct Flow<T, O> {
    /// There until it has ended.
    future: Option<Pin<Box<dyn Future<Output = O> + Send>>>,
    end: Option<O>,
    items: mpsc::Receiver<T>,
    held: Arc<Held>,
    /// Since when the consumer has had the last item in hand.
    handed: Option<Instant>,
}

// Nothing in it is pinned in place: the future has a box of its own.
impl<T, O> Unpin for Flow<T, O> {}

impl<T, O> Flow<T, O> {
    /// Makes the future with its outlet. It does nothing until it is polled.
    pub(crate) fn new<F>(begin: impl FnOnce(Outlet<T>) -> F) -> Self
    where
        F: Future<Output = O> + Send + 'static,
    {
        let (sender, items) = mpsc::channel(1);
        let held = Arc::new(Held::default());
        let future = begin(Outlet { items: sender, held: Arc::clone(&held) });
        Self { future: Some(Box::pin(future)), end: None, items, held, handed: None }
    }

    /// Goes on to the next item or to the end; after the end there is nothing.
    pub(crate) fn poll_step(&mut self, task: &mut Context<'_>) -> Poll<Option<Step<T, O>>> {
        if let Some(handed) = self.handed.take() {
            let nanos = u64::try_from(handed.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.held.0.fetch_add(nanos, Ordering::Relaxed);
        }
        if let Poll::Ready(Some(item)) = self.items.poll_recv(task) {
            return self.hand_out(item);
        }
        if let Some(future) = &mut self.future
            && let Poll::Ready(end) = future.as_mut().poll(task)
        {
            self.end = Some(end);
            self.future = None;
        }
        match self.items.poll_recv(task) {
            Poll::Ready(Some(item)) => self.hand_out(item),
            _ if self.future.is_some() => Poll::Pending,
            _ => Poll::Ready(self.end.take().map(Step::End)),
        }
    }

    fn hand_out(&mut self, item: T) -> Poll<Option<Step<T, O>>> {
        self.handed = Some(Instant::now());
        Poll::Ready(Some(Step::Item(item)))
    }
}

impl<T, O> fmt::Debug for Flow<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("running", &self.future.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::future::{join, poll_fn};
    use std::sync::atomic::AtomicUsize;

    async fn next<T, O>(flow: &mut Flow<T, O>) -> Option<Step<T, O>> {
        poll_fn(|task| flow.poll_step(task)).await
    }

    #[test]
    fn items_come_in_order_and_the_end_comes_last() {
        let mut flow = Flow::new(|outlet| async move {
            for item in 0..5 {
                outlet.send(item).await;
            }
            "end"
        });
        let mut seen = Vec::new();
        loop {
            match block_on(next(&mut flow)) {
                Some(Step::Item(item)) => seen.push(item),
                Some(Step::End(end)) => break assert_eq!(end, "end"),
                None => unreachable!("the end comes before nothing does"),
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        assert!(block_on(next(&mut flow)).is_none());
    }

    #[test]
    fn the_future_is_at_most_one_item_ahead() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let mut flow: Flow<usize, ()> = Flow::new(|outlet| async move {
            loop {
                outlet.send(count.fetch_add(1, Ordering::Relaxed)).await;
            }
        });
        for taken in 1..100 {
            assert!(matches!(block_on(next(&mut flow)), Some(Step::Item(_))));
            assert!(made.load(Ordering::Relaxed) <= taken + 2);
        }
    }

    #[test]
    fn several_parts_of_a_future_share_an_outlet() {
        let mut flow = Flow::new(|outlet| async move {
            let outlet = &outlet;
            let part = |from: u32| async move {
                for item in from..from + 50 {
                    outlet.send(item).await;
                }
            };
            join(part(0), part(100)).await;
        });
        let mut sum = 0;
        while let Some(Step::Item(item)) = block_on(next(&mut flow)) {
            sum += item;
        }
        assert_eq!(sum, (0..50).sum::<u32>() + (100..150).sum::<u32>());
    }

    #[test]
    fn what_is_not_taken_is_dropped_with_the_future() {
        let alive = Arc::new(());
        let inside = Arc::clone(&alive);
        let mut flow: Flow<Arc<()>, ()> = Flow::new(|outlet| async move {
            loop {
                outlet.send(Arc::clone(&inside)).await;
            }
        });
        drop(block_on(next(&mut flow)));
        drop(flow);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

//! A bounded channel of events, for whoever works slower than the program.

use super::{Bus, Subscriber, Subscription};
use crate::event::Event;
use crate::pattern::PatternError;
use crate::run::Stop;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

impl Bus {
    /// Subscribes a bounded channel, for whoever works slower than the program. What does not fit is
    /// [counted](EventReceiver::missed).
    ///
    /// # Errors
    ///
    /// The pattern matches no event.
    pub fn channel(&self, pattern: &str, capacity: usize) -> Result<EventReceiver, PatternError> {
        let (sender, receiver) = sync_channel(capacity);
        let channel = Arc::new(Channel { sender, missed: AtomicU64::new(0) });
        let subscription = self.subscribe(pattern, Arc::clone(&channel) as Arc<dyn Subscriber>)?;
        Ok(EventReceiver { receiver, channel, _subscription: subscription })
    }
}

struct Channel {
    sender: SyncSender<Event>,
    missed: AtomicU64,
}

impl Subscriber for Channel {
    fn on_event(&self, event: &Event) -> Result<(), Stop> {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(event.clone()) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The receiving end of [`Bus::channel`].
pub struct EventReceiver {
    receiver: Receiver<Event>,
    channel: Arc<Channel>,
    _subscription: Subscription,
}

impl EventReceiver {
    /// Waits for the next event, at most for `timeout`.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Event> {
        // The sender lives in `self`, so the channel cannot be closed: an error is the end of the wait.
        self.receiver.recv_timeout(timeout).ok()
    }

    /// Returns the next event if there is one.
    #[must_use]
    pub fn try_recv(&self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// Returns how many events did not fit into the channel.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.channel.missed.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for EventReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReceiver").field("missed", &self.missed()).finish_non_exhaustive()
    }
}

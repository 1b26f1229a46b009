//! What happens to an export, as it happens: rare news, not each span.

use crate::health::DropReason;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Something that happened to the export to a destination. The numbers are in [`Health`](crate::health::Health).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthEvent {
    /// The destination's name.
    pub destination: Arc<str>,
    /// What happened.
    pub change: HealthChange,
}

/// What happened to an export.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthChange {
    /// The destination does not take spans; it is tried again.
    Down {
        /// Why, for people.
        error: Arc<str>,
    },
    /// The destination does not accept the credentials; it is tried again, slowly.
    Unauthorized {
        /// What it said, for people.
        error: Arc<str>,
    },
    /// The destination answers again.
    Up,
    /// Spans were found that an earlier process left on disk.
    Recovered {
        /// How many.
        spans: u64,
    },
    /// Spans are being lost, for a reason for which none was before. Further ones are only counted.
    Dropping {
        /// The reason.
        reason: DropReason,
    },
}

impl fmt::Display for HealthEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.destination;
        match &self.change {
            HealthChange::Down { error } => write!(f, "{name} does not take spans: {error}"),
            HealthChange::Unauthorized { error } => {
                write!(f, "{name} does not accept the credentials: {error}")
            }
            HealthChange::Up => write!(f, "{name} answers again"),
            HealthChange::Recovered { spans } => {
                write!(f, "{name} gets {spans} spans of an earlier process")
            }
            HealthChange::Dropping { reason } => write!(f, "{name} loses spans ({reason})"),
        }
    }
}

/// What happens to an export from the moment on at which it was asked for. Ends when the export does.
#[derive(Debug)]
pub struct HealthEvents(UnboundedReceiver<HealthEvent>);

impl HealthEvents {
    /// Waits for the next event; `None` when the export has ended. Needs no Tokio runtime.
    pub async fn next(&mut self) -> Option<HealthEvent> {
        self.0.recv().await
    }

    /// Returns the next event if there is one already.
    pub fn try_next(&mut self) -> Option<HealthEvent> {
        self.0.try_recv().ok()
    }

    pub(crate) fn channel() -> (UnboundedSender<HealthEvent>, Self) {
        let (sender, receiver) = unbounded_channel();
        (sender, Self(receiver))
    }
}

/// Those who listen to the events of a destination.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Mutex<Vec<UnboundedSender<HealthEvent>>>);

impl Listeners {
    pub(crate) fn add(&self, listener: UnboundedSender<HealthEvent>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    pub(crate) fn tell(&self, destination: &Arc<str>, change: HealthChange) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let event = HealthEvent { destination: Arc::clone(destination), change };
        listeners.retain(|listener| listener.send(event.clone()).is_ok());
    }

    /// Tells all that nothing more will come.
    pub(crate) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

//! How many workers there may be at once.

use crate::error::{Error, Kind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many workers a process has by default.
const DEFAULT: usize = 16;

/// How long a session waits for a worker. It does not wait for ever, since an agent that is a tool of another may wait
/// for the very worker that the other holds.
const PATIENCE: Duration = Duration::from_secs(30);

static OF_PROCESS: LazyLock<Workers> = LazyLock::new(|| Workers::new(DEFAULT));

/// A number of worker processes that sessions share. Clones share it as well.
///
/// ```
/// use glassbox_sandbox::{Limits, Sandbox, Workers};
///
/// let two = Workers::new(2);
/// let sandbox = Sandbox::new(Limits::default()).with_workers(&two);
/// ```
#[derive(Clone, Debug)]
pub struct Workers {
    permits: Arc<Semaphore>,
    most: usize,
    patience: Duration,
}

/// A worker's place, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Workers {
    /// Allows so many worker processes at once; at least one.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(most)), most, patience: PATIENCE }
    }

    /// Lets a session wait so long for a worker; 30 seconds by default.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Returns the workers of the process: 16, for all sessions that have no others.
    #[must_use]
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    pub(crate) async fn place(&self) -> Result<Place, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(self.patience, permit).await {
            // The semaphore is never closed, so that a permit is always given.
            Ok(permit) => Ok(Place { _permit: permit.ok() }),
            Err(_elapsed) => Err(Kind::Busy(self.most).into()),
        }
    }
}

//! A queue whose destination is not there yet: it takes nothing in, and counts nothing as lost.

use super::Queue;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Is done when the destination is there.
type Awakened = Box<dyn FnOnce() + Send>;

/// Whether a queue waits for its destination to be there for the first time.
#[derive(Default)]
pub(super) struct Slumber {
    lasts: AtomicBool,
    awakened: Mutex<Option<Awakened>>,
}

impl Slumber {
    pub(super) fn lasts(&self) -> bool {
        self.lasts.load(Ordering::Relaxed)
    }
}

impl Queue {
    /// Takes nothing in until it is [awakened](Self::awaken).
    pub(crate) fn slumbering(self, slumbers: bool) -> Self {
        self.slumber.lasts.store(slumbers, Ordering::Relaxed);
        self
    }

    /// Tells whether the destination has not been there yet.
    pub(crate) fn slumbers(&self) -> bool {
        self.slumber.lasts()
    }

    /// Says what to do when the destination is there; it is done at once if it is.
    pub(crate) fn when_awake(&self, then: impl FnOnce() + Send + 'static) {
        let mut awakened = self.slumber.awakened.lock().unwrap_or_else(PoisonError::into_inner);
        if self.slumber.lasts() {
            *awakened = Some(Box::new(then));
        } else {
            drop(awakened);
            then();
        }
    }

    /// Takes in what comes from now on, and has the worker try again at once what it could not send.
    pub(crate) fn awaken(&self) {
        let mut awakened = self.slumber.awakened.lock().unwrap_or_else(PoisonError::into_inner);
        self.slumber.lasts.store(false, Ordering::Relaxed);
        let then = awakened.take();
        drop(awakened);
        if let Some(then) = then {
            then();
        }
        self.is_hurried.store(true, Ordering::Relaxed);
        self.woken.notify_one();
    }
}

impl fmt::Debug for Slumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slumber").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

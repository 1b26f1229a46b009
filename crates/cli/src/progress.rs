//! How far something long has come: one line on the terminal that is written over, and nothing where nobody looks.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often the line is written.
const EVERY: Duration = Duration::from_millis(100);

/// What is short says nothing at all.
const FIRST: Duration = Duration::from_millis(500);

/// A line on the terminal, which goes away with this.
#[derive(Debug)]
pub(crate) struct Progress {
    next: Option<Instant>,
    is_written: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let is_seen = std::io::stderr().is_terminal();
        Self { next: is_seen.then(|| Instant::now() + FIRST), is_written: false }
    }

    /// Writes how far it is, if it is time to.
    pub(crate) fn tell(&mut self, text: impl FnOnce() -> String) {
        let Some(next) = self.next.filter(|next| *next <= Instant::now()) else { return };
        self.next = Some(next.max(Instant::now()) + EVERY);
        self.is_written = true;
        let mut out = std::io::stderr().lock();
        // A terminal that is gone has nobody before it.
        let _ = write!(out, "\r{}\x1b[K", text()).and_then(|()| out.flush());
    }

    /// Takes the line away, before other words.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_written) {
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

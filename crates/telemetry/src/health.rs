//! How the export is doing, in numbers that add up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How the export is doing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Health {
    /// Spans that were told to have begun. They are exported when they end.
    pub started: u64,
    /// What telemetry cost the program itself.
    pub hot_path: HotPath,
    /// How each destination is doing.
    pub destinations: Vec<DestinationHealth>,
}

/// What telemetry cost the program itself: the time in `on_start` and `on_end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HotPath {
    /// How many calls were made.
    pub calls: u64,
    /// How long they took together; `None` unless
    /// [`measure_hot_path`](crate::observe::Observe::measure_hot_path) is on.
    pub time: Option<Duration>,
}

/// How a destination is doing. All numbers count from the start.
///
/// At every moment `ended == exported + dropped.total() + queued + in_flight`: nothing is lost silently.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DestinationHealth {
    /// The destination's name.
    pub name: Arc<str>,
    /// Spans that ended and were meant for this destination.
    pub ended: u64,
    /// Spans that ended and were left out, since their trace is not in the sample. They are not in `ended`.
    pub sampled_out: u64,
    /// Spans that wait.
    pub queued: u64,
    /// Spans of the batch that is being sent.
    pub in_flight: u64,
    /// Spans that the destination has accepted.
    pub exported: u64,
    /// Spans that are lost.
    pub dropped: Dropped,
    /// Requests made, tries included.
    pub requests: u64,
    /// Requests that repeated a failed one.
    pub retries: u64,
    /// Bytes of all requests before compression.
    pub bytes_raw: u64,
    /// Bytes of all requests as they were sent.
    pub bytes_sent: u64,
    /// The time that the worker spent encoding and compressing, on its own thread.
    pub worker_busy: Duration,
    /// What went wrong last, for people.
    pub last_error: Option<Arc<str>>,
}

impl DestinationHealth {
    /// Tells whether every span is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.ended == self.exported + self.dropped.total() + self.queued + self.in_flight
    }
}

/// Why a span was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue was full.
    Overflow,
    /// The destination did not accept the credentials.
    Unauthorized,
    /// The destination refused the span, or everything.
    Rejected,
    /// The span alone was too large for the destination.
    TooLarge,
    /// The destination could not be reached, or was not able to answer, for too long.
    Undeliverable,
    /// The span could not be encoded: a value in it panicked when it was rendered.
    Unencodable,
    /// The program ended before the span could be sent.
    Shutdown,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Overflow,
        Self::Unauthorized,
        Self::Rejected,
        Self::TooLarge,
        Self::Undeliverable,
        Self::Unencodable,
        Self::Shutdown,
    ];

    /// Returns the reason in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overflow => "overflow",
            Self::Unauthorized => "unauthorized",
            Self::Rejected => "rejected",
            Self::TooLarge => "too large",
            Self::Undeliverable => "undeliverable",
            Self::Unencodable => "unencodable",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many spans were lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped([u64; DropReason::ALL.len()]);

impl Dropped {
    /// Returns how many spans were lost for a reason.
    #[must_use]
    pub const fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Returns how many spans were lost.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) const fn add(&mut self, reason: DropReason, spans: u64) {
        self.0[reason as usize] += spans;
    }
}

/// Writes the reasons that occurred, such as `3 overflow, 1 rejected`.
impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let occurred = DropReason::ALL.into_iter().filter(|reason| self.of(*reason) > 0);
        let texts: Vec<_> =
            occurred.map(|reason| format!("{} {reason}", self.of(reason))).collect();
        f.write_str(if texts.is_empty() { "none" } else { "" })?;
        f.write_str(&texts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_told_by_reason() {
        let mut dropped = Dropped::default();
        assert_eq!(dropped.to_string(), "none");
        dropped.add(DropReason::Shutdown, 2);
        dropped.add(DropReason::Overflow, 3);
        assert_eq!((dropped.total(), dropped.to_string().as_str()), (5, "3 overflow, 2 shutdown"));
    }
}

//! How the export is doing, in numbers that add up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

mod event;

pub(crate) use event::Listeners;
pub use event::{HealthChange, HealthEvent, HealthEvents};

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
/// At every moment `ended + recovered == exported + spooled + dropped.total() + queued + in_flight`: nothing is lost
/// silently.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DestinationHealth {
    /// The destination's name.
    pub name: Arc<str>,
    /// Spans that ended and were meant for this destination.
    pub ended: u64,
    /// Spans that ended and were left out, since their trace is not in the sample. They are not in `ended`.
    pub sampled_out: u64,
    /// Spans that are not in the sample and wait for what becomes of their trace: it is exported if a span of it fails,
    /// see [`keep_errors`](crate::destination::Destination::keep_errors). They are not in `ended`.
    pub held: u64,
    /// Spans that earlier processes left in the spool, as far as they were found. They are not in `ended`.
    pub recovered: u64,
    /// Spans that wait in memory.
    pub queued: u64,
    /// Spans of batches that are being sent, or that wait in memory to be sent again; not those that are on disk too.
    pub in_flight: u64,
    /// Spans that the destination has accepted.
    pub exported: u64,
    /// Spans that are on disk, recovered ones too, until the destination has taken them.
    pub spooled: u64,
    /// Spans that are lost.
    pub dropped: Dropped,
    /// Spans whose start a glassbox server was not told of, since too many began at once. They are exported all the same.
    pub unannounced: u64,
    /// Pictures and sound that were uploaded, see
    /// [`upload_media`](crate::destination::LangfuseConfig::upload_media).
    pub media_uploaded: u64,
    /// Pictures and sound that were not: references to them lead nowhere.
    pub media_failed: u64,
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
    /// The processor time of the worker's thread, for all that it does.
    pub worker_cpu: Duration,
    /// Whether the destination does not accept the credentials: they are to be corrected.
    pub is_unauthorized: bool,
    /// What went wrong last, for people.
    pub last_error: Option<Arc<str>>,
}

impl DestinationHealth {
    /// Tells whether every span is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let here = self.queued + self.in_flight + self.spooled;
        self.ended + self.recovered == self.exported + self.dropped.total() + here
    }
}

/// Writes one line, such as `langfuse: 12 sent, 3 queued, 1 dropped (1 overflow), 1.2 kB in 2 requests`. What is none is
/// left out.
impl fmt::Display for DestinationHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} sent", self.name, self.exported)?;
        for (count, what) in [
            (self.queued, "queued"),
            (self.in_flight, "in flight"),
            (self.spooled, "spooled"),
            (self.recovered, "recovered"),
            (self.sampled_out, "sampled out"),
            (self.held, "held"),
            (self.retries, "retries"),
            (self.media_failed, "files not uploaded"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if self.dropped.total() > 0 {
            write!(f, ", {} dropped ({})", self.dropped.total(), self.dropped)?;
        }
        write!(f, ", {:.1} kB in {} requests", self.bytes_sent as f64 / 1e3, self.requests)?;
        if self.is_unauthorized {
            f.write_str(", credentials refused")?;
        }
        self.last_error.as_ref().map_or(Ok(()), |error| write!(f, ", last error: {error}"))
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
    /// The spool was full: the oldest spans in it made room for newer ones.
    SpoolFull,
    /// The disk has lost the span, which was in the spool.
    SpoolUnreadable,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Overflow,
        Self::Unauthorized,
        Self::Rejected,
        Self::TooLarge,
        Self::Undeliverable,
        Self::Unencodable,
        Self::Shutdown,
        Self::SpoolFull,
        Self::SpoolUnreadable,
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
            Self::SpoolFull => "spool full",
            Self::SpoolUnreadable => "spool unreadable",
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

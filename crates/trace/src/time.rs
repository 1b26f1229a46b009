//! A point in time as spans carry it: nanoseconds since the Unix epoch. Reading the clock is others' work.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Makes a time of nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    /// Returns the time since `earlier`, or zero where `earlier` is later: clocks of other machines are untrusted.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns the time that is `duration` later, or the end of time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Writes the time as RFC 3339 in UTC with milliseconds, such as `2026-11-22T13:05:38.412Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 2^64 nanoseconds end in the year 2554, so the addition cannot overflow.
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_nanos(self.0)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        let time = Timestamp::from_unix_nanos(1_795_352_738_412_000_000);
        assert_eq!(time.to_string(), "2026-11-22T13:05:38.412Z");
        assert_eq!(Timestamp::from_unix_nanos(u64::MAX).to_string(), "2554-07-21T23:34:33.709Z");
    }

    #[test]
    fn durations_never_run_backwards() {
        let (early, late) = (Timestamp::from_unix_nanos(1), Timestamp::from_unix_nanos(5));
        assert_eq!(late.since(early), Duration::from_nanos(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}

//! The time of the server.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the epoch.
pub(super) fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

//! The bounds of a destination: how much may wait, how much goes at once, how long is tried.

use std::time::Duration;

/// Bounds what a destination keeps and how long it tries. Zero counts as one where nothing else makes sense.
///
/// ```
/// use glassbox_telemetry::limits::Limits;
/// let limits = Limits { batch_spans: 100, ..Limits::default() };
/// assert_eq!(limits.queue_spans, 262_144);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most spans that wait in memory. What comes on top drops the oldest that is neither a root nor an error. With
    /// a spool, the worker begins at half of it to move spans to the disk.
    pub queue_spans: usize,
    /// The most bytes that wait in memory, estimated without rendering anything; the same holds for them.
    pub queue_bytes: usize,
    /// The most spans in a request.
    pub batch_spans: usize,
    /// The most bytes in a request, before compression; a single span may be larger.
    pub batch_bytes: usize,
    /// The longest that a span waits for others to be sent with.
    pub batch_age: Duration,
    /// The most requests at a time. More than one is made only while full batches wait.
    pub requests: usize,
    /// The longest that a request may take, from the connection to the end of the answer.
    pub request_timeout: Duration,
    /// The longest that a batch is tried before it counts as undeliverable. With a spool it never does.
    pub give_up_after: Duration,
    /// The upper bound of the first pause between two tries; it doubles with each.
    pub first_backoff: Duration,
    /// The upper bound of all pauses, unless the destination itself asks for a longer one.
    pub longest_backoff: Duration,
    /// The pause after which a destination that refused the credentials is asked again.
    pub refusal_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_spans: 262_144,
            queue_bytes: 512 << 20,
            batch_spans: 512,
            batch_bytes: 4 << 20,
            batch_age: Duration::from_secs(1),
            requests: 4,
            request_timeout: Duration::from_secs(10),
            give_up_after: Duration::from_secs(5 * 60),
            first_backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(30),
            refusal_pause: Duration::from_secs(60),
        }
    }
}

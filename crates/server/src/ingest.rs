//! What senders send becomes a batch: OTLP, Langfuse's events, and announcements of spans that begin.

mod otlp;
mod langfuse;
mod announce;
mod span;

pub use announce::{Announcement, announcement};
pub use langfuse::{EventError, EventSuccess, LangfuseBatch, langfuse, langfuse_score};
pub use otlp::{Accepted, Format, otlp};
pub use span::{span_id as langfuse_span_id, trace_id as langfuse_trace_id};

/// How much is accepted at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a request.
    pub body_bytes: usize,
    /// The most bytes of a request after decompression.
    pub plain_bytes: usize,
    /// The most spans of a request; the rest is rejected.
    pub spans: usize,
    /// The most connections at a time; further ones wait.
    pub connections: usize,
    /// How long a request may take to arrive.
    pub read_timeout: std::time::Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            plain_bytes: 64 << 20,
            spans: 50_000,
            connections: 1024,
            read_timeout: std::time::Duration::from_secs(30),
        }
    }
}

/// Why nothing of a request was accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

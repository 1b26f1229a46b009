//! The clock and the dice: the one place where this crate reads time and draws ids.

use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::time::Timestamp;
use std::cell::RefCell;
use std::time::SystemTime;

thread_local! {
    /// A generator a thread, so that drawing an id takes no lock and no system call.
    static DICE: RefCell<fastrand::Rng> = RefCell::new(seeded());
}

fn seeded() -> fastrand::Rng {
    // Where the system gives no entropy, fastrand's own seed (time and thread) is still unique enough for ids.
    getrandom::u64().map_or_else(|_| fastrand::Rng::new(), fastrand::Rng::with_seed)
}

/// Returns the time of the system's clock.
#[must_use]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Until 2554 the sum fits, so there is no need of 128 bits, which are slow.
    let nanos = since_epoch.as_secs().saturating_mul(1_000_000_000);
    Timestamp::from_unix_nanos(nanos.saturating_add(since_epoch.subsec_nanos().into()))
}

/// Draws a new trace id.
#[must_use]
pub fn new_trace_id() -> TraceId {
    let drawn = DICE.with_borrow_mut(|dice| dice.u128(1..));
    TraceId::from_bytes(drawn.to_be_bytes())
}

/// Draws a new span id.
#[must_use]
pub fn new_span_id() -> SpanId {
    let drawn = DICE.with_borrow_mut(|dice| dice.u64(1..));
    SpanId::from_bytes(drawn.to_be_bytes())
}

//! Turns events into spans and exports them, without slowing the program.
//!
//! ```text
//!  Bus -> Recorder -> AsyncSpanProcessor -> Queue -> worker -> Delivery -> Http ==OTLP==> Langfuse, any OTLP
//!         (events      (counts, queues      (one a destination: bounded,    \-> Memory (tests)
//!          to spans)    a reference)         with its own thread)
//! ```
//!
//! [`observe()`](observe::observe) begins, and its guard exports the rest when it is dropped. Emitting never blocks,
//! fails or panics; serialization, compression and I/O happen on the workers' threads. Every span is exported or
//! counted as dropped with a reason: [`Health`](health::Health) adds up at every moment.
//!
//! # Layout
//!
//! From the ground up; a module uses only those above it.

pub mod error;
pub mod loopback;
pub mod limits;
pub mod health;
mod sampling;
mod ledger;
mod queue;
pub mod report;
pub mod memory;
pub mod destination;
pub mod config;
mod body;
mod http;
mod backoff;
mod delivery;
mod worker;
mod weight;
pub mod processor;
pub mod recorder;
pub mod tree;
pub mod observe;

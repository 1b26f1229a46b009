//! Turns events into spans and exports them, without slowing the program.
//!
//! ```text
//!  Bus -> Recorder -> AsyncSpanProcessor -> Queue -> worker -> Exporter -> Delivery ==OTLP==> Langfuse, any OTLP
//!         (events      (counts, queues      (one a destination:  \-> Memory   ^
//!          to spans)    a reference)         bounded, with its       (tests)  v
//!                                            own thread)                    Spool (disk)
//! ```
//!
//! [`observe()`](observe::observe) begins, and its guard exports the rest when it is dropped. Emitting never blocks,
//! fails or panics; serialization, compression and I/O happen on the workers' threads. Every span is exported, on disk
//! or counted as dropped with a reason: [`Health`](health::Health) adds up at every moment.
//!
//! # Layout
//!
//! From the ground up; a module uses only those above it.

pub mod error;
pub mod loopback;
pub mod limits;
pub mod health;
pub mod address;
mod sampling;
pub mod mask;
mod ledger;
mod starts;
mod queue;
pub mod report;
pub mod memory;
mod parcel;
pub mod spool;
pub mod destination;
pub mod config;
mod http;
mod media;
mod body;
pub mod probe;
mod backoff;
mod link;
mod delivery;
mod announcement;
mod lookout;
mod live;
mod exporter;
mod worker;
mod weight;
mod tally;
pub mod processor;
pub mod recorder;
pub mod tree;
pub mod observe;

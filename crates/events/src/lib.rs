//! Everything that happens while an LLM program runs: events, who hears of them, and who may stop it.
//!
//! ```text
//!  Scope -> Context -> OpenSpan -> Event -> Bus -> Subscriber (observes; may say Stop)
//!              |
//!              +-> Gate (is asked before each model attempt: Budget, a stopped Run)
//! ```
//!
//! A [`Context`](context::Context) says where in a program we are; futures carry it. An
//! [`OpenSpan`](open_span::OpenSpan) is something that has begun; its start and its end are events.
//! A [`Bus`](bus::Bus) hands events to subscribers, which cannot fail the program. A [`Gate`](gate::Gate) can.
//!
//! # Layout
//!
//! From the ground up; a module uses only those above it.

pub mod clock;
pub mod spending;
pub mod run;
pub mod refusal;
pub mod event;
pub mod pattern;
pub mod bus;
pub mod gate;
pub mod context;
pub mod propagation;
pub mod open_span;
pub mod scope;
pub mod watch;

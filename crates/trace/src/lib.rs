//! What a trace is: ids, typed spans, usage, cost and prices, the names of attributes, and OTLP.
//!
//! This crate does no I/O, reads no clock and knows no runtime. The framework that makes spans and the server
//! that shows them both stand on it, and never see each other.
//!
//! # Layout
//!
//! From the ground up; a module uses only those above it.

pub mod id;
pub mod time;
pub mod usage;
pub mod cost;
pub mod price;
pub mod payload;
pub mod message;
pub mod span;
pub mod vocabulary;
pub mod otlp;

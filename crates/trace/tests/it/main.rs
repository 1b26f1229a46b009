//! The tests of the crate's public interface.

mod usage;
mod otlp;

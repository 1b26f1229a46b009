//! The tests of the crate, as its users see it.

mod compile_errors;
mod field;
mod signature;

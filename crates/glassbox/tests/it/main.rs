//! The tests of the crate, as its users see it.

mod stage;
mod provider;
mod coffee_shop;

mod compile_errors;
mod field;
mod signature;
mod wires;

//! The tests of the crate, as its users see it.

mod stage;
mod provider;
mod propagation;
mod coffee_shop;

mod aimock;
mod bad_input;
mod budget;
mod compile_errors;
mod context;
mod faults;
mod field;
mod modules;
mod signature;
mod wires;

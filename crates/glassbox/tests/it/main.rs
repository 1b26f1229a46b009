//! The tests of the crate, as its users see it.

mod stage;
mod provider;
mod coffee_shop;

mod aimock;
mod bad_input;
mod budget;
mod compile_errors;
mod context;
mod faults;
mod field;
mod mcp;
mod modules;
mod propagation;
mod react;
mod signature;
mod tool;
mod wires;

//! The tests of the crate, as its users see it.

mod stage;
mod provider;
mod coffee_shop;

mod aimock;
mod bad_input;
mod budget;
mod candidates;
mod compile_errors;
mod context;
mod faults;
mod field;
mod modules;
mod parallel;
mod propagation;
mod retrieval;
mod signature;
mod tool;
mod streams;
mod wires;

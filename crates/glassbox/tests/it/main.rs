//! The tests of the crate, as its users see it.

mod stage;
mod provider;
mod coffee_shop;

mod aimock;
mod bad_input;
mod budget;
mod candidates;
#[cfg(feature = "sqlite")]
mod budget_store;
mod compile_errors;
mod context;
mod faults;
mod field;
mod mcp;
mod modules;
mod parallel;
mod propagation;
mod resilience;
mod retrieval;
mod react;
mod tool;
mod streams;
mod regression;
mod signature;
mod webhook;
mod wires;

//! The promises of buses, gates and scopes.

mod budget;
mod bus;
mod gate;
mod propagation;
mod regression;
mod scope;

//! The promises of buses, gates and scopes.

mod bus;
mod gate;
mod propagation;
mod scope;

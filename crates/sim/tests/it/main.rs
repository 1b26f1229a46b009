//! The simulated provider, seen through real sockets.

mod client;
mod genai;
mod wire;
mod refusals;
mod faults;
mod answers;
mod schemas;
mod timing;

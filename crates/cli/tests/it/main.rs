//! The command as its users run it: a real process, its real output, and a Langfuse that takes what it sends.

mod command;
mod stage;
mod langfuse;
// Shared with the tests of the crate that connects.
#[path = "../../../telemetry/tests/it/tls.rs"]
mod tls;

mod demo;
mod scenes;
mod doctor;
mod proxy;
mod signals;
mod serve;
mod live;
mod tools;
mod files;
mod sim;

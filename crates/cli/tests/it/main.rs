//! The command as its users run it: a real process, its real output, and a Langfuse that takes what it sends.

mod command;
mod langfuse;
mod demo;
mod sim;

//! Tests of the whole pipeline, against real receivers on real sockets.

mod receiver;
mod spans;
mod logs;

mod accounting;
mod bus;
mod delivery;
mod lifecycle;
mod settings;
mod wire;

//! Tests of the whole pipeline, against real receivers on real sockets.

mod receiver;
mod spans;
mod tls;
mod logs;

mod accounting;
mod announcements;
mod bus;
mod delivery;
mod faults;
mod lifecycle;
mod masking;
mod media;
mod rotel;
mod sampling;
mod settings;
mod server;
mod spool;
mod trust;
mod wire;

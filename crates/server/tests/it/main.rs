//! What the server promises, asked over real sockets.

mod stage;
mod otlp;

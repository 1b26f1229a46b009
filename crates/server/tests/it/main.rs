//! What the server promises, asked over real sockets and of a real file.

mod stage;
mod otlp;
mod evaluation;
mod contract;
mod order;
mod sqlite;
mod upkeep;
mod langfuse;
mod langfuse_read;
mod langfuse_v3;
mod langfuse_metrics;
mod live;
mod access;
mod limits;
mod hostile;
mod edges;
mod grpc;
mod api;

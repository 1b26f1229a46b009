//! Receives, keeps and shows traces: OTLP and Langfuse ingest, a store in one file, a query API and a live stream.
//!
//! # Layout
//!
//! From the ground up; a module uses only those above it.

pub mod filter;
pub mod wire;
pub mod received;
pub mod view;
pub mod insight;
pub mod store;
pub mod evaluation;
pub mod message;
pub mod detail;
pub mod langfuse;
pub mod live;
pub mod ingest;
pub mod http;
mod server;

pub use server::{BindError, Options, Running, Server};

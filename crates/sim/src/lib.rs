//! A simulated model provider on loopback: OpenAI, Anthropic and Gemini over real HTTP, with latency and faults.
//!
//! ```
//! use glassbox_sim::{Fault, FaultPlan, Latency, Script, Sim};
//!
//! let sim = Sim::builder()
//!     .seed(7)
//!     .latency(Latency::none())
//!     .script(Script::coffee_shop())
//!     .faults(FaultPlan::none().on_request(1, Fault::ServerError(500)))
//!     .start()?;
//! println!("point an OpenAI client at {}", sim.openai_url());
//! assert!(sim.requests().is_empty());
//! # Ok::<(), glassbox_sim::StartError>(())
//! ```
//!
//! # Layout, from the ground up
//!
//! - `seed`, `tokens`, `latency`: what is random, how text is counted, how long an answer takes
//! - `fault`, `script`: what goes wrong, and what the model says
//! - `prose`, `schema`: answers for which there is no script, conforming to any JSON Schema
//! - `ask`, `markers`, `answer`: a request and its answer, whatever the wire format
//! - `wire`: the three wire formats
//! - `embedding`: OpenAI's embeddings, in which texts that share words are near
//! - `record`, `limit`, `state`: what the server remembers
//! - `serve`: HTTP over TCP
//! - `sim`: the handle

mod seed;
mod tokens;
mod latency;
mod fault;
mod script;
mod prose;
mod schema;
mod ask;
mod markers;
mod answer;
mod wire;
mod embedding;
mod record;
mod limit;
mod state;
mod serve;
mod sim;

pub use fault::{Fault, FaultPlan};
pub use latency::Latency;
pub use record::{Counters, Received};
pub use script::{Entry, Script};
pub use sim::{Builder, Sim, StartError};
pub use wire::Provider;

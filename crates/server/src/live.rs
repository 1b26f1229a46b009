//! What happens right now: changes for whoever watches, and the processes that announce their spans.

mod hub;
mod registry;
mod matches;

pub use hub::{Caught, Hub};
pub use matches::select;
pub use registry::{Announced, Heard, NoRoom, Process, Registry, Sender};

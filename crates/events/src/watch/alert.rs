//! Alerts: rules on rates, latencies, errors, retries, cost and tokens over sliding windows.
//!
//! A rule hears events on the program's thread, where it takes a short lock and counts into a window of constant size. It
//! fires and resolves by the time of the events, and by a clock once a second where there are none. Hooks are called on a
//! thread of their own.

mod error;
mod histogram;
mod window;
mod rule;
mod state;
mod watching;
mod file;

pub use error::AlertError;
pub use rule::{Alert, Measure};
pub use state::AlertChange;
pub use watching::{Alerts, Watching};

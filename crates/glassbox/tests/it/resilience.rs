//! What model calls do when a provider is slow, full or down, and when nobody wants their answers any more.

mod cache;
mod fallback;
mod hedge;
mod limits;
mod promises;
mod stop;

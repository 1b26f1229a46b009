//! Things that `#[tool(..)]` and `#[arg(..)]` do not take.

use glassbox::tool;

/// Rings.
#[tool(title = "Ring")]
fn ring() {}

/// Rings.
#[tool(name = "ring the bell")]
fn ring_again() {}

/// Rings.
#[tool]
fn ring_often(#[arg(min = 1)] times: u8) {}

fn main() {}

//! Functions that no model can call.

use glassbox::tool;

/// Has a type parameter.
#[tool]
fn generic<T>(value: T) {}

/// Borrows.
#[tool]
fn borrows(text: &str) {}

/// Has no plain name.
#[tool]
fn pattern((a, b): (u8, u8)) {}

struct Counter;

impl Counter {
    /// Has a receiver.
    #[tool]
    fn count(&self) {}
}

/// Is a struct.
#[tool]
struct Hammer;

/// Names one argument twice.
#[tool]
fn twice(a: u8, #[arg(rename = "a")] b: u8) {}

fn main() {}

//! Arguments and results that cannot be read or written for a model.

use glassbox::tool;

struct Hammer;

/// Takes what is no field.
#[tool]
fn takes(_hammer: Hammer) {}

/// Returns what is no field.
#[tool]
async fn returns() -> Hammer {
    Hammer
}

/// Fails with what is no error.
#[tool]
fn fails() -> Result<u8, Hammer> {
    Err(Hammer)
}

fn main() {}

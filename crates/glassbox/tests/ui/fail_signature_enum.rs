//! An enum is no signature.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
enum Ask {
    Question(String),
}

fn main() {}

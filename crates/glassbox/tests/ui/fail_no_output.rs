//! A signature that asks for nothing.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
struct Ask {
    #[input]
    question: String,
}

fn main() {}

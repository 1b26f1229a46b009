//! An attribute of fields above the struct.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
#[field(description = "Answer the question.")]
struct Ask {
    #[output]
    answer: String,
}

fn main() {}

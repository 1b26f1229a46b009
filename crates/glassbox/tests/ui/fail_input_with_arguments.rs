//! `#[input]` takes nothing.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
struct Ask {
    #[input(description = "What to answer.")]
    question: String,
    #[output = "answer"]
    answer: String,
}

fn main() {}

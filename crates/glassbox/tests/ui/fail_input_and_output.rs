//! Fields that are both, or one thing twice.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
struct Ask {
    #[input]
    #[input]
    question: String,
    #[input]
    #[output]
    answer: String,
}

fn main() {}

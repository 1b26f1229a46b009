//! Fields that are neither input nor output.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
struct Ask {
    question: String,
    answer: String,
}

fn main() {}

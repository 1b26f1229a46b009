//! A signature without a doc comment.

use glassbox::Signature;

#[derive(Signature)]
struct Ask {
    #[input]
    question: String,
    #[output]
    answer: String,
}

fn main() {}

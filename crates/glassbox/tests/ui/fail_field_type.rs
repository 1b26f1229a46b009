//! A field of a type without `Field`.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
struct Ask {
    #[output]
    answer: Answer,
}

#[derive(Clone, Debug)]
struct Answer {
    text: String,
}

fn main() {}

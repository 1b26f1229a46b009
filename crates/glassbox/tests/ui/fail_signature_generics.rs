//! A signature with a type parameter.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
struct Ask<T> {
    #[input]
    question: T,
    #[output]
    answer: String,
}

fn main() {}

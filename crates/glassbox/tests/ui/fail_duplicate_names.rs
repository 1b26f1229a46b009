//! Names in JSON that are given twice.

use glassbox::{Field, Signature};

/// Answer the question.
#[derive(Signature)]
struct Ask {
    #[output]
    answer: String,
    #[output]
    #[field(rename = "answer")]
    short_answer: String,
}

#[derive(Clone, Debug, Field)]
enum Size {
    Large,
    #[field(rename = "large")]
    ExtraLarge,
}

fn main() {}

//! Both things that are missing are told at once.

use glassbox::Signature;

#[derive(Signature)]
struct Ask {
    #[input]
    question: String,
}

fn main() {}

//! A tuple struct is no signature.

use glassbox::Signature;

/// Answer the question.
#[derive(Signature)]
struct Ask(String, String);

fn main() {}

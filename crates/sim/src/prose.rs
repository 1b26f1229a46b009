//! Sentences and words for answers that no script gives.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const OPENINGS: [&str; 6] = [
    "In short,",
    "As far as one can tell,",
    "From what was given,",
    "On balance,",
    "Put simply,",
    "Looking at it closely,",
];
const SUBJECTS: [&str; 6] =
    ["the request", "the question", "the first option", "the plan", "this approach", "the example"];
const VERBS: [&str; 6] = [
    "is clear enough",
    "can be handled directly",
    "makes sense",
    "fits well",
    "holds up",
    "works as asked",
];
const ENDINGS: [&str; 6] = [
    "and nothing else is needed.",
    "so the next step can follow.",
    "given the details at hand.",
    "and there is no reason to wait.",
    "within the limits that were set.",
    "as the context shows.",
];
const WORDS: [&str; 12] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper",
    "kernel", "lagoon",
];

/// Makes one sentence.
pub(crate) fn sentence(rng: &mut StdRng) -> String {
    let mut pick = |from: &[&'static str]| *from.choose(rng).unwrap_or(&"");
    format!("{} {} {} {}", pick(&OPENINGS), pick(&SUBJECTS), pick(&VERBS), pick(&ENDINGS))
}

/// Makes two sentences, as an answer in prose.
pub(crate) fn paragraph(rng: &mut StdRng) -> String {
    format!("{} {}", sentence(rng), sentence(rng))
}

/// Makes one word.
pub(crate) fn word(rng: &mut StdRng) -> &'static str {
    WORDS.choose(rng).unwrap_or(&"word")
}

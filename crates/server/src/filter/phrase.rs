//! Words that stand side by side.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Words that have to stand side by side, in this order. Upper and lower case are the same, and so are letters with and
/// without marks; what stands between words makes no difference. A `*` behind the last word stands for its rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    words: Vec<String>,
    is_open: bool,
}

impl Phrase {
    /// Makes a phrase of what was quoted.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { words: words(text).collect(), is_open: text.trim_end().ends_with('*') }
    }

    /// Tells whether there is no more than one word, which stands beside anything.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.words.len() < 2
    }

    /// Tells whether there is no word at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Tells whether the words stand in a text.
    #[must_use]
    pub fn stands_in(&self, text: &str) -> bool {
        let Some((last, first)) = self.words.split_last() else { return true };
        let text: Vec<String> = words(text).collect();
        text.windows(self.words.len()).any(|window| {
            let (start, end) = window.split_at(first.len());
            let is_end = |word: &String| match self.is_open {
                true => word.starts_with(last.as_str()),
                false => word == last,
            };
            start == first && end.first().is_some_and(is_end)
        })
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c));
    words.map(folded).filter(|word| !word.is_empty())
}

/// A word in lower case, without the marks on its letters.
fn folded(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_side_by_side() {
        let check = |phrase: &str, text: &str, stands: bool| {
            assert_eq!(Phrase::new(phrase).stands_in(text), stands, "{phrase} in {text}");
        };
        check("no such cup", "there is NO such-cup here", true);
        check("no such cup", "such a cup, no", false);
        check("no such cup", "no such", false);
        check("such cu*", "no such cup", true);
        check("such cu", "no such cup", false);
        check("cafe creme", "Un café crème\u{301}", true);
        check("cup", "cups", false);
        check(" - ", "anything", true);
    }
}

//! Counts tokens as a quarter of the bytes, rounded up: believable, and never more tokens than bytes.

/// Bytes that make one token.
pub(crate) const BYTES: usize = 4;

/// Counts the tokens of a text.
pub(crate) fn count(text: &str) -> u64 {
    text.len().div_ceil(BYTES) as u64
}

/// Cuts a text so that it counts at most `tokens`; tells whether something was cut.
pub(crate) fn cut(text: &mut String, tokens: u64) -> bool {
    let most = usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(BYTES);
    if text.len() <= most {
        return false;
    }
    text.truncate(text.floor_char_boundary(most));
    true
}

/// Splits a text into pieces of about `tokens` each, never inside a character.
pub(crate) fn pieces(text: &str, tokens: usize) -> Vec<&str> {
    let size = tokens.max(1) * BYTES;
    let mut rest = text;
    let mut pieces = Vec::with_capacity(text.len() / size + 1);
    while !rest.is_empty() {
        // `ceil`, because a character can be as long as a token and the piece must not be empty.
        let (piece, tail) = rest.split_at(rest.ceil_char_boundary(size));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_more_tokens_than_bytes(text in ".{0,200}") {
            prop_assert!(count(&text) <= text.len() as u64);
        }

        #[test]
        fn a_cut_text_counts_no_more_than_allowed(text in ".{0,200}", tokens in 0_u64..60) {
            let mut cut_text = text.clone();
            let was_cut = cut(&mut cut_text, tokens);
            prop_assert!(count(&cut_text) <= tokens);
            prop_assert!(text.starts_with(&cut_text));
            prop_assert_eq!(was_cut, cut_text != text);
        }

        #[test]
        fn pieces_make_the_text(text in ".{0,200}", tokens in 0_usize..9) {
            prop_assert_eq!(pieces(&text, tokens).concat(), text);
        }
    }
}

//! Regular expressions of the user's.

use super::Redactor;
use super::rewrite::{Found, rewrite};
use regex::Regex;
use std::borrow::Cow;

/// Hides what a regular expression matches.
pub(super) struct Pattern {
    regex: Regex,
    mark: String,
}

impl Pattern {
    /// Reads a regular expression, or tells what is wrong with it.
    pub(super) fn new(name: &str, pattern: &str) -> Result<Self, String> {
        let regex = Regex::new(pattern)
            .map_err(|error| format!("is no regular expression: {}", in_a_line(&error)))?;
        if regex.is_match("") {
            return Err("matches the empty text, so it would hide everything".to_owned());
        }
        Ok(Self { regex, mark: format!("[redacted:{name}]") })
    }
}

/// The parser's last line says what is wrong; those before it draw where, which needs a fixed width.
fn in_a_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

impl Redactor for Pattern {
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut searched = 0;
        rewrite(text, |from| {
            searched = searched.max(from);
            loop {
                let found = self.regex.find_at(text, searched)?;
                if !found.is_empty() {
                    return Some(Found { range: found.range(), mark: &self.mark });
                }
                // A boundary: it hides nothing.
                searched = text.ceil_char_boundary(found.end() + 1);
                if searched >= text.len() {
                    return None;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_hidden_under_their_name() {
        let pattern = Pattern::new("order", r"ORD-\d+|\b").unwrap();
        assert_eq!(pattern.redact("é ORD-1, ORD-22 é"), "é [redacted:order], [redacted:order] é");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let error = |pattern| Pattern::new("x", pattern).err().unwrap();
        assert_eq!(error("(a"), "is no regular expression: unclosed group");
        assert_eq!(error("a*"), "matches the empty text, so it would hide everything");
    }
}

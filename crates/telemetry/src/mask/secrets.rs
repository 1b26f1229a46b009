//! Keys, tokens and passwords: by how they look, or by what they are called.

use super::{Redactor, pair, token};
use std::borrow::Cow;

/// No text without `=` and `:` that is shorter holds a secret.
const SHORTEST: usize = 12;

/// Hides secrets.
pub(super) struct Secrets;

impl Redactor for Secrets {
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        // Words of JSON and names are shorter than any key or token; most texts of a span are such.
        if text.len() < SHORTEST && !text.contains(['=', ':']) {
            return Cow::Borrowed(text);
        }
        token::and_then(token::hide(text), pair::hide)
    }

    fn redact_value<'t>(&self, key: &str, value: &'t str) -> Cow<'t, str> {
        pair::hidden_by_name(key, value).unwrap_or_else(|| self.redact(value))
    }
}

//! Keys, tokens and passwords: by how they look, or by what they are called.

use super::{Redactor, glance, name, pair, token};
use std::borrow::Cow;

/// No text without `=` and `:` that is shorter holds a secret.
const SHORTEST: usize = 12;

/// Hides secrets.
pub(super) struct Secrets;

impl Redactor for Secrets {
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if is_too_short(text) || !glance::may_hold_secret(text) {
            return Cow::Borrowed(text);
        }
        search(text)
    }

    fn redact_value<'t>(&self, key: &str, value: &'t str) -> Cow<'t, str> {
        pair::hidden_by_name(key, value).unwrap_or_else(|| self.redact(value))
    }

    fn may_redact(&self, key: Option<&str>, text: &str) -> bool {
        key.is_some_and(|key| name::strength(key.as_bytes()).is_some())
            || !is_too_short(text) && glance::may_hold_secret(text)
    }
}

fn search(text: &str) -> Cow<'_, str> {
    token::and_then(token::hide(text), pair::hide)
}

/// Words of JSON and names are shorter than any key or token; most texts of a span are such.
fn is_too_short(text: &str) -> bool {
    text.len() < SHORTEST && !text.contains(['=', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Parts of secrets and what may stand around them.
    const PARTS: &str = r#"sk- sk-ant- sk_live_ gsk_ csk- r8_ hf- pk-lf- AIza ya29. xai- lsv2_pt_ AKIA gho_ github_pat_ npm_ pypi-
        xoxb- rk_test_ whsec_ SG. -----BEGIN PRIVATE KEY----- eyJhbGci .eyJzdWIi :// user :pw@ : = := => password api_key
        "apiKey" 'token' tokens Authorization: Bearer basic dTpw " ' \ \n \t \" [ ] { } ( ) , ; & @ / 7 42 a1B2c3D4 C0ffeeC0ffee0123
        abcdefghijklmnopqrstuvwxyz0123 ABCDEFGHIJKLMNOP é _ - ."#;

    fn text() -> impl Strategy<Value = String> {
        let parts = PARTS.split_whitespace().chain([" ", "\n", "\t"]);
        prop::collection::vec(prop::sample::select(parts.collect::<Vec<_>>()), 0..12)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn a_quick_look_overlooks_nothing(text in text()) {
            let text = text + "; a text that is long enough";
            prop_assert_eq!(Secrets.redact(&text), search(&text));
        }
    }
}

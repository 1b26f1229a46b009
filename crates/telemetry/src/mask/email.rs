//! E-mail addresses.

use super::Redactor;
use super::rewrite::{Found, rewrite};
use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

/// An address, also as it stands in a URL. A domain has a dot.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // The pattern is a constant, and the tests need it: it compiles.
    Regex::new(r"[\p{L}\p{N}._%+'~-]+(?:@|%40)(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}").ok()
});

/// Hides e-mail addresses.
pub(super) struct Emails;

impl Redactor for Emails {
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.may_redact(None, text) {
            return Cow::Borrowed(text);
        }
        rewrite(text, |from| {
            let range = ADDRESS.as_ref()?.find_at(text, from)?.range();
            Some(Found { range, mark: "[redacted:email]" })
        })
    }

    fn may_redact(&self, _key: Option<&str>, text: &str) -> bool {
        text.contains('@') || text.contains("%40")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hidden() {
        let check = |text: &str, expected: &str| assert_eq!(Emails.redact(text), expected);
        check("Ada <ada.l+shop@example.co.uk>, Bob", "Ada <[redacted:email]>, Bob");
        check("mailto:ada@example.com?x=1", "mailto:[redacted:email]?x=1");
        check("/users/ada%40example.com/orders", "/users/[redacted:email]/orders");
        check("größe@müller.example.", "[redacted:email].");
        check("a@b.cd,e@f.gh", "[redacted:email],[redacted:email]");
        for text in [
            "@handle",
            "ada@localhost",
            "5 @ 2.50",
            "a @ b.com",
            "x@@@langfuseMedia:type=a|id=b@@@",
        ] {
            check(text, text);
        }
    }
}

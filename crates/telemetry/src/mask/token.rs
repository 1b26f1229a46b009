//! Keys and tokens that are known by how they look, wherever they stand.

use super::rewrite::{Found, rewrite};
use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Keys by the prefixes that their makers gave them. The first group is one whose prefix alone says too little.
static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let alternatives = [
        // OpenAI, Anthropic, DeepSeek, OpenRouter and others; not the end of "task-", unless that is an escape.
        r"(?:(?-u:\b)|\\[bfnrt])(sk-[A-Za-z0-9_-]{12,})",
        // OpenAI's and Anthropic's longer prefixes, and Langfuse's pairs
        r"sk-(?:ant|proj|svcacct|admin|or|lf)-[A-Za-z0-9_-]{6,}|pk-lf-[A-Za-z0-9-]{6,}",
        // Google
        r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}",
        // Groq, xAI, Perplexity, NVIDIA, Hugging Face, Replicate, Cerebras, LangSmith, Tavily
        r"(?:gsk|hf|r8|csk)[_-][A-Za-z0-9]{16,}|(?:xai|pplx|nvapi|tvly)-[A-Za-z0-9_-]{16,}|lsv2_[a-z]{2}_[A-Za-z0-9_]{16,}",
        // AWS
        r"A(?:KI|SI)A[A-Z0-9]{16}",
        // GitHub, GitLab, npm, PyPI
        r"gh[opsur]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{16,}",
        // Slack, Stripe, SendGrid
        r"xox[a-z]-[A-Za-z0-9-]{10,}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9]{16,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        // PEM
        r"-----BEGIN[A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?s:.)*?(?:-----END[A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\z)",
    ];
    // The pattern is a constant, and the tests need it: it compiles.
    Regex::new(&alternatives.join("|")).ok()
});

/// JSON web tokens, with or without a signature.
static JWT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"eyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*").ok()
});

/// Name and password in a URL.
static LOGIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"://[^\s/?#:@"'<>\\]*:[^\s/?#"'<>\\]+@"#).ok());

/// Hides what looks like a key, a token, or the name and password in a URL.
pub(super) fn hide(text: &str) -> Cow<'_, str> {
    let text = rewrite(text, |from| key(text, from));
    let text = and_then(text, |text| rewrite(text, |from| jwt(text, from)));
    and_then(text, |text| rewrite(text, |from| login(text, from)))
}

/// Does something more with a text that may have been rewritten.
pub(super) fn and_then<'t>(
    text: Cow<'t, str>,
    more: impl for<'r> FnOnce(&'r str) -> Cow<'r, str>,
) -> Cow<'t, str> {
    match text {
        Cow::Borrowed(text) => more(text),
        Cow::Owned(text) => Cow::Owned(more(&text).into_owned()),
    }
}

fn key(text: &str, mut from: usize) -> Option<Found<'static>> {
    let regex = KEY.as_ref()?;
    loop {
        let found = regex.find_at(text, from)?;
        let mut range = found.range();
        // What stands before the key in the match is the end of an escape.
        if text[range.clone()].starts_with('\\') {
            range.start += 2;
        }
        let key = &text[range.clone()];
        let is_bare = key.starts_with("sk-") && !key.bytes().any(|byte| byte.is_ascii_digit());
        // Words with hyphens have no digits, nor has any part of them.
        if is_bare && !has_known_prefix(key) {
            from = range.end;
            continue;
        }
        return Some(Found { range, mark: "[redacted:key]" });
    }
}

fn has_known_prefix(key: &str) -> bool {
    ["ant", "proj", "svcacct", "admin", "or", "lf"].iter().any(|maker| {
        key["sk-".len()..].strip_prefix(maker).is_some_and(|rest| rest.starts_with('-'))
    })
}

fn jwt(text: &str, from: usize) -> Option<Found<'static>> {
    let range = JWT.as_ref()?.find_at(text, from)?.range();
    Some(Found { range, mark: "[redacted:token]" })
}

fn login(text: &str, mut from: usize) -> Option<Found<'static>> {
    let regex = LOGIN.as_ref()?;
    loop {
        let found = regex.find_at(text, from)?;
        let range = found.start() + "://".len()..found.end() - "@".len();
        // What is hidden already has a colon too.
        if !found.as_str().contains("[redacted") {
            return Some(Found { range, mark: "[redacted:login]" });
        }
        from = range.start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_hidden_wherever_they_stand() {
        for key in [
            "sk-abcdef1234567890abcdef1234567890",
            "sk-proj-Ab_1-cdEFghIJklMNopQRstUV",
            "sk-ant-api03-AbCd_ef-GhIjKlMnOpQrStUvWxYz0123456789",
            "sk-ant-abcdefghijklmnop",
            "sk-or-v1-0123456789abcdef0123456789abcdef",
            "sk-lf-01234567-89ab-cdef-0123-456789abcdef",
            "pk-lf-01234567-89ab-cdef-0123-456789abcdef",
            "AIzaSyA0123456789abcdefghijklmnopq",
            "gsk_0123456789abcdefghijABCDEFGHIJ",
            "xai-0123456789abcdefghijABCDEFGHIJ",
            "hf_abcdefghijklmnopqrst",
            "AKIAIOSFODNN7EXAMPLE",
            "ASIAIOSFODNN7EXAMPLE",
            "ghp_0123456789abcdefghijABCD",
            "github_pat_11ABCDEFG0abcdefghij_0123456789",
            "glpat-0123456789abcdef",
            "xoxb-1234-abcdefghijkl",
            "sk_live_0123456789abcd",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nMIIEow cut off here",
        ] {
            let hidden = "[redacted:key]";
            for (before, after) in
                [("", ""), ("key ", ""), ("(", ")"), ("{\\\"k\\\":\\\"\\n", "\\\""), ("=", "&x")]
            {
                if key.ends_with("here") && !after.is_empty() {
                    continue;
                }
                let text = format!("{before}{key}{after}");
                assert_eq!(hide(&text), format!("{before}{hidden}{after}"), "{text}");
            }
            assert_eq!(
                hide(&format!("{key} {key}")).matches(hidden).count(),
                2 - usize::from(key.ends_with("here")),
                "{key}"
            );
        }
    }

    #[test]
    fn tokens_and_logins_are_hidden() {
        let check = |text: &str, expected: &str| assert_eq!(hide(text), expected);
        check("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3 y", "x [redacted:token] y");
        check(
            "postgres://ada:s3cret@db.example/shop",
            "postgres://[redacted:login]@db.example/shop",
        );
        check(
            "redis://:p%40ss@h and https://u:a@b@h/",
            "redis://[redacted:login]@h and https://[redacted:login]@h/",
        );
    }

    #[test]
    fn words_are_left_alone() {
        for text in [
            "task-management-system-overview",
            "sk-learn-contributors",
            "see https://example.com:8080/a@b and mailto:ada@example.com",
            "AKIA is a prefix, ghp_ too",
            "eyJ is how base64 of {\" begins",
            "ask-me-anything-2024-conference",
        ] {
            assert!(matches!(hide(text), Cow::Borrowed(_)), "{text}");
        }
    }
}

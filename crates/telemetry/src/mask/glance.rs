//! A quick look at a text that may be JSON: whether there could be a secret in it.
//!
//! Most texts hold none, and one pass over their bytes shows it. The pass need not read JSON: what begins a secret is never
//! written in escapes, but for those that [`Filter::may_change`](glassbox_trace::otlp::Filter::may_change) never sees. So
//! what holds for the JSON holds for each string in it, at any depth. In doubt it says yes, and the text is searched.

use super::name::{Strength, strength};
use super::pair::before;
use aho_corasick::Span;
use aho_corasick::packed::{Config, Searcher};
use memchr::memchr2_iter;
use std::sync::LazyLock;

/// What has to follow the beginning of a secret.
#[derive(Clone, Copy)]
enum Then {
    /// So many letters and digits.
    Letters(usize),
    /// So many of these, hyphens and underlines.
    Token(usize),
    /// What `sk-` and `sk_` are to be followed by, and stand behind.
    Secret,
    /// The rest of a JSON web token's head, and its body.
    Jwt,
    /// A name and a password.
    Login,
    /// A space.
    Space,
    Anything,
}

/// How everything begins that the sibling modules know by its look. Three bytes at least, which the search wants.
const BEGINNINGS: &[(&str, Then)] = &[
    ("sk-", Then::Secret),
    ("sk_", Then::Secret),
    ("pk-lf-", Then::Token(6)),
    ("AIza", Then::Token(30)),
    ("ya29.", Then::Token(20)),
    ("hf_", Then::Letters(16)),
    ("hf-", Then::Letters(16)),
    ("r8_", Then::Letters(16)),
    ("r8-", Then::Letters(16)),
    ("xai-", Then::Token(16)),
    ("pplx-", Then::Token(16)),
    ("nvapi-", Then::Token(16)),
    ("tvly-", Then::Token(16)),
    ("lsv2_", Then::Token(16)),
    ("AKIA", Then::Letters(16)),
    ("ASIA", Then::Letters(16)),
    ("gho_", Then::Letters(16)),
    ("ghp_", Then::Letters(16)),
    ("ghs_", Then::Letters(16)),
    ("ghu_", Then::Letters(16)),
    ("ghr_", Then::Letters(16)),
    ("github_pat_", Then::Token(16)),
    ("glpat-", Then::Token(16)),
    ("npm_", Then::Letters(30)),
    ("pypi-", Then::Token(16)),
    ("xox", Then::Token(10)),
    ("rk_live_", Then::Letters(10)),
    ("rk_test_", Then::Letters(10)),
    ("pk_live_", Then::Letters(10)),
    ("pk_test_", Then::Letters(10)),
    ("whsec_", Then::Letters(16)),
    ("SG.", Then::Token(16)),
    ("PRIVATE KEY", Then::Anything),
    ("eyJ", Then::Jwt),
    ("://", Then::Login),
    ("earer", Then::Space),
    ("EARER", Then::Space),
    ("asic", Then::Space),
    ("ASIC", Then::Space),
];

/// Searches for all beginnings at once; `None` where the processor cannot, and every text is searched for each.
static SEARCHER: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    Config::new().builder().extend(BEGINNINGS.iter().map(|(begin, _)| begin)).build()
});

/// Tells whether there could be a secret in a text, or in the strings of JSON without `\u` and `\/`.
pub(super) fn may_hold_secret(text: &str) -> bool {
    may_hold_named(text) || may_hold_token(text)
}

/// Tells whether anything is called a secret: `password=`, `"apiKey":`.
fn may_hold_named(text: &str) -> bool {
    memchr2_iter(b'=', b':', text.as_bytes()).any(|sign| {
        let name = before(text, sign);
        // A line may end between a name and its colon, also in JSON within JSON.
        let is_line_end = matches!(name, [.., b'\n' | b'\r'] | [.., b'\\', b'n' | b'r' | b't']);
        match strength(name) {
            _ if is_line_end => true,
            None => false,
            Some(Strength::Strong) => true,
            Some(Strength::Weak) => !is_followed_by_count(&text.as_bytes()[sign + 1..]),
        }
    })
}

/// Tells whether a number follows, as behind `"total_tokens":`.
fn is_followed_by_count(text: &[u8]) -> bool {
    let number = text.trim_ascii_start();
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = number[digits..].iter().find(|byte| !matches!(byte, b'}' | b']'));
    digits > 0 && matches!(behind, None | Some(b',' | b' ' | b'\n' | b'\r'))
}

/// Tells whether anything looks like a key, a token or a login.
fn may_hold_token(text: &str) -> bool {
    let Some(searcher) = SEARCHER.as_ref() else { return true };
    let bytes = text.as_bytes();
    let mut start = 0;
    while let Some(found) = searcher.find_in(bytes, Span { start, end: bytes.len() }) {
        let then = BEGINNINGS.get(found.pattern().as_usize()).map_or(Then::Anything, |it| it.1);
        if follows(then, &bytes[..found.start()], &bytes[found.end()..]) {
            return true;
        }
        start = found.start() + 1;
    }
    false
}

fn follows(then: Then, before: &[u8], after: &[u8]) -> bool {
    let run = |of: fn(u8) -> bool| after.iter().take_while(|byte| of(**byte)).count();
    let letters = || run(|byte| byte.is_ascii_alphanumeric());
    match then {
        Then::Anything => true,
        Then::Letters(least) => letters() >= least,
        Then::Token(least) => run(is_of_token) >= least,
        Then::Secret => is_secret_key(before, after),
        Then::Jwt => after[run(is_of_token)..].starts_with(b".eyJ"),
        Then::Login => is_login(after),
        // A tab may be escaped.
        Then::Space => matches!(after.first(), Some(b' ' | b'\t' | b'\\')),
    }
}

/// Tells whether `sk-` or `sk_` begins a key, and is not the end of a word.
fn is_secret_key(before: &[u8], after: &[u8]) -> bool {
    const MAKERS: [&[u8]; 8] =
        [b"ant-", b"proj-", b"svcacct-", b"admin-", b"or-", b"lf-", b"live_", b"test_"];
    let is_word = match before {
        [] => false,
        [.., b'\\', b'b' | b'f' | b'n' | b'r' | b't'] | [.., b'g' | b'c'] => false,
        [.., last] => last.is_ascii_alphanumeric() || *last == b'_',
    };
    let length = after.iter().take_while(|byte| is_of_token(**byte)).count();
    (!is_word && length >= 12) || MAKERS.iter().any(|maker| after.starts_with(maker))
}

/// Tells whether what follows `://` may have a name and a password in it.
fn is_login(after: &[u8]) -> bool {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"@/?#\"'<>\\".contains(byte);
    let Some(end) = after.iter().position(ends) else { return false };
    // An escaped backspace is the one escape that does not end it.
    let rest = &after[end..];
    let behind = rest.iter().position(|byte| *byte != b'\\').map(|at| &rest[at..]);
    rest[0] == b'@' || (rest[0] == b'\\' && behind.is_some_and(|rest| rest[0] == b'b'))
}

const fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_day_need_no_search() {
        for text in [
            "",
            "chat gpt-5.6-luna",
            "chatcmpl-C0ffeeC0ffeeC0ffeeC0ffee",
            "see https://example.com:8080/a@b, and mailto:ada@example.com",
            r#"{"max_tokens":4096,"usage":{"total_tokens": 12 },"desk_lamp_with_switch":1}"#,
            "a task-management-system for basically everybody",
            r#"[{"role":"user","content":"Time: 10:30\nrisk-averse, ask-me-anything"}]"#,
        ] {
            assert!(!may_hold_secret(text), "{text}");
        }
    }

    #[test]
    fn in_doubt_it_says_yes() {
        for text in [
            "{\"password\"\n: \"x\"}",
            r#"{"a":"{\"password\"\n:\"x\"}"}"#,
            r#"{"a":"x\nsk-0123456789abcdef"}"#,
            r#"{"a":"Bearer\tabcDEF123456"}"#,
            r#"{"a":"ftp://u:p\bq@h"}"#,
            r#"{"tokens":["0123456789abcdef"]}"#,
            "token=0123456789abcdef",
        ] {
            assert!(may_hold_secret(text), "{text}");
        }
    }
}

//! Values of what is called a key, a password or a token: `api_key=..`, `"password": ".."`, `Authorization: Bearer ..`.

use super::name::{Strength, strength};
use super::rewrite::{Found, rewrite};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr2;
use regex::Regex;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

const MARK: &str = "[redacted:secret]";

/// How marks begin.
const HIDDEN: &str = "[redacted";

/// What may stand before the value in `Authorization: ..`.
const SCHEMES: [&str; 5] = ["bearer", "basic", "token", "digest", "apikey"];

/// A scheme that stands alone.
static SCHEME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // The pattern is a constant, and the tests need it: it compiles.
    Regex::new(r"(?:[Bb]earer|BEARER|[Bb]asic|BASIC)[ \t]+").ok()
});

/// Hides values in a text.
pub(super) fn hide(text: &str) -> Cow<'_, str> {
    let mut searched = 0;
    let named = rewrite(text, |from| {
        searched = searched.max(from);
        while let Some(at) = memchr2(b'=', b':', &text.as_bytes()[searched..]) {
            let sign = searched + at;
            searched = sign + 1;
            let Some(strength) = strength(before(text, sign)) else { continue };
            let range = value_after(text, sign);
            if is_secret(strength, &text[range.clone()]) {
                return Some(Found { range, mark: MARK });
            }
        }
        None
    });
    super::token::and_then(named, |text| {
        let mut searched = 0;
        rewrite(text, |from| {
            searched = searched.max(from);
            loop {
                let scheme = SCHEME.as_ref()?.find_at(text, searched)?;
                searched = scheme.end();
                let range = searched..searched + bare_len(&text[searched..]);
                if is_token(scheme.as_str(), &text[range.clone()]) {
                    return Some(Found { range, mark: "[redacted:token]" });
                }
            }
        })
    })
}

/// Returns what to write for a value that is a secret because of what it is called.
pub(super) fn hidden_by_name(name: &str, value: &str) -> Option<Cow<'static, str>> {
    let is_secret = is_secret(strength(name.as_bytes())?, value);
    is_secret.then_some(Cow::Borrowed(MARK))
}

fn is_secret(strength: Strength, value: &str) -> bool {
    let looks_so = || looks_random(value) || (value.contains('=') && !value.contains(' '));
    !is_no_secret(value) && (strength == Strength::Strong || looks_so())
}

/// Returns the text before a sign, without the spaces and quotation marks right before it, as in `env["KEY"] = ..`.
pub(super) fn before(text: &str, sign: usize) -> &[u8] {
    let before = trimmed(&text.as_bytes()[..sign], b" \t:");
    let in_brackets = match before {
        [inner @ .., b']'] if inner.ends_with(b"\"") || inner.ends_with(b"'") => inner,
        _ => before,
    };
    trimmed(in_brackets, b"\"'`\\")
}

/// Returns a text without these letters at its end.
fn trimmed<'t>(text: &'t [u8], letters: &[u8]) -> &'t [u8] {
    let last = text.iter().rposition(|byte| !letters.contains(byte));
    &text[..last.map_or(0, |last| last + 1)]
}

/// Finds the value behind a sign: between quotation marks, escaped or not, or up to where one has to end.
fn value_after(text: &str, sign: usize) -> Range<usize> {
    let behind = text[sign + 1..].trim_start_matches(['=', '>']).trim_start_matches([' ', '\t']);
    // The first item of a list; what is hidden already begins like one.
    let is_list = behind.starts_with(['[', '(']) && !is_no_secret(behind);
    let behind = if is_list { behind[1..].trim_start_matches([' ', '\t']) } else { behind };
    let start = text.len() - behind.len();
    let slashes = behind.len() - behind.trim_start_matches('\\').len();
    let (inner, end) = match behind.as_bytes().get(slashes) {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            let inner = start + slashes + 1;
            (inner, inner + quoted_len(&text[inner..], slashes, *quote))
        }
        // A structure is no value.
        Some(b'{') => return start..start,
        _ => (start, start + bare_len(behind)),
    };
    inner + scheme_len(&text[inner..end])..end
}

/// Returns how far a value goes that ends with a quotation mark behind so many backslashes.
fn quoted_len(text: &str, slashes: usize, quote: u8) -> usize {
    let mut seen = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\\' => seen += 1,
            b'\n' => return at,
            // More backslashes are an escape within the value.
            _ if byte == quote && seen <= slashes => return at - seen,
            _ => seen = 0,
        }
    }
    text.len()
}

/// Returns how far a value without quotation marks goes. A scheme before it belongs to it.
fn bare_len(text: &str) -> usize {
    let scheme = scheme_len(text);
    let ends = |c: char| c.is_whitespace() || "\"'`,;&<>\\".contains(c);
    let end = text[scheme..].find(ends).map_or(text.len(), |length| scheme + length);
    // What is hidden already is no part of it, unless it begins with that.
    let end = text[scheme..end].find(HIDDEN).filter(|at| *at > 0).map_or(end, |at| scheme + at);
    text[..end].trim_end_matches([')', ']', '}', '.', ':']).len()
}

/// Returns how long the scheme before a value is, with the space behind it.
fn scheme_len(text: &str) -> usize {
    let is_scheme = |scheme: &&str| {
        text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
            && text[scheme.len()..].starts_with(' ')
    };
    SCHEMES.iter().find(|scheme| is_scheme(scheme)).map_or(0, |scheme| scheme.len() + 1)
}

/// Words that stand where a secret would, in code, schemas and explanations; and what is hidden already.
fn is_no_secret(value: &str) -> bool {
    const WORDS: [&str; 14] = [
        "",
        "any",
        "bytes",
        "false",
        "int",
        "nil",
        "none",
        "null",
        "optional",
        "required",
        "str",
        "string",
        "true",
        "undefined",
    ];
    value.starts_with(HIDDEN) || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_token(scheme: &str, value: &str) -> bool {
    if scheme.starts_with(['b', 'B']) && scheme.as_bytes()[1].eq_ignore_ascii_case(&b'e') {
        return looks_random(value) && !is_no_secret(value);
    }
    STANDARD.decode(value).is_ok_and(|decoded| decoded.contains(&b':'))
}

/// Tells a token from a word.
fn looks_random(value: &str) -> bool {
    let any = |of: fn(&u8) -> bool| value.as_bytes().iter().any(of);
    if any(u8::is_ascii_whitespace) || !any(u8::is_ascii_alphabetic) {
        return false;
    }
    let capital_inside = value.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    let is_mixed = any(u8::is_ascii_digit) || (capital_inside && any(u8::is_ascii_lowercase));
    value.len() >= 24 || (value.len() >= 8 && is_mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let hidden = hide(text);
        assert_eq!(hidden, expected, "{text}");
        assert_eq!(hide(&hidden), expected, "hidden again");
    }

    #[test]
    fn values_are_hidden_and_what_is_around_them_stays() {
        check("api_key=hunter2", "api_key=[redacted:secret]");
        check("GET /?api-key=hunter2&page=2", "GET /?api-key=[redacted:secret]&page=2");
        check("ACME_API_KEY: hunter2, next", "ACME_API_KEY: [redacted:secret], next");
        check("password = \"correct horse\" # ok", "password = \"[redacted:secret]\" # ok");
        check("'client_secret' => 'a\\'b',", "'client_secret' => '[redacted:secret]',");
        check("Password=p;Host=h", "Password=[redacted:secret];Host=h");
        check("f(accessToken := abc).", "f(accessToken := [redacted:secret]).");
        check("env['API KEY'] = abc", "env['API KEY'] = [redacted:secret]");
        check(r#"see {"apiKey": "abc", "n": 1}"#, r#"see {"apiKey": "[redacted:secret]", "n": 1}"#);
        check(
            r#"{\"apiKey\": \"a\\\"b\", \"n\": 1}"#,
            r#"{\"apiKey\": \"[redacted:secret]\", \"n\": 1}"#,
        );
        check("SECRET_ACCESS_KEY=wJalrXU/K7MDENG", "SECRET_ACCESS_KEY=[redacted:secret]");
        check("password=a password=b", "password=[redacted:secret] password=[redacted:secret]");
        check("größe password=é.", "größe password=[redacted:secret].");
        check("token=0123456789abcdef", "token=[redacted:secret]");
        check(r#"{"x-api-key": ["abc"]}"#, r#"{"x-api-key": ["[redacted:secret]"]}"#);
        check("password: [abc]", "password: [[redacted:secret]]");
    }

    #[test]
    fn headers_are_hidden() {
        check("Authorization: Bearer abc", "Authorization: Bearer [redacted:secret]");
        check(
            "authorization: Basic dTpw\r\nHost: h",
            "authorization: Basic [redacted:secret]\r\nHost: h",
        );
        check(
            r#""Authorization": "Bearer a b","#,
            r#""Authorization": "Bearer [redacted:secret]","#,
        );
        check("Authorization: abc", "Authorization: [redacted:secret]");
        check("x-api-key: abc", "x-api-key: [redacted:secret]");
        check("curl -H 'Bearer abcDEF123456'", "curl -H 'Bearer [redacted:token]'");
        check("Basic dXNlcjpwYXNz", "Basic [redacted:token]");
        check("Cookie: sid=0123456789abc", "Cookie: [redacted:secret]");
    }

    #[test]
    fn prose_code_and_schemas_are_left_alone() {
        for text in [
            "the token: Hello",
            "Bearer authentication is used",
            "Basic understanding",
            "Cookie: chocolate chip",
            "api_key: str = None",
            "password=None",
            r#"{"password": {"type": "string"}}"#,
            "set OPENAI_API_KEY, or use `.api_key(..)`",
            "max_tokens: 4096",
            "total_token=12345678",
            "the passwords of all users",
            "password:",
            "=",
        ] {
            assert!(matches!(hide(text), Cow::Borrowed(_)), "{text}: {}", hide(text));
        }
    }

    #[test]
    fn a_hostile_text_takes_linear_time() {
        for part in ["token=", "password:\\", "password = '", "bearer "] {
            let text = part.repeat(20_000);
            let began = std::time::Instant::now();
            let _ = hide(&text);
            assert!(
                began.elapsed() < std::time::Duration::from_secs(5),
                "{part}: {:?}",
                began.elapsed()
            );
        }
    }
}

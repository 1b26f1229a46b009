//! What is called a key, a password or a token.

/// How much a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    /// It is a secret, whatever it looks like.
    Strong,
    /// It is a secret if it looks like one.
    Weak,
}

/// The longest end of a name that is looked at: `encryptionkeys`.
const LONGEST: usize = 14;

/// Says of a name, such as `ACME_API_KEY` or `clientSecret2`, whether its value is a secret. Only its end is looked at:
/// there may be any text before it.
pub(super) fn strength(name: &[u8]) -> Option<Strength> {
    let after = |byte: &u8| byte.is_ascii_digit() || is_between(byte);
    let last = name.iter().rposition(|byte| !after(byte))?;
    if !ends_like_a_secret(&name[..=last]) {
        return None;
    }
    let mut end = [0; LONGEST];
    let mut begin = LONGEST;
    for byte in name[..=last].iter().rev() {
        if begin == 0 || !(byte.is_ascii_alphanumeric() || is_between(byte)) {
            break;
        }
        if !is_between(byte) {
            begin -= 1;
            end[begin] = byte.to_ascii_lowercase();
        }
    }
    let end = &end[begin..];
    strength_of_end(end.strip_suffix(b"s").unwrap_or(end))
}

/// Tells, by two letters, whether it is worth looking at more of a name.
fn ends_like_a_secret(name: &[u8]) -> bool {
    let letters = name.iter().rev().filter(|byte| !is_between(byte));
    let mut letters = letters.map(u8::to_ascii_lowercase);
    let last = match letters.next() {
        Some(b's') => letters.next(),
        last => last,
    };
    let (Some(last), Some(before)) = (last, letters.next()) else { return false };
    // The last two of each name below.
    matches!(
        &[before, last],
        b"ey"
            | b"en"
            | b"rd"
            | b"wd"
            | b"id"
            | b"se"
            | b"de"
            | b"on"
            | b"et"
            | b"ie"
            | b"al"
            | b"re"
    )
}

const fn is_between(byte: &u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// The same, of a name in lowercase without what stands between its words.
fn strength_of_end(end: &[u8]) -> Option<Strength> {
    let ends = |names: &[&[u8]]| names.iter().any(|name| end.ends_with(name));
    if let Some(kind) = end.strip_suffix(b"key") {
        const KEYS: [&[u8]; 8] = [
            b"access",
            b"account",
            b"api",
            b"encryption",
            b"master",
            b"private",
            b"secret",
            b"signing",
        ];
        return KEYS.iter().any(|key| kind.ends_with(key)).then_some(Strength::Strong);
    }
    if let Some(kind) = end.strip_suffix(b"token") {
        const TOKENS: [&[u8]; 10] = [
            b"access",
            b"api",
            b"auth",
            b"bearer",
            b"bot",
            b"client",
            b"csrf",
            b"refresh",
            b"security",
            b"session",
        ];
        let is_strong = TOKENS.iter().any(|token| kind.ends_with(token));
        return Some(if is_strong { Strength::Strong } else { Strength::Weak });
    }
    let is_strong = match end.last()? {
        b'd' => ends(&[b"password", b"passwd", b"pwd", b"accesskeyid"]),
        b'e' => ends(&[b"passphrase", b"passcode"]),
        b'n' => ends(&[b"authorization"]),
        b't' => ends(&[b"secret"]),
        _ => false,
    };
    if is_strong {
        return Some(Strength::Strong);
    }
    ends(&[b"cookie", b"credential", b"signature"]).then_some(Strength::Weak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_secret() {
        let check =
            |name: &str, expected| assert_eq!(strength(name.as_bytes()), expected, "{name}");
        for name in [
            "password",
            "API_KEY",
            "apiKey",
            "openai.api_key",
            "clientSecret",
            "Authorization",
            "x-api-key",
            "passwords",
            "api_key_2",
            "AWS_SECRET_ACCESS_KEY",
            "the api key",
            "AWS_ACCESS_KEY_ID",
            "pwd",
            "authorization",
        ] {
            check(name, Some(Strength::Strong));
        }
        for name in ["token", "Set-Cookie", "credentials", "max_tokens", "tokens"] {
            check(name, Some(Strength::Weak));
        }
        for name in [
            "",
            "password_policy",
            "keyboard",
            "text",
            "tokens_used",
            "secretary",
            "key",
            "größe",
            "é",
        ] {
            check(name, None);
        }
    }
}

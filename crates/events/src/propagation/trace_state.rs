//! `tracestate`: a list of what vendors wish to be handed on. It is checked and bounded, and not understood.

use std::sync::Arc;

/// The most bytes that are handed on: as many as everybody has to.
const MAX_BYTES: usize = 512;
/// The most members of a list; one with more is malformed.
const MAX_MEMBERS: usize = 32;
/// When a list is too long, members longer than this go first.
const LONG_MEMBER: usize = 128;

/// Returns the list as it can be handed on; nothing if it is empty or malformed.
pub(super) fn bounded(text: &str) -> Option<Arc<str>> {
    let members: Vec<_> = text
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']))
        .filter(|member| !member.is_empty())
        .collect();
    if members.is_empty() || members.len() > MAX_MEMBERS || !members.iter().all(|m| is_member(m)) {
        return None;
    }
    // A key stands there once; the first is the newest.
    let mut kept: Vec<&str> = Vec::new();
    for member in members {
        if kept.iter().all(|other| key(other) != key(member)) {
            kept.push(member);
        }
    }
    let bytes = |members: &[&str]| members.iter().map(|m| m.len() + 1).sum::<usize>() - 1;
    while bytes(&kept) > MAX_BYTES {
        let at = kept.iter().rposition(|m| m.len() > LONG_MEMBER).unwrap_or(kept.len() - 1);
        kept.remove(at);
        if kept.is_empty() {
            return None;
        }
    }
    Some(kept.join(",").into())
}

fn key(member: &str) -> &str {
    member.split_once('=').map_or(member, |(key, _)| key)
}

fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    is_key(key) && is_value(value)
}

/// A name, or `tenant@system`.
fn is_key(key: &str) -> bool {
    let is_letter = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    let is_name = |name: &str, limit: usize| {
        let begins =
            name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        begins && name.len() <= limit && name.bytes().all(is_letter)
    };
    match key.split_once('@') {
        Some((tenant, system)) => is_name(tenant, 241) && is_name(system, 14),
        None => is_name(key, 256),
    }
}

/// Printable ASCII without comma and equals sign; the space around it is gone already.
fn is_value(value: &str) -> bool {
    let is_allowed = |b: u8| matches!(b, 0x20..=0x7e) && b != b',' && b != b'=';
    !value.is_empty() && value.len() <= 256 && value.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(bounded(text).as_deref(), expected, "{text}");
    }

    #[test]
    fn good_lists_go_on() {
        check(
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
            Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        );
        check(" a=1 ,\tb=2 ,, ", Some("a=1,b=2"));
        check("tenant@system=x y", Some("tenant@system=x y"));
        check("0a*/-_=1", Some("0a*/-_=1"));
        check("a=1,b=2,a=3", Some("a=1,b=2"));
    }

    #[test]
    fn malformed_lists_do_not() {
        for text in [
            "",
            " , ",
            "a",
            "a=",
            "A=1",
            "=1",
            "a=1=2",
            "a=é",
            "@a=1",
            "a@=1",
            "a@b@c=1",
            "a=1,B=2",
            "a\u{7f}=1",
        ] {
            check(text, None);
        }
        let list =
            |count: usize| (0..count).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        assert!(bounded(&list(32)).is_some() && bounded(&list(33)).is_none());
        check(&format!("{}=1", "k".repeat(257)), None);
        check(&format!("a={}", "v".repeat(257)), None);
    }

    #[test]
    fn a_long_list_loses_its_long_members_first_and_then_its_end() {
        let long = format!("long={}", "x".repeat(200));
        let short: Vec<_> = (0..10).map(|n| format!("k{n}={}", "y".repeat(40))).collect();
        let kept = bounded(&format!("{},{long},{}", short[0], short[1..].join(","))).unwrap();
        assert_eq!(*kept, *short.join(","));

        let many: Vec<_> = (10..30).map(|n| format!("k{n}={}", "y".repeat(40))).collect();
        let kept = bounded(&many.join(",")).unwrap();
        assert!(
            kept.len() <= 512 && many.join(",").starts_with(&*kept) && kept.ends_with('y'),
            "{kept}"
        );
    }
}

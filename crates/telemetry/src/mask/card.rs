//! Numbers of payment cards.

use super::Redactor;
use super::rewrite::{Found, rewrite};
use std::borrow::Cow;
use std::ops::Range;

/// Cards have no shorter numbers.
const FEWEST_DIGITS: usize = 13;

/// Hides card numbers, also written in groups.
pub(super) struct CardNumbers;

impl Redactor for CardNumbers {
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut searched = 0;
        rewrite(text, |from| {
            searched = searched.max(from);
            while let Some(groups) = next_groups(text, searched) {
                if let Some(range) = card(text, &groups) {
                    return Some(Found { range, mark: "[redacted:card]" });
                }
                searched = groups.last().map_or(text.len(), |group| group.end);
            }
            None
        })
    }

    fn may_redact(&self, _key: Option<&str>, text: &str) -> bool {
        let mut digits = 0;
        let mut is_separated = true;
        text.bytes().any(|byte| {
            match byte {
                b'0'..=b'9' => (digits, is_separated) = (digits + 1, false),
                b' ' | b'-' if !is_separated => is_separated = true,
                _ => digits = 0,
            }
            digits >= FEWEST_DIGITS
        })
    }
}

/// Finds the next groups of digits that stand together, with one space or hyphen between them.
fn next_groups(text: &str, from: usize) -> Option<Vec<Range<usize>>> {
    let bytes = text.as_bytes();
    let group_at = |start: usize| {
        let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0).then_some(start..start + digits)
    };
    let first = from + bytes[from..].iter().position(u8::is_ascii_digit)?;
    let mut groups = vec![group_at(first)?];
    while let Some(last) = groups.last()
        && let Some(b' ' | b'-') = bytes.get(last.end)
        && let Some(next) = group_at(last.end + 1)
    {
        groups.push(next);
    }
    Some(groups)
}

/// Finds a card number that begins and ends with groups.
fn card(text: &str, groups: &[Range<usize>]) -> Option<Range<usize>> {
    // The number of a card has at most 19 groups of one digit.
    groups.iter().enumerate().find_map(|(first, start)| {
        let ends = groups[first..].iter().take(19);
        let ranges = ends.map(|end| start.start..end.end);
        ranges.rev().find(|range| is_card(text[range.clone()].as_bytes()))
    })
}

fn is_card(text: &[u8]) -> bool {
    // 19 digits and as many separators but one.
    if text.len() > 37 {
        return false;
    }
    let digits: Vec<u8> =
        text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
    is_of_a_brand(&digits) && luhn(&digits)
}

/// Tells whether beginning and length are those of a brand.
fn is_of_a_brand(digits: &[u8]) -> bool {
    if !(FEWEST_DIGITS..=19).contains(&digits.len()) {
        return false;
    }
    let begin = digits[..4].iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    match begin {
        // Visa
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        // Mastercard
        5100..=5599 | 2221..=2720 => digits.len() == 16,
        // American Express
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        // Diners Club
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => digits.len() >= 14,
        // JCB, Discover, UnionPay
        3528..=3589 | 6011 | 6440..=6599 | 6200..=6299 => digits.len() >= 16,
        // Maestro
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => true,
        _ => false,
    }
}

/// Checks the last digit.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match u32::from(*digit) {
            digit if at % 2 == 0 => digit,
            digit if digit > 4 => 2 * digit - 9,
            digit => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_hidden() {
        let check = |text: &str, expected: &str| assert_eq!(CardNumbers.redact(text), expected);
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
        ] {
            check(number, "[redacted:card]");
            check(
                &format!("2 cards: {number}, {number}."),
                "2 cards: [redacted:card], [redacted:card].",
            );
            check(&format!("item 12 {number} x"), "item 12 [redacted:card] x");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "4111111111111112",
            "41111111111111111",
            "1795352738000",
            "1795352738000000000",
            "0000000000000000",
            "call 555 1234 5678",
            "9f86d081884c7d65",
        ] {
            assert!(matches!(CardNumbers.redact(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn many_digits_take_linear_time() {
        let text = "1 ".repeat(50_000);
        let began = std::time::Instant::now();
        let _ = CardNumbers.redact(&text);
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

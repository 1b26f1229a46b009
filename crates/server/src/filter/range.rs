//! Numbers, durations, amounts and times, and what lies between two of them.

use super::NumberKey;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use std::time::UNIX_EPOCH;

/// The numbers from one to another, both included; in whole units, of which [`NumberKey`] tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The smallest, if there is a bound.
    pub min: Option<i64>,
    /// The largest, if there is a bound.
    pub max: Option<i64>,
}

impl Range {
    /// Tells whether a number lies in between.
    #[must_use]
    pub fn contains(&self, number: i64) -> bool {
        self.min.is_none_or(|min| min <= number) && self.max.is_none_or(|max| number <= max)
    }
}

/// Reads `>0.01`, `<=2s`, `100..500`, `5`.
pub(super) fn read(key: NumberKey, text: &str, now_us: i64) -> Result<Range, String> {
    let number = |text: &str| {
        number(key, text.trim(), now_us)
            .ok_or_else(|| format!("{text:?} is no {}; type {}", what(key), example(key)))
    };
    if let Some(text) = text.strip_prefix(">=") {
        return Ok(Range { min: Some(number(text)?), max: None });
    }
    if let Some(text) = text.strip_prefix("<=") {
        return Ok(Range { min: None, max: Some(number(text)?) });
    }
    if let Some(text) = text.strip_prefix('>') {
        return Ok(Range { min: Some(number(text)?.saturating_add(1)), max: None });
    }
    if let Some(text) = text.strip_prefix('<') {
        return Ok(Range { min: None, max: Some(number(text)?.saturating_sub(1)) });
    }
    if let Some((low, high)) = text.split_once("..") {
        let bound = |text: &str| if text.is_empty() { Ok(None) } else { number(text).map(Some) };
        return Ok(Range { min: bound(low)?, max: bound(high)? });
    }
    let exactly = number(text.strip_prefix('=').unwrap_or(text))?;
    Ok(Range { min: Some(exactly), max: Some(exactly) })
}

fn number(key: NumberKey, text: &str, now_us: i64) -> Option<i64> {
    match key {
        NumberKey::Cost => {
            let dollars: Decimal = text.strip_prefix('$').unwrap_or(text).parse().ok()?;
            dollars.checked_mul(Decimal::from(1_000_000_000_000_i64))?.to_i64()
        }
        NumberKey::Duration => duration(text),
        NumberKey::Start => match text.strip_prefix('-') {
            Some(ago) => Some(now_us.saturating_sub(duration(ago)?)),
            None if text == "now" => Some(now_us),
            None => time(text),
        },
        NumberKey::Tokens | NumberKey::Retries | NumberKey::Errors | NumberKey::Spans => {
            let (digits, factor) = match text.as_bytes().last()? {
                b'k' | b'K' => (&text[..text.len() - 1], 1_000),
                b'm' | b'M' => (&text[..text.len() - 1], 1_000_000),
                _ => (text, 1),
            };
            scaled(digits, factor)
        }
    }
}

/// Reads a duration in microseconds: `250ms`, `2s`, `1.5m`; without a unit, seconds.
fn duration(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "us" => 1,
        "ms" => 1_000,
        "" | "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    scaled(digits, factor)
}

fn scaled(digits: &str, factor: i64) -> Option<i64> {
    let number: Decimal = digits.parse().ok()?;
    number.checked_mul(Decimal::from(factor))?.to_i64()
}

/// Reads a time in microseconds since the epoch: a date, or a date and time, in UTC unless it says otherwise.
fn time(text: &str) -> Option<i64> {
    let is_date = text.len() == 10;
    let has_no_seconds = text.len() == 16;
    let whole = match text {
        date if is_date => format!("{date}T00:00:00"),
        minute if has_no_seconds => format!("{minute}:00"),
        time => time.to_owned(),
    };
    let time = humantime::parse_rfc3339_weak(&whole).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
}

const fn what(key: NumberKey) -> &'static str {
    match key {
        NumberKey::Cost => "amount of dollars",
        NumberKey::Duration => "duration",
        NumberKey::Start => "time",
        _ => "number",
    }
}

const fn example(key: NumberKey) -> &'static str {
    match key {
        NumberKey::Cost => "cost:>0.01 or cost:0.1..0.5",
        NumberKey::Duration => "duration:>=2s, with us, ms, s, m or h",
        NumberKey::Start => "start:>-1h or start:>2026-01-31T12:00:00Z",
        _ => "a number such as >5, 10..20 or >2k",
    }
}

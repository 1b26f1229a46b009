//! Colours and numbers for the terminal. Colour never carries meaning alone.

use glassbox::Cost;
use glassbox::trace::time::Timestamp;
use rust_decimal::Decimal;
use std::time::Duration;

/// Paints text, or leaves it plain when it is piped or `NO_COLOR` is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    pub(crate) colour: bool,
}

/// What a text is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ink {
    Generation,
    Chain,
    Span,
    Error,
    Faint,
    Bold,
    Plain,
}

impl Paint {
    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            _ if !self.colour => return text.to_owned(),
            Ink::Plain => return text.to_owned(),
            Ink::Generation => "35",
            Ink::Chain => "34",
            Ink::Span => "37",
            Ink::Error => "31",
            Ink::Faint => "2",
            Ink::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Writes the time of day in UTC with milliseconds: `14:03:07.512`.
pub(crate) fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    // RFC 3339: the time of day stands behind the `T`, before the `Z`.
    text.get(11..23).unwrap_or(&text).to_owned()
}

/// Writes a duration with three digits: `4.97s`, `812ms`, `38us`.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 100.0 => format!("{seconds:.0}s"),
        seconds if seconds >= 10.0 => format!("{seconds:.1}s"),
        seconds if seconds >= 1.0 => format!("{seconds:.2}s"),
        seconds if seconds >= 0.001 => format!("{:.0}ms", seconds * 1e3),
        seconds => format!("{:.0}us", seconds * 1e6),
    }
}

/// Writes a share: `5.3 %`, `0.008 %`.
pub(crate) fn percent(percent: f64) -> String {
    match percent {
        percent if percent >= 0.1 => format!("{percent:.1} %"),
        percent if percent >= 0.001 => format!("{percent:.3} %"),
        _ => "under 0.001 %".to_owned(),
    }
}

/// Writes a count with separators: `1,810`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a cost: `$0.0081`, or what it is when it is not known.
pub(crate) fn cost(cost: Cost) -> String {
    match cost.total() {
        Some(_) => format!("${cost}"),
        None => "cost unknown".to_owned(),
    }
}

/// Writes dollars: `$0.0081`.
pub(crate) fn dollars(amount: Decimal) -> String {
    format!("${}", amount.round_dp(6).normalize())
}

/// Cuts a text to a number of characters.
pub(crate) fn short(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(limit) {
        Some(_) => line.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_units() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(percent(12.345), "12.3 %");
        assert_eq!(percent(0.0081), "0.008 %");
        assert_eq!(percent(0.0), "under 0.001 %");
        assert_eq!(duration(Duration::from_millis(4_970)), "4.97s");
        assert_eq!(duration(Duration::from_micros(38)), "38us");
        assert_eq!(short("a  long\ntext", 6), "a lon…");
        assert_eq!(clock(Timestamp::from_unix_nanos(1_795_352_738_412_000_000)), "13:05:38.412");
    }
}

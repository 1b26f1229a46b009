//! Patterns of event names, compiled once to a set of bits: dispatch is a mask test.

use crate::event::EventName;
use std::str::FromStr;

/// A set of event names, written as `llm.*`, `*.error`, `module.start` or `*`.
///
/// ```
/// use glassbox_events::{event::EventName, pattern::Pattern};
/// let pattern: Pattern = "llm.*".parse()?;
/// assert!(pattern.matches(EventName::LlmGenerate));
/// assert!(!pattern.matches(EventName::ModuleStart));
/// # Ok::<(), glassbox_events::pattern::PatternError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern(u64);

/// Tells that a pattern matches no event, which is always a mistake since the list of events is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern {pattern:?} matches no event; the events are {}", names())]
pub struct PatternError {
    pattern: String,
}

fn names() -> String {
    EventName::ALL.map(EventName::as_str).join(", ")
}

impl Pattern {
    /// Matches every event.
    pub const ALL: Self = Self(u64::MAX);

    /// Tells whether the pattern matches an event.
    #[must_use]
    pub const fn matches(self, name: EventName) -> bool {
        self.0 & name.bit() != 0
    }

    /// Returns the pattern as a set of bits.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(pattern: &str) -> Result<Self, Self::Err> {
        let matching = EventName::ALL
            .into_iter()
            .filter(|name| glob(pattern.as_bytes(), name.as_str().as_bytes()));
        let bits = matching.fold(0, |bits, name| bits | name.bit());
        if bits == 0 { Err(PatternError { pattern: pattern.to_owned() }) } else { Ok(Self(bits)) }
    }
}

/// Matches a text against a pattern in which `*` stands for any text.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(first, text)| first == byte && glob(rest, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, expected: &[EventName]) {
        let pattern: Pattern = pattern.parse().unwrap();
        let matched: Vec<_> =
            EventName::ALL.into_iter().filter(|name| pattern.matches(*name)).collect();
        assert_eq!(matched, expected);
    }

    #[test]
    fn patterns_match_what_they_say() {
        check("llm.generate", &[EventName::LlmGenerate]);
        check("*.error", &[EventName::ModuleError, EventName::LlmError, EventName::ToolError]);
        check("budget.*", &[EventName::BudgetThreshold, EventName::BudgetExceeded]);
        check("*", &EventName::ALL);
    }

    #[test]
    fn a_pattern_for_nothing_is_a_mistake() {
        let error = "lm.*".parse::<Pattern>().unwrap_err().to_string();
        assert!(
            error.starts_with(r#"pattern "lm.*" matches no event; the events are module.start, "#),
            "{error}"
        );
    }
}

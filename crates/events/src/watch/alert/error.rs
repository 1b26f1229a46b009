//! What is wrong with a rule, where, and what to write instead.

use std::fmt;

/// Tells what is wrong with the rules of alerts, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertError {
    /// The line of the file, from 1.
    line: Option<usize>,
    /// The rule's name.
    rule: Option<String>,
    problem: String,
}

impl AlertError {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { line: None, rule: None, problem: problem.into() }
    }

    pub(super) fn of_rule(rule: &str, problem: impl Into<String>) -> Self {
        Self { line: None, rule: Some(rule.to_owned()), problem: problem.into() }
    }

    /// Says where in a text it is.
    pub(super) fn at(mut self, text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        self.line = Some(before.matches('\n').count() + 1);
        self
    }

    /// Returns the line of the file, from 1.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for AlertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "alert {rule:?}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for AlertError {}

//! What was spent: tokens, money, and how often something that costs was done.

use rust_decimal::Decimal;

/// Amounts of everything that a program can spend: what a run has used, what a budget has seen, what is reserved.
///
/// ```
/// use glassbox_events::spending::Spending;
/// let call = Spending { tokens: 650, calls: 1, ..Spending::default() };
/// assert_eq!(call.plus(call).tokens, 1300);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Tokens, in and out.
    pub tokens: u64,
    /// US dollars.
    pub usd: Decimal,
    /// Model attempts.
    pub calls: u64,
    /// Calls of tools.
    pub tool_calls: u64,
    /// Runs of a model's code.
    pub code_runs: u64,
}

impl Spending {
    /// Returns the sums, or the largest amounts that can be told.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(more.tokens),
            usd: self.usd.saturating_add(more.usd),
            calls: self.calls.saturating_add(more.calls),
            tool_calls: self.tool_calls.saturating_add(more.tool_calls),
            code_runs: self.code_runs.saturating_add(more.code_runs),
        }
    }

    /// Returns the differences, where nothing gets less than zero.
    #[must_use]
    pub fn minus(self, less: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(less.tokens),
            usd: self.usd.saturating_sub(less.usd).max(Decimal::ZERO),
            calls: self.calls.saturating_sub(less.calls),
            tool_calls: self.tool_calls.saturating_sub(less.tool_calls),
            code_runs: self.code_runs.saturating_sub(less.code_runs),
        }
    }
}

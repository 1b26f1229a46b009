//! The limits of a budget, and what they leave.

use crate::refusal::Unit;
use crate::spending::Spending;
use rust_decimal::Decimal;

/// The most that may be spent of each unit; `None` where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Tokens, in and out.
    pub tokens: Option<u64>,
    /// US dollars.
    pub usd: Option<Decimal>,
    /// Model attempts.
    pub calls: Option<u64>,
    /// Calls of tools.
    pub tool_calls: Option<u64>,
    /// Runs of a model's code.
    pub code_runs: Option<u64>,
}

/// What a budget has seen spent, and what it has set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What was spent.
    pub spent: Spending,
    /// What calls in flight may still spend.
    pub reserved: Spending,
}

/// The units that are counted, in the order in which a budget looks at them.
const UNITS: [Unit; 5] = [Unit::Tokens, Unit::Usd, Unit::Calls, Unit::ToolCalls, Unit::CodeRuns];

impl Limits {
    /// Returns the first unit of which the limits do not hold `needed` on top of the balance.
    #[must_use]
    pub fn short_of(&self, balance: &Balance, needed: &Spending) -> Option<Unit> {
        let sum = balance.spent.plus(balance.reserved).plus(*needed);
        self.iter().find(|(unit, limit)| amount(&sum, *unit) > *limit).map(|(unit, _)| unit)
    }

    /// Returns the limits that there are.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Unit, Decimal)> {
        let limits = *self;
        UNITS.into_iter().filter_map(move |unit| Some((unit, limits.of(unit)?)))
    }

    pub(super) fn of(&self, unit: Unit) -> Option<Decimal> {
        match unit {
            Unit::Tokens => self.tokens.map(Decimal::from),
            Unit::Usd => self.usd,
            Unit::Calls => self.calls.map(Decimal::from),
            Unit::ToolCalls => self.tool_calls.map(Decimal::from),
            Unit::CodeRuns => self.code_runs.map(Decimal::from),
            Unit::WallTime => None,
        }
    }
}

/// Returns how much of a unit was spent.
pub(super) fn amount(spending: &Spending, unit: Unit) -> Decimal {
    match unit {
        Unit::Tokens => spending.tokens.into(),
        Unit::Usd => spending.usd,
        Unit::Calls => spending.calls.into(),
        Unit::ToolCalls => spending.tool_calls.into(),
        Unit::CodeRuns => spending.code_runs.into(),
        Unit::WallTime => Decimal::ZERO,
    }
}

//! Why a gate refused: typed, so that a program can tell a spent budget from a stop.

use crate::run::Stop;
use rust_decimal::Decimal;
use std::fmt;
use std::sync::Arc;

/// Why a gate did not let an action begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A budget would be exceeded.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// A budget in money cannot tell what the call may cost.
    #[error(
        "no price is known for model {model:?}, so the money budget {budget:?} cannot bound the call: \
         add the model to a file and set GLASSBOX_PRICES to its path, or use a budget of tokens or calls"
    )]
    UnknownPrice {
        /// The budget's name.
        budget: Arc<str>,
        /// The model that has no price.
        model: Arc<str>,
    },
    /// The run was stopped.
    #[error("the run was stopped: {0}")]
    Stopped(Stop),
    /// A gate of the user's own said no.
    #[error("{0}")]
    Other(Arc<str>),
}

/// Tells that a call was not made because a budget does not hold its upper bound: `spent + reserved + needed` would be
/// more than `limit`. Or, of a soft budget, that a call was made which did spend more: then `spent` is more than `limit`,
/// and `needed` is what the call has spent. The amounts are in `unit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetExceeded {
    /// The budget's name.
    pub budget: Arc<str>,
    /// What the amounts count.
    pub unit: Unit,
    /// The most that may be spent.
    pub limit: Decimal,
    /// What has been spent.
    pub spent: Decimal,
    /// What calls in flight may still spend.
    pub reserved: Decimal,
    /// What the refused call could have spent at most.
    pub needed: Decimal,
    /// Whether the call was refused; a soft budget only tells.
    pub refused: bool,
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Tokens, in and out.
    Tokens,
    /// US dollars.
    Usd,
    /// Model attempts.
    Calls,
    /// Calls of tools.
    ToolCalls,
    /// Runs of a model's code.
    CodeRuns,
    /// Seconds since the run began.
    WallTime,
}

impl Unit {
    /// Writes an amount with the unit.
    #[must_use]
    pub fn amount(self, amount: Decimal) -> String {
        match self {
            Self::Tokens => format!("{amount} tokens"),
            Self::Usd => format!("${}", amount.round_dp(6).normalize()),
            Self::Calls => format!("{amount} calls"),
            Self::ToolCalls => format!("{amount} tool calls"),
            Self::CodeRuns => format!("{amount} code runs"),
            Self::WallTime => format!("{} s", amount.round_dp(3).normalize()),
        }
    }
}

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |amount| self.unit.amount(amount);
        write!(f, "budget {:?} of {} is exceeded: ", self.budget, amount(self.limit))?;
        if !self.refused || self.unit == Unit::WallTime {
            return write!(f, "{} spent", amount(self.spent));
        }
        write!(
            f,
            "{} spent, {} reserved by calls in flight, and this call may need {}: ",
            amount(self.spent),
            amount(self.reserved),
            amount(self.needed),
        )?;
        f.write_str(match self.unit {
            Unit::Tokens | Unit::Usd | Unit::Calls => {
                "raise the limit, lower `max_tokens`, or shorten the prompt"
            }
            Unit::ToolCalls | Unit::CodeRuns | Unit::WallTime => "raise the limit",
        })
    }
}

impl std::error::Error for BudgetExceeded {}

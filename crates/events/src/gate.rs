//! Gates: asked before each model attempt, tool call and code run, whether it may go on.

use crate::bus::Bus;
use crate::event::SpanContext;
use crate::refusal::Refusal;
use crate::run::Run;
use crate::spending::Spending;
use glassbox_trace::cost::Cost;
use glassbox_trace::usage::Usage;
use rust_decimal::Decimal;
use std::fmt;
use std::sync::Arc;

/// Is asked before something that costs. It must not block.
pub trait Gate: Send + Sync + fmt::Debug {
    /// Lets the action begin, perhaps after reserving what it may cost at most, or refuses it.
    ///
    /// # Errors
    ///
    /// The reason for which the action must not begin.
    fn ask(&self, request: &Request<'_>) -> Result<Option<Box<dyn Reservation>>, Refusal>;
}

/// What wants to begin, and where.
#[derive(Debug)]
pub struct Request<'a> {
    /// What wants to begin.
    pub action: &'a Action,
    /// Where in the program.
    pub span: &'a Arc<SpanContext>,
    /// Where a gate tells its events.
    pub bus: &'a Bus,
}

/// Something that costs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action {
    /// An attempt to call a model, with upper bounds of what it can use.
    LlmAttempt {
        /// The model, as it is asked for.
        model: Arc<str>,
        /// The most tokens that the prompt can have: no tokenizer makes more tokens than there are bytes.
        input_tokens: u64,
        /// The most tokens that the answer can have.
        output_tokens: u64,
        /// The most that those tokens can cost, in US dollars; `None` if the price is unknown.
        cost: Option<Decimal>,
    },
    /// A call of a tool.
    ToolCall {
        /// The tool's name.
        tool: Arc<str>,
    },
    /// A run of a model's code.
    CodeRun,
}

impl Action {
    /// Returns the most that the action can spend; without money where no price is known.
    #[must_use]
    pub fn bound(&self) -> Spending {
        match self {
            Self::LlmAttempt { input_tokens, output_tokens, cost, .. } => Spending {
                tokens: input_tokens.saturating_add(*output_tokens),
                usd: cost.unwrap_or_default(),
                calls: 1,
                ..Spending::default()
            },
            Self::ToolCall { .. } => Spending { tool_calls: 1, ..Spending::default() },
            Self::CodeRun => Spending { code_runs: 1, ..Spending::default() },
        }
    }
}

/// What an action did spend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spent {
    /// Nothing: it never began.
    Nothing,
    /// What the provider says; zero for an attempt that it refused.
    Known {
        /// The tokens used.
        usage: Usage,
        /// What they cost.
        cost: Cost,
    },
    /// Nobody knows: it was cut off, or the provider does not say. What was reserved counts as spent.
    Unknown,
}

impl Spent {
    /// Returns the amounts, where `bound` is what the action could spend at most.
    #[must_use]
    pub fn amounts(self, bound: Spending) -> Spending {
        match self {
            Self::Nothing => Spending::default(),
            Self::Known { usage, .. } if usage.is_unknown() => bound,
            Self::Known { usage, cost } => {
                Spending { tokens: usage.total(), usd: cost.total().unwrap_or(bound.usd), ..bound }
            }
            Self::Unknown => bound,
        }
    }
}

/// What a gate has set aside for an action.
pub trait Reservation: Send {
    /// Replaces the reservation by what was spent.
    fn settle(self: Box<Self>, spent: Spent);
}

/// The leave to begin, with what was reserved for it. Dropping it unsettled counts the reservation as spent,
/// since a call that was cancelled may well be charged for.
#[must_use = "settle it with what was spent"]
#[derive(Default)]
pub struct Permit {
    reservations: Vec<Box<dyn Reservation>>,
    /// The run that counts what is spent, and the most that it can be; taken when it is settled.
    counted: Option<(Run, Spending)>,
}

impl Permit {
    /// Asks every gate; where one refuses, what the others have reserved is given back.
    ///
    /// # Errors
    ///
    /// The first refusal.
    pub fn ask<'a>(
        gates: impl Iterator<Item = &'a dyn Gate>,
        request: &Request<'_>,
    ) -> Result<Self, Refusal> {
        if let Some(stop) = request.span.run().stopped() {
            return Err(Refusal::Stopped(stop.clone()));
        }
        let mut permit = Self::default();
        for gate in gates {
            match gate.ask(request) {
                Ok(reservation) => permit.reservations.extend(reservation),
                Err(refusal) => {
                    permit.settle(Spent::Nothing);
                    return Err(refusal);
                }
            }
        }
        let (run, bound) = (request.span.run().clone(), request.action.bound());
        run.begin(bound);
        permit.counted = Some((run, bound));
        Ok(permit)
    }

    /// Replaces what was reserved by what was spent.
    pub fn settle(mut self, spent: Spent) {
        self.settle_all(spent);
    }

    fn settle_all(&mut self, spent: Spent) {
        if let Some((run, bound)) = self.counted.take() {
            run.settle(bound, spent.amounts(bound));
        }
        for reservation in self.reservations.drain(..) {
            reservation.settle(spent);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle_all(Spent::Unknown);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("reservations", &self.reservations.len()).finish()
    }
}

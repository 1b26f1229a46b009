//! Budgets: limits of tokens, money and calls that calls in flight cannot overshoot.
//!
//! A budget reserves the most that a call can spend before it begins, and replaces the reservation by what was
//! spent when it ends. So `spent + reserved <= limit` always holds, with any number of calls in flight.

use crate::bus::Bus;
use crate::event::{BudgetThreshold, EventData, SpanContext};
use crate::gate::{Action, Gate, Request, Reservation, Spent};
use crate::refusal::{BudgetExceeded, Refusal, Unit};
use rust_decimal::Decimal;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const THRESHOLDS: [u8; 3] = [50, 80, 100];

/// A limit of tokens, money or calls, or of several of them. Clones are the same budget: put one clone in each of
/// several [scopes](crate::scope::Scope::gate) to share it, or make a new budget in each scope for a limit per run.
///
/// ```
/// use glassbox_events::watch::Budget;
/// use rust_decimal::Decimal;
/// let budget = Budget::tokens(10_000).and_usd(Decimal::new(50, 2)).and_calls(20).named("support desk");
/// assert_eq!(budget.spent().tokens, 0);
/// ```
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    name: Arc<str>,
    /// A std mutex: it is held for a few additions, never across an await.
    accounts: Arc<Mutex<[Account; 3]>>,
}

/// What a budget has seen spent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spending {
    /// Tokens, in and out.
    pub tokens: u64,
    /// US dollars.
    pub usd: Decimal,
    /// Model attempts.
    pub calls: u64,
}

/// One unit's limit and state.
#[derive(Clone, Copy, Debug)]
struct Account {
    unit: Unit,
    limit: Option<Decimal>,
    spent: Decimal,
    reserved: Decimal,
    /// How many of [`THRESHOLDS`] have been told.
    told: usize,
}

impl Account {
    const fn new(unit: Unit) -> Self {
        Self { unit, limit: None, spent: Decimal::ZERO, reserved: Decimal::ZERO, told: 0 }
    }
}

impl Budget {
    fn new(unit: Unit, limit: Decimal) -> Self {
        let accounts =
            [Account::new(Unit::Tokens), Account::new(Unit::Usd), Account::new(Unit::Calls)];
        Self(Arc::new(Inner { name: "budget".into(), accounts: Arc::new(Mutex::new(accounts)) }))
            .and(unit, limit)
    }

    fn and(self, unit: Unit, limit: Decimal) -> Self {
        self.accounts()[unit as usize].limit = Some(limit.max(Decimal::ZERO));
        self
    }

    /// Limits the tokens, in and out.
    #[must_use]
    pub fn tokens(limit: u64) -> Self {
        Self::new(Unit::Tokens, limit.into())
    }

    /// Limits the US dollars. A model without a known price is refused, since its cost has no bound.
    #[must_use]
    pub fn usd(limit: Decimal) -> Self {
        Self::new(Unit::Usd, limit)
    }

    /// Limits the model attempts.
    #[must_use]
    pub fn calls(limit: u64) -> Self {
        Self::new(Unit::Calls, limit.into())
    }

    /// Limits the tokens as well.
    #[must_use]
    pub fn and_tokens(self, limit: u64) -> Self {
        self.and(Unit::Tokens, limit.into())
    }

    /// Limits the US dollars as well.
    #[must_use]
    pub fn and_usd(self, limit: Decimal) -> Self {
        self.and(Unit::Usd, limit)
    }

    /// Limits the model attempts as well.
    #[must_use]
    pub fn and_calls(self, limit: u64) -> Self {
        self.and(Unit::Calls, limit.into())
    }

    /// Names the budget in errors and events.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Inner { name: name.into(), accounts: Arc::clone(&self.0.accounts) }))
    }

    /// Returns what has been spent.
    #[must_use]
    pub fn spent(&self) -> Spending {
        Spending::of(self.accounts().map(|account| account.spent))
    }

    /// Returns what calls in flight may still spend.
    #[must_use]
    pub fn reserved(&self) -> Spending {
        Spending::of(self.accounts().map(|account| account.reserved))
    }

    fn accounts(&self) -> MutexGuard<'_, [Account; 3]> {
        // Nothing in here panics while the lock is held; were it so, the sums would still be whole.
        self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the amounts aside if every limit holds them.
    fn reserve(&self, needed: [Decimal; 3]) -> Result<(), BudgetExceeded> {
        let mut accounts = self.accounts();
        for (account, needed) in accounts.iter().zip(needed) {
            let after = account.spent.saturating_add(account.reserved).saturating_add(needed);
            if let Some(limit) = account.limit.filter(|limit| after > *limit) {
                return Err(BudgetExceeded {
                    budget: Arc::clone(&self.0.name),
                    unit: account.unit,
                    limit,
                    spent: account.spent,
                    reserved: account.reserved,
                    needed,
                });
            }
        }
        for (account, needed) in accounts.iter_mut().zip(needed) {
            account.reserved = account.reserved.saturating_add(needed);
        }
        Ok(())
    }

    /// Replaces a reservation by what was spent; returns the thresholds that this passes.
    fn settle(&self, reserved: [Decimal; 3], spent: [Decimal; 3]) -> Vec<BudgetThreshold> {
        let mut passed = Vec::new();
        for ((account, reserved), spent) in self.accounts().iter_mut().zip(reserved).zip(spent) {
            account.reserved = account.reserved.saturating_sub(reserved);
            account.spent = account.spent.saturating_add(spent);
            let Some(limit) = account.limit else { continue };
            while let Some(percent) = THRESHOLDS.get(account.told).copied()
                && account.spent >= limit.saturating_mul(Decimal::new(percent.into(), 2))
            {
                account.told += 1;
                let budget = Arc::clone(&self.0.name);
                passed.push(BudgetThreshold {
                    budget,
                    unit: account.unit,
                    percent,
                    spent: account.spent,
                    limit,
                });
            }
        }
        passed
    }
}

impl Gate for Budget {
    fn ask(&self, request: &Request<'_>) -> Result<Option<Box<dyn Reservation>>, Refusal> {
        let Action::LlmAttempt { model, input_tokens, output_tokens, cost } = request.action else {
            return Ok(None);
        };
        let bounds_money = self.accounts()[Unit::Usd as usize].limit.is_some();
        if bounds_money && cost.is_none() {
            return Err(Refusal::UnknownPrice {
                budget: Arc::clone(&self.0.name),
                model: Arc::clone(model),
            });
        }

        let tokens = Decimal::from(input_tokens.saturating_add(*output_tokens));
        let amounts = [tokens, cost.unwrap_or_default(), Decimal::ONE];
        if let Err(exceeded) = self.reserve(amounts) {
            request.bus.emit(request.span, EventData::BudgetExceeded(Arc::new(exceeded.clone())));
            return Err(exceeded.into());
        }
        let (span, bus) = (Arc::clone(request.span), request.bus.clone());
        Ok(Some(Box::new(Reserved { budget: self.clone(), amounts, span, bus })))
    }
}

struct Reserved {
    budget: Budget,
    amounts: [Decimal; 3],
    span: Arc<SpanContext>,
    bus: Bus,
}

impl Reservation for Reserved {
    fn settle(self: Box<Self>, spent: Spent) {
        let [tokens, usd, calls] = self.amounts;
        let spent = match spent {
            Spent::Nothing => [Decimal::ZERO; 3],
            Spent::Known { usage, .. } if usage.is_unknown() => self.amounts,
            Spent::Known { usage, cost } => {
                [usage.total().into(), cost.total().unwrap_or(usd), calls]
            }
            Spent::Unknown => [tokens, usd, calls],
        };
        for threshold in self.budget.settle(self.amounts, spent) {
            self.bus.emit(&self.span, EventData::BudgetThreshold(threshold));
        }
    }
}

impl Spending {
    fn of([tokens, usd, calls]: [Decimal; 3]) -> Self {
        let whole = |amount: Decimal| amount.try_into().unwrap_or(u64::MAX);
        Self { tokens: whole(tokens), usd, calls: whole(calls) }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("name", &self.0.name)
            .field("accounts", &*self.accounts())
            .finish()
    }
}

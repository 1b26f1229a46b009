//! Budgets: limits of tokens, money, calls and time that calls in flight cannot overshoot.
//!
//! A budget reserves the most that a call can spend before it begins, and replaces the reservation by what was
//! spent when it ends. So `spent + reserved <= limit` always holds, with any number of calls in flight.
//!
//! [`Budget`] is one; [`Budgets`] makes one for each user, session, day and so on. A [`BudgetStore`] keeps what they
//! have seen spent beyond the life of the process.

use crate::bus::Bus;
use crate::event::{BudgetThreshold, EventData, SpanContext};
use crate::gate::{Action, Gate, Request, Reservation, Spent};
use crate::refusal::{BudgetExceeded, Refusal, Unit};
use rust_decimal::Decimal;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

mod limits;
mod store;
mod deadline;
mod family;

pub use crate::spending::Spending;
pub use family::{Budgets, Key, Keys};
pub use limits::{Balance, Limits};
pub use store::{BudgetStore, Reserve, Settled, StoreError, Ticket};

use limits::amount;
use store::Ledger;

const THRESHOLDS: [u8; 3] = [50, 80, 100];

/// A limit of tokens, money, calls, tool calls, code runs or time, or of several of them. Clones are the same budget:
/// put one clone in each of several [scopes](crate::scope::Scope::gate) to share it, or make a new budget in each scope
/// for a limit per run. Scopes can be nested; a call must fit into all their budgets.
///
/// ```
/// use glassbox_events::watch::Budget;
/// use rust_decimal::Decimal;
/// use std::time::Duration;
/// let budget = Budget::tokens(10_000).and_usd(Decimal::new(50, 2)).and_calls(20).named("support desk");
/// assert_eq!(budget.spent().tokens, 0);
/// let patience = Budget::wall_time(Duration::from_secs(30));
/// let advice = Budget::tokens(5_000).soft(); // tells, and refuses nothing
/// ```
#[derive(Clone)]
pub struct Budget {
    terms: Arc<Terms>,
    ledger: Arc<Ledger>,
}

/// What a budget allows. Set while it is built, and never after.
#[derive(Clone, Debug)]
struct Terms {
    /// Which budget it is, for the clocks of runs.
    number: u64,
    /// Its name, which is its key in a store too.
    name: Arc<str>,
    limits: Limits,
    wall_time: Option<Duration>,
    soft: bool,
}

impl Budget {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (limits, wall_time) = (Limits::default(), None);
        let terms = Terms { number, name: "budget".into(), limits, wall_time, soft: false };
        Self { terms: Arc::new(terms), ledger: Arc::new(Ledger::in_memory()) }
    }

    fn with(mut self, change: impl FnOnce(&mut Terms)) -> Self {
        change(Arc::make_mut(&mut self.terms));
        self
    }

    /// Limits the tokens, in and out.
    #[must_use]
    pub fn tokens(limit: u64) -> Self {
        Self::new().and_tokens(limit)
    }

    /// Limits the US dollars. A model without a known price is refused, since its cost has no bound.
    #[must_use]
    pub fn usd(limit: Decimal) -> Self {
        Self::new().and_usd(limit)
    }

    /// Limits the model attempts.
    #[must_use]
    pub fn calls(limit: u64) -> Self {
        Self::new().and_calls(limit)
    }

    /// Limits the calls of tools.
    #[must_use]
    pub fn tool_calls(limit: u64) -> Self {
        Self::new().and_tool_calls(limit)
    }

    /// Limits the runs of a model's code.
    #[must_use]
    pub fn code_runs(limit: u64) -> Self {
        Self::new().and_code_runs(limit)
    }

    /// Limits the time of each run, from its beginning. When it is over, the run is stopped: what is under way is
    /// cancelled, and nothing new begins. The time of a run that never asks a model, calls a tool or runs code is its own.
    #[must_use]
    pub fn wall_time(limit: Duration) -> Self {
        Self::new().and_wall_time(limit)
    }

    /// Limits the tokens as well.
    #[must_use]
    pub fn and_tokens(self, limit: u64) -> Self {
        self.with(|terms| terms.limits.tokens = Some(limit))
    }

    /// Limits the US dollars as well.
    #[must_use]
    pub fn and_usd(self, limit: Decimal) -> Self {
        self.with(|terms| terms.limits.usd = Some(limit.max(Decimal::ZERO)))
    }

    /// Limits the model attempts as well.
    #[must_use]
    pub fn and_calls(self, limit: u64) -> Self {
        self.with(|terms| terms.limits.calls = Some(limit))
    }

    /// Limits the calls of tools as well.
    #[must_use]
    pub fn and_tool_calls(self, limit: u64) -> Self {
        self.with(|terms| terms.limits.tool_calls = Some(limit))
    }

    /// Limits the runs of a model's code as well.
    #[must_use]
    pub fn and_code_runs(self, limit: u64) -> Self {
        self.with(|terms| terms.limits.code_runs = Some(limit))
    }

    /// Limits the time of each run as well.
    #[must_use]
    pub fn and_wall_time(self, limit: Duration) -> Self {
        self.with(|terms| terms.wall_time = Some(limit))
    }

    /// Lets the budget only tell: `budget.threshold` as ever, and `budget.exceeded` once for each unit when more is spent
    /// than the limit. It refuses and stops nothing.
    #[must_use]
    pub fn soft(self) -> Self {
        self.with(|terms| terms.soft = true)
    }

    /// Names the budget in errors and events, and in a store.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        self.with(|terms| terms.name = name.into())
    }

    /// Keeps the balance in a store, by the budget's name: it then outlives the process, and every process that has a
    /// budget of this name in the store shares it. What was spent so far stays behind.
    #[must_use]
    pub fn kept_in(self, store: Arc<dyn BudgetStore>) -> Self {
        Self { ledger: Arc::new(Ledger::kept_in(store)), ..self }
    }

    /// Returns the budget's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.terms.name
    }

    /// Returns what has been spent.
    #[must_use]
    pub fn spent(&self) -> Spending {
        self.balance().spent
    }

    /// Returns what calls in flight may still spend.
    #[must_use]
    pub fn reserved(&self) -> Spending {
        self.balance().reserved
    }

    /// Returns both at one moment: their sum is at most the limit.
    #[must_use]
    pub fn balance(&self) -> Balance {
        self.ledger.balance(&self.terms.name)
    }

    /// Returns a budget of the same terms with another name and nothing spent, in the same store.
    fn sibling(&self, name: Arc<str>) -> Self {
        let ledger = self.ledger.store().cloned().map_or_else(Ledger::in_memory, Ledger::kept_in);
        Self { ledger: Arc::new(ledger), ..self.clone() }.named(name)
    }

    /// Refuses when the run's time is over, and sees to it that it is stopped then.
    fn ask_time(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let Some(limit) = self.terms.wall_time else { return Ok(()) };
        let run = request.span.run();
        let exceeded = BudgetExceeded {
            budget: Arc::clone(&self.terms.name),
            unit: Unit::WallTime,
            limit: seconds(limit),
            spent: seconds(limit),
            reserved: Decimal::ZERO,
            needed: Decimal::ZERO,
            refused: !self.terms.soft,
        };
        let left = limit.saturating_sub(run.elapsed());
        if run.is_new_clock(self.terms.number) && !left.is_zero() {
            deadline::set(left, request.span, request.bus, exceeded);
        } else if left.is_zero() && exceeded.refused {
            deadline::over(request.span, request.bus, Arc::new(exceeded));
        }
        run.stopped().cloned().map_or(Ok(()), |stop| Err(Refusal::Stopped(stop)))
    }

    fn exceeded(&self, unit: Unit, balance: &Balance, needed: &Spending) -> BudgetExceeded {
        BudgetExceeded {
            budget: Arc::clone(&self.terms.name),
            unit,
            limit: self.terms.limits.of(unit).unwrap_or_default(),
            spent: amount(&balance.spent, unit),
            reserved: amount(&balance.reserved, unit),
            needed: amount(needed, unit),
            refused: !self.terms.soft,
        }
    }

    /// Returns the events of what was passed between two balances. Nobody else sees the same two, so each is told once.
    fn passed(&self, settled: &Settled, spent: &Spending) -> Vec<EventData> {
        let mut passed = Vec::new();
        for (unit, limit) in self.terms.limits.iter() {
            let (before, after) = (amount(&settled.before, unit), amount(&settled.after, unit));
            for percent in THRESHOLDS {
                let threshold = limit.saturating_mul(Decimal::new(percent.into(), 2));
                if before < threshold && threshold <= after {
                    let budget = Arc::clone(&self.terms.name);
                    let facts = BudgetThreshold { budget, unit, percent, spent: after, limit };
                    passed.push(EventData::BudgetThreshold(facts));
                }
            }
            if self.terms.soft && before <= limit && limit < after {
                let balance = Balance { spent: settled.after, ..Balance::default() };
                let exceeded = self.exceeded(unit, &balance, spent);
                passed.push(EventData::BudgetExceeded(Arc::new(exceeded)));
            }
        }
        passed
    }
}

impl Gate for Budget {
    fn ask(&self, request: &Request<'_>) -> Result<Option<Box<dyn Reservation>>, Refusal> {
        self.ask_time(request)?;
        let terms = &self.terms;
        if let Action::LlmAttempt { model, cost: None, .. } = request.action
            && terms.limits.usd.is_some()
            && !terms.soft
        {
            let (budget, model) = (Arc::clone(&terms.name), Arc::clone(model));
            return Err(Refusal::UnknownPrice { budget, model });
        }

        let needed = request.action.bound();
        let limits = if terms.soft { Limits::default() } else { terms.limits };
        let ticket = match self.ledger.reserve(&terms.name, &limits, needed) {
            Ok(Reserve::Granted(ticket)) => ticket,
            Ok(Reserve::Short(balance)) => {
                let unit = limits.short_of(&balance, &needed).unwrap_or(Unit::Calls);
                let exceeded = self.exceeded(unit, &balance, &needed);
                let told = EventData::BudgetExceeded(Arc::new(exceeded.clone()));
                request.bus.emit(request.span, told);
                return Err(exceeded.into());
            }
            Err(error) if terms.soft => {
                tracing::warn!(%error, budget = &*terms.name, "a budget's store cannot be used; this call is not counted");
                return Ok(None);
            }
            Err(error) => {
                let why = format!("the store of budget {:?} cannot be used: {error}", terms.name);
                return Err(Refusal::Other(why.into()));
            }
        };
        let (span, bus) = (Arc::clone(request.span), request.bus.clone());
        Ok(Some(Box::new(Reserved { budget: self.clone(), ticket, span, bus })))
    }
}

struct Reserved {
    budget: Budget,
    ticket: Ticket,
    span: Arc<SpanContext>,
    bus: Bus,
}

impl Reservation for Reserved {
    fn settle(self: Box<Self>, spent: Spent) {
        let (budget, spent) = (&self.budget, spent.amounts(self.ticket.amounts));
        match budget.ledger.settle(&budget.terms.name, self.ticket, spent) {
            Ok(settled) => {
                for data in budget.passed(&settled, &spent) {
                    self.bus.emit(&self.span, data);
                }
            }
            Err(error) => {
                tracing::warn!(%error, budget = budget.name(), "a budget's store cannot be used; what was reserved counts as spent");
            }
        }
    }
}

fn seconds(time: Duration) -> Decimal {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Decimal::new(millis, 3)
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("terms", &self.terms).field("ledger", &self.ledger).finish()
    }
}

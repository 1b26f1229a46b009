//! Where a budget's balance is kept: in memory, or in a store that outlives the process and is shared with others.

use super::limits::{Balance, Limits};
use crate::spending::Spending;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps balances of budgets by key, for budgets that outlive the process or are shared by several.
///
/// Each method is one step that nothing comes between, so that `spent + reserved <= limit` holds for all processes
/// together. They are called where a model is about to be asked, so they should take microseconds.
///
/// A process can be killed while it holds a reservation. Nobody knows then what its call has spent, so a store gives
/// reservations a lease, and counts one whose lease has run out as spent, as one of a call that was cut off.
/// One that is settled after all is then corrected.
pub trait BudgetStore: Send + Sync + fmt::Debug {
    /// Sets `needed` aside if the limits hold it ([`Limits::short_of`]).
    ///
    /// # Errors
    ///
    /// The store cannot be read or written. A hard budget then refuses the call.
    fn reserve(&self, key: &str, limits: &Limits, needed: Spending) -> Result<Reserve, StoreError>;

    /// Replaces a reservation by what was spent.
    ///
    /// # Errors
    ///
    /// The store cannot be read or written. The reservation is then counted as spent when its lease runs out.
    fn settle(&self, key: &str, ticket: Ticket, spent: Spending) -> Result<Settled, StoreError>;

    /// Returns what was spent and what is reserved; nothing of either for a key that was never used.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn balance(&self, key: &str) -> Result<Balance, StoreError>;
}

/// What became of the wish to reserve something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// It is set aside.
    Granted(Ticket),
    /// The limits do not hold it on top of this.
    Short(Balance),
}

/// A reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Which one it is, by the store's own count.
    pub id: u64,
    /// What it sets aside.
    pub amounts: Spending,
}

/// What was spent before and after something was settled. A threshold between the two is passed by it, and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Before.
    pub before: Spending,
    /// After.
    pub after: Spending,
}

/// Tells that a store could not be read or written, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// The balance of one budget.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Where it is kept instead, if it is not kept here.
    store: Option<Arc<dyn BudgetStore>>,
    /// The balance; with a store, what was last seen of it. A std mutex: it is held for a few additions.
    balance: Mutex<Balance>,
}

impl Ledger {
    pub(super) fn in_memory() -> Self {
        Self { store: None, balance: Mutex::default() }
    }

    pub(super) fn kept_in(store: Arc<dyn BudgetStore>) -> Self {
        Self { store: Some(store), balance: Mutex::default() }
    }

    pub(super) fn store(&self) -> Option<&Arc<dyn BudgetStore>> {
        self.store.as_ref()
    }

    pub(super) fn reserve(
        &self,
        key: &str,
        limits: &Limits,
        needed: Spending,
    ) -> Result<Reserve, StoreError> {
        if let Some(store) = &self.store {
            return store.reserve(key, limits, needed);
        }
        let mut balance = self.lock();
        if limits.short_of(&balance, &needed).is_some() {
            return Ok(Reserve::Short(*balance));
        }
        balance.reserved = balance.reserved.plus(needed);
        Ok(Reserve::Granted(Ticket { id: 0, amounts: needed }))
    }

    pub(super) fn settle(
        &self,
        key: &str,
        ticket: Ticket,
        spent: Spending,
    ) -> Result<Settled, StoreError> {
        if let Some(store) = &self.store {
            return store.settle(key, ticket, spent);
        }
        let mut balance = self.lock();
        let before = balance.spent;
        balance.reserved = balance.reserved.minus(ticket.amounts);
        balance.spent = before.plus(spent);
        Ok(Settled { before, after: balance.spent })
    }

    /// Returns the balance, or what was last seen of it if the store cannot be read now.
    pub(super) fn balance(&self, key: &str) -> Balance {
        let Some(store) = &self.store else { return *self.lock() };
        match store.balance(key) {
            Ok(balance) => *self.lock() = balance,
            Err(error) => tracing::warn!(%error, budget = key, "a budget's store cannot be read"),
        }
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Balance> {
        // Nothing in here panics while the lock is held; were it so, the sums would still be whole.
        self.balance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

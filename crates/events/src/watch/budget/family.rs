//! Families of budgets: one for each user, session, tenant, run or day, made when it is first asked.

use super::Budget;
use super::limits::Balance;
use super::store::BudgetStore;
use crate::clock;
use crate::event::SpanContext;
use crate::gate::{Gate, Request, Reservation};
use crate::refusal::Refusal;
use crate::run::WeakRun;
use glassbox_trace::time::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// What a family makes a budget for each of.
///
/// What has no user, session or such is one budget of its own, `none`: else leaving it out would be a way around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The run.
    Run,
    /// [`Scope::session`](crate::scope::Scope::session).
    Session,
    /// [`Scope::user`](crate::scope::Scope::user).
    User,
    /// The value of [`Scope::metadata`](crate::scope::Scope::metadata) by this key, such as `tenant`.
    Metadata(Arc<str>),
    /// The day in UTC.
    Day,
}

impl Key {
    /// Returns the key of a metadata value, such as `tenant`.
    #[must_use]
    pub fn metadata(key: impl Into<Arc<str>>) -> Self {
        Self::Metadata(key.into())
    }
}

/// One key, or several together: `[Key::User, Key::Day]` is a budget for each user and day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

impl From<Key> for Keys {
    fn from(key: Key) -> Self {
        Self(vec![key])
    }
}

impl<const N: usize> From<[Key; N]> for Keys {
    fn from(keys: [Key; N]) -> Self {
        Self(keys.into())
    }
}

/// A family of budgets of the same terms, one for each key. Clones are the same family.
///
/// ```
/// use glassbox_events::watch::{Budget, Budgets, Key};
/// let per_user = Budgets::per([Key::User, Key::Day], Budget::tokens(50_000).named("fair use"));
/// assert_eq!(per_user.of("user=ada day=2026-11-23").spent.tokens, 0);
/// ```
///
/// # Memory
///
/// A family in memory keeps at most 65,536 budgets ([`at_most`](Self::at_most)). When there is no room it forgets those
/// that nothing can be asked of any more: days that are over, runs that have ended, and what has been idle for a day
/// ([`forget_after`](Self::forget_after)). If that makes no room, a new key is refused, since a budget that is forgotten
/// too early would be one that does not hold. With a [store](Self::kept_in) nothing is kept in memory.
#[derive(Clone)]
pub struct Budgets(Arc<Family>);

#[derive(Clone)]
struct Family {
    keys: Keys,
    terms: Budget,
    stored: bool,
    most: usize,
    forget_after: Duration,
    members: Arc<Mutex<Members>>,
}

#[derive(Default)]
struct Members {
    by_key: HashMap<Arc<str>, Member>,
    /// Before this there is no use in looking for room again.
    look_again: Timestamp,
}

struct Member {
    budget: Budget,
    used: Timestamp,
    /// The day that it is for, counted from 1970.
    day: Option<u64>,
    run: Option<WeakRun>,
}

const DAY: Duration = Duration::from_secs(86_400);
/// How long a family that is full waits before it looks again for what can be forgotten.
const PATIENCE: Duration = Duration::from_secs(1);

impl Budgets {
    /// Makes a budget of these terms for each key.
    #[must_use]
    pub fn per(keys: impl Into<Keys>, terms: Budget) -> Self {
        let (keys, stored) = (keys.into(), terms.ledger.store().is_some());
        let members = Arc::default();
        Self(Arc::new(Family { keys, terms, stored, most: 1 << 16, forget_after: DAY, members }))
    }

    fn with(self, change: impl FnOnce(&mut Family)) -> Self {
        let mut family = Arc::unwrap_or_clone(self.0);
        change(&mut family);
        Self(Arc::new(family))
    }

    /// Keeps the balances in a store: they outlive the process, and processes share them.
    #[must_use]
    pub fn kept_in(self, store: Arc<dyn BudgetStore>) -> Self {
        self.with(|family| {
            family.terms = family.terms.clone().kept_in(store);
            family.stored = true;
        })
    }

    /// Sets how many budgets are kept in memory; at least one.
    #[must_use]
    pub fn at_most(self, budgets: usize) -> Self {
        self.with(|family| family.most = budgets.max(1))
    }

    /// Sets how long a budget has to be idle before it may be forgotten, if there is no room.
    #[must_use]
    pub fn forget_after(self, idle: Duration) -> Self {
        self.with(|family| family.forget_after = idle)
    }

    /// Returns the balance of one budget, by its key as events name it: `user=ada day=2026-11-23`.
    #[must_use]
    pub fn of(&self, key: &str) -> Balance {
        if self.0.stored {
            return self.0.sibling(key).balance();
        }
        let members = self.0.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.by_key.get(key).map(|member| member.budget.balance()).unwrap_or_default()
    }

    /// Returns how many budgets are kept in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner).by_key.len()
    }

    /// Tells whether no budget is kept in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Family {
    fn sibling(&self, key: &str) -> Budget {
        self.terms.sibling(format!("{} {key}", self.terms.name()).into())
    }

    /// Returns the budget of a key, made if there is none; `None` if there is no room for it.
    fn member(&self, key: &str, span: &SpanContext, now: Timestamp) -> Option<Budget> {
        if self.stored {
            return Some(self.sibling(key));
        }
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = members.by_key.get_mut(key) {
            member.used = member.used.max(now);
            return Some(member.budget.clone());
        }
        if members.by_key.len() >= self.most && now >= members.look_again {
            members.look_again = now.after(PATIENCE);
            members.by_key.retain(|_, member| !member.is_past(now, self.forget_after));
        }
        if members.by_key.len() >= self.most {
            return None;
        }
        let day = self.keys.0.contains(&Key::Day).then(|| day(now));
        let run = self.keys.0.contains(&Key::Run).then(|| span.run().downgrade());
        let budget = self.sibling(key);
        let member = Member { budget: budget.clone(), used: now, day, run };
        members.by_key.insert(key.into(), member);
        Some(budget)
    }
}

impl Member {
    /// Tells whether nothing will be asked of it any more, as far as one can know.
    fn is_past(&self, now: Timestamp, idle: Duration) -> bool {
        let is_over = self.day.is_some_and(|day_of| day_of < day(now))
            || self.run.as_ref().is_some_and(WeakRun::is_over)
            || now.since(self.used) >= idle;
        is_over && self.budget.reserved() == Default::default()
    }
}

impl Gate for Budgets {
    fn ask(&self, request: &Request<'_>) -> Result<Option<Box<dyn Reservation>>, Refusal> {
        let (family, now) = (&*self.0, clock::now());
        let key = family.keys.of(request.span, now);
        match family.member(&key, request.span, now) {
            Some(budget) => budget.ask(request),
            None => {
                let why = format!(
                    "the budgets {:?} hold {} keys already and have no room for {key:?}: raise `at_most`, or keep them in a store",
                    family.terms.name(),
                    family.most
                );
                Err(Refusal::Other(why.into()))
            }
        }
    }
}

impl Keys {
    /// Writes the keys of a place in a program: `user=ada day=2026-11-23`.
    fn of(&self, span: &SpanContext, now: Timestamp) -> String {
        let (mut text, trace) = (String::new(), span.trace());
        for key in &self.0 {
            if !text.is_empty() {
                text.push(' ');
            }
            // Writing to a string does not fail.
            let _written = match key {
                Key::Run => write!(text, "run={}-{}", *PROCESS, span.run().number()),
                Key::Session => write!(text, "session={}", value(trace.session_id.as_deref())),
                Key::User => write!(text, "user={}", value(trace.user_id.as_deref())),
                Key::Metadata(key) => {
                    let found = trace.metadata.iter().find(|(name, _)| name == key);
                    let found = found.map(|(_, value)| match value.as_str() {
                        Some(text) => text.to_owned(),
                        None => value.to_string(),
                    });
                    write!(text, "{key}={}", value(found.as_deref()))
                }
                Key::Day => {
                    let time = now.to_string();
                    write!(text, "day={}", time.split('T').next().unwrap_or_default())
                }
            };
        }
        text
    }
}

/// Tells the runs of this process from those of others in a store.
static PROCESS: LazyLock<String> = LazyLock::new(|| clock::new_span_id().to_string());

/// As much of a value is part of a key: it comes from outside. What begins alike shares a budget then.
const MAX_VALUE: usize = 256;

/// Writes a value so that none can be taken for another, nor for two: `none` is nobody's.
fn value(value: Option<&str>) -> String {
    let Some(text) = value else { return "none".to_owned() };
    let text = &text[..text.floor_char_boundary(MAX_VALUE)];
    if text.is_empty() || text == "none" || text.contains([' ', '=', '"']) {
        format!("{text:?}")
    } else {
        text.to_owned()
    }
}

const fn day(now: Timestamp) -> u64 {
    now.unix_nanos() / DAY.as_nanos() as u64
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets")
            .field("keys", &self.0.keys)
            .field("terms", &self.0.terms)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

//! Ways to run a program: in a scope, with another model, with somebody listening.

use crate::lm::Lm;
use glassbox_events::bus::{Bus, Outcome, Subscription};
use glassbox_events::event::Event;
use glassbox_events::pattern::PatternError;
use glassbox_events::scope::Scope;
use std::future::Future;
use std::sync::Arc;

/// Begins a scope: session, user, tags, budgets and more for everything that runs inside.
///
/// ```
/// # async fn serve() {}
/// # async fn example() {
/// use glassbox::watch::Budget;
/// glassbox::scope().session("s-1").user("u-4").gate(Budget::tokens(10_000)).run(serve()).await;
/// # }
/// ```
pub fn scope() -> Scope {
    Scope::new()
}

/// Runs a future with another model in place of the one that each module was made with. It follows the task.
///
/// ```
/// # async fn example(cheap: &glassbox::Lm) {
/// let answer = glassbox::with_lm(cheap, async { /* modules called here ask `cheap` */ }).await;
/// # }
/// ```
pub async fn with_lm<F: Future>(lm: &Lm, future: F) -> F::Output {
    Scope::new().carry(Arc::new(lm.clone())).run(future).await
}

/// Subscribes a closure to the events of the process that match a pattern, such as `llm.*`.
///
/// The closure returns nothing, or `Result<(), Stop>` to be able to stop the run in which the event happened.
///
/// ```
/// let subscription = glassbox::subscribe("llm.*", |event| println!("{}", event.name()))?;
/// # Ok::<(), glassbox::Error>(())
/// ```
///
/// # Errors
///
/// The pattern matches no event.
pub fn subscribe<R: Outcome>(
    pattern: &str,
    closure: impl Fn(&Event) -> R + Send + Sync + 'static,
) -> Result<Subscription, PatternError> {
    Bus::global().on(pattern, closure)
}

//! Rollouts: which of several independent answers to the same request is being asked for.

use glassbox_events::context::Context;
use glassbox_events::scope::Scope;
use std::sync::Arc;

/// The number of the candidate that is being made, carried by the scope.
struct Rollout(u32);

/// Returns the number of the candidate that is being made here, if one is.
pub(crate) fn current() -> Option<u32> {
    Context::current().carried::<Rollout>().map(|rollout| rollout.0)
}

/// Makes the scope of candidate number `candidate` (from 0) of `candidates`. Candidates of a candidate are apart, too.
pub(crate) fn scope(candidate: u32, candidates: u32) -> Scope {
    let outer = current().unwrap_or(0);
    let number = outer.wrapping_mul(candidates).wrapping_add(candidate);
    Scope::new().carry(Arc::new(Rollout(number)))
}

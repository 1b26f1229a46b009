//! Rollouts: which of several candidates for the same answer is being made, and what earlier ones have taught.

use glassbox_events::context::Context;
use glassbox_events::scope::Scope;
use std::sync::Arc;

/// The candidate that is being made, carried by the scope.
struct Rollout {
    number: u32,
    advice: Option<Arc<str>>,
}

/// Returns the number of the candidate that is being made here, if one is.
pub(crate) fn current() -> Option<u32> {
    Context::current().carried::<Rollout>().map(|rollout| rollout.number)
}

/// Returns the advice for the candidate that is being made here, if there is any.
pub(crate) fn advice() -> Option<Arc<str>> {
    Context::current().carried::<Rollout>()?.advice.clone()
}

/// Makes the scope of candidate number `candidate` (from 0) of `candidates`. Candidates of a candidate are apart, too.
pub(crate) fn scope(candidate: u32, candidates: u32, advice: Option<Arc<str>>) -> Scope {
    let outer = current().unwrap_or(0);
    let number = outer.wrapping_mul(candidates).wrapping_add(candidate);
    Scope::new().carry(Arc::new(Rollout { number, advice }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn candidates_of_candidates_are_apart() {
        assert_eq!(current(), None);
        let mut numbers = HashSet::new();
        for outer in 0..3 {
            scope(outer, 3, Some("be brief".into())).enter(|| {
                assert_eq!((current(), advice().as_deref()), (Some(outer), Some("be brief")));
                for inner in 0..4 {
                    scope(inner, 4, None).enter(|| {
                        numbers.insert(current());
                        assert_eq!(advice(), None);
                    });
                }
            });
        }
        assert_eq!(numbers.len(), 12);
    }
}

//! Keeps guessing what a model meant from going round in circles.

use std::any::TypeId;
use std::cell::RefCell;

use serde_json::Value;

/// How deep guesses with several answers may be nested. Each level multiplies the work by the
/// number of answers, so an ambiguous union in an ambiguous union is tried, and not twenty of them.
const MAX_CHOICES: usize = 3;

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

struct Open {
    reads: TypeId,
    /// Address of the value, which is borrowed for as long as the guess is open.
    value: usize,
    has_choices: bool,
}

/// A guess in progress: reading a value as something it does not say it is.
///
/// Types can contain themselves (`struct Forest(Vec<Forest>)`), so that a guess about a value may
/// lead to the same guess about the same value: it is refused.
#[must_use]
pub(super) struct Guess(());

impl Guess {
    /// Begins to read `value` as the one thing it could be.
    pub(super) fn one<T: 'static>(value: &Value) -> Option<Self> {
        Self::begin::<T>(value, false)
    }

    /// Begins to read `value` as each of several things.
    pub(super) fn any<T: 'static>(value: &Value) -> Option<Self> {
        Self::begin::<T>(value, true)
    }

    fn begin<T: 'static>(value: &Value, has_choices: bool) -> Option<Self> {
        let reads = TypeId::of::<T>();
        let value = std::ptr::from_ref(value).addr();
        OPEN.with_borrow_mut(|open| {
            let is_circle = open.iter().any(|open| open.reads == reads && open.value == value);
            let choices = open.iter().filter(|open| open.has_choices).count();
            if is_circle || (has_choices && choices >= MAX_CHOICES) {
                return None;
            }
            open.push(Open { reads, value, has_choices });
            Some(Self(()))
        })
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        // Guesses are dropped in the reverse order of their beginning: they live on the stack.
        OPEN.with_borrow_mut(Vec::pop);
    }
}

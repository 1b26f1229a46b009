//! Limits of our own on calls of a provider: so many at once, so many requests and tokens a minute. They keep a program
//! within what the provider allows, and slow down when the provider says that it was too much.

use crate::error::{Error, ErrorKind};
use state::{State, Wait};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Queue, Notify};
use tokio::time::{Instant, sleep};

mod bucket;
mod window;
mod state;
mod pass;

pub(crate) use pass::Pass;

/// How much may be asked of a provider with one key. What is `None` is not limited.
///
/// ```
/// use glassbox::{Limits, Lm};
/// let limits = Limits { concurrency: Some(20), requests_per_minute: Some(600), ..Limits::default() };
/// let lm = Lm::builder("openai/gpt-4o-mini").api_key("sk-..").limits(limits).build()?;
/// # Ok::<(), glassbox::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most attempts in flight.
    pub concurrency: Option<u32>,
    /// The most attempts a minute, evenly: a second's share of them may begin at once.
    pub requests_per_minute: Option<u32>,
    /// The most tokens a minute, in and out. Before an attempt an estimate is taken (a quarter of the prompt's bytes, and
    /// as many output tokens as answers have had on average); what it was wrong by is settled with those that follow.
    pub tokens_per_minute: Option<u32>,
    /// Whether fewer attempts are made at once after the provider said that it was too much (429, 503, 529): 0.7 of
    /// those that were allowed, and one more for each round of answers that went well, up to `concurrency`.
    pub adaptive: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: None,
            requests_per_minute: None,
            tokens_per_minute: None,
            adaptive: true,
        }
    }
}

impl Limits {
    pub(crate) fn checked(self) -> Result<Self, Error> {
        let zero = [
            ("concurrency", self.concurrency),
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
        ];
        match zero.into_iter().find(|(_, limit)| *limit == Some(0)) {
            Some((name, _)) => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{name} is 0, so no call could ever be made: type at least 1, or None for no limit"
                ),
            )),
            None => Ok(self),
        }
    }

    /// Returns what holds where both do.
    fn and(self, other: Self) -> Self {
        let least = |one: Option<u32>, other: Option<u32>| one.into_iter().chain(other).min();
        Self {
            concurrency: least(self.concurrency, other.concurrency),
            requests_per_minute: least(self.requests_per_minute, other.requests_per_minute),
            tokens_per_minute: least(self.tokens_per_minute, other.tokens_per_minute),
            adaptive: self.adaptive && other.adaptive,
        }
    }
}

/// Lets attempts begin within [`Limits`], in the order in which they came. Clones are the same limiter.
///
/// Models of the same provider, address and key share one by themselves, whose limits are the strictest that any of them
/// was made with. Make one by hand to share it otherwise, such as between keys of one account, or to look at it.
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

struct Inner {
    /// Held for a few additions, never across an await.
    state: Mutex<State>,
    /// Whose turn it is. The first in the queue waits for what it needs, the others for it: nobody is overtaken, and
    /// whoever goes away leaves nothing behind.
    turn: Queue<()>,
    /// Told when a place is free; the first in the queue listens.
    freed: Notify,
    waiting: AtomicUsize,
}

impl Limiter {
    /// Makes a limiter of its own.
    ///
    /// # Errors
    ///
    /// A limit is 0.
    pub fn new(limits: Limits) -> Result<Self, Error> {
        let limiter = Self::unlimited();
        limiter.tighten(limits.checked()?);
        Ok(limiter)
    }

    /// Makes a limiter that holds nobody back but when the provider asks for it.
    pub(crate) fn unlimited() -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            turn: Queue::new(()),
            freed: Notify::new(),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// Returns how many attempts are in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.state().in_flight
    }

    /// Returns how many calls wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Returns how many attempts may be in flight now: the limit, or less after the provider said that it was too much.
    /// `None` where neither bounds them.
    #[must_use]
    pub fn concurrency(&self) -> Option<u32> {
        self.state().window.permits()
    }

    /// Makes the limits at least as strict as these.
    pub(crate) fn tighten(&self, limits: Limits) {
        self.state().tighten(limits);
    }

    /// Returns how many tokens an attempt is likely to use.
    pub(crate) fn estimate(&self, prompt_bytes: u64, max_output: u64) -> u64 {
        // Four bytes a token is what English has on average.
        prompt_bytes.div_ceil(4) + self.state().likely_output().min(max_output)
    }

    /// Lets an attempt begin at once, or not at all.
    pub(crate) fn try_admit(&self, tokens: u64) -> Option<Pass> {
        let _turn = self.0.turn.try_lock().ok()?;
        self.state().take(Instant::now(), tokens).ok()?;
        Some(Pass::new(self.clone(), tokens))
    }

    /// Waits until an attempt may begin. Dropping the future leaves the queue.
    pub(crate) async fn admit(&self, tokens: u64) -> Pass {
        let _waiting = Waiting::new(&self.0.waiting);
        let _turn = self.0.turn.lock().await;
        loop {
            let taken = self.state().take(Instant::now(), tokens);
            match taken {
                Ok(()) => return Pass::new(self.clone(), tokens),
                Err(Wait::For(time)) => sleep(time).await,
                // A place that was freed since is remembered.
                Err(Wait::Place) => self.0.freed.notified().await,
            }
        }
    }

    /// Holds everybody back for so long: the provider asked for it.
    fn pause(&self, time: Duration) {
        self.state().pause(Instant::now(), time);
    }

    fn freed(&self) {
        self.0.freed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while the lock is held; were it so, the sums would still be whole.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one more that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("limits", &self.state().limits)
            .field("in_flight", &self.in_flight())
            .field("waiting", &self.waiting())
            .field("concurrency", &self.concurrency())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    fn limiter(limits: Limits) -> Limiter {
        Limiter::new(limits).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_first_goes_first_and_who_leaves_is_not_waited_for() {
        let limiter = limiter(Limits { concurrency: Some(1), ..Limits::default() });
        let first = limiter.try_admit(0).unwrap();
        let order = Mutex::new(Vec::new());
        let wait = |number: u32| {
            let (limiter, order) = (limiter.clone(), &order);
            async move {
                let pass = limiter.admit(0).await;
                order.lock().unwrap().push(number);
                sleep(Duration::from_secs(1)).await;
                drop(pass);
            }
        };
        let (second, fourth) = (wait(2), wait(4));
        {
            let mut third = pin!(wait(3));
            let mut second = pin!(second);
            let mut fourth = pin!(fourth);
            // All three queue in this order.
            poll_fn(|task| {
                assert!(second.as_mut().poll(task).is_pending());
                assert!(third.as_mut().poll(task).is_pending());
                assert!(fourth.as_mut().poll(task).is_pending());
                Poll::Ready(())
            })
            .await;
            assert_eq!((limiter.waiting(), limiter.in_flight()), (3, 1));
            assert!(limiter.try_admit(0).is_none(), "nobody is overtaken");
            drop(first);
            second.await;
            let others = async {
                tokio::select! {
                    () = third => (),
                    () = fourth => (),
                }
            };
            others.await;
        }
        assert_eq!(*order.lock().unwrap(), [2, 3]);
        assert_eq!((limiter.waiting(), limiter.in_flight()), (0, 0));
        drop(limiter.try_admit(0).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody_back() {
        let limiter = limiter(Limits::default());
        limiter.pause(Duration::from_secs(5));
        let began = Instant::now();
        assert!(limiter.try_admit(0).is_none());
        drop(limiter.admit(0).await);
        assert!(began.elapsed() >= Duration::from_secs(5));
    }

    #[test]
    fn the_strictest_limit_holds_and_none_is_zero() {
        let one =
            Limits { concurrency: Some(4), requests_per_minute: Some(60), ..Limits::default() };
        let limiter = limiter(one);
        limiter.tighten(Limits { concurrency: Some(9), tokens_per_minute: Some(7), ..one });
        let limits = limiter.state().limits;
        assert_eq!((limits.concurrency, limits.tokens_per_minute), (Some(4), Some(7)));
        limiter.tighten(Limits { concurrency: Some(2), ..one });
        assert_eq!(limiter.concurrency(), Some(2));

        let error = Limiter::new(Limits { concurrency: Some(0), ..one }).unwrap_err();
        assert!(error.to_string().starts_with("concurrency is 0"), "{error}");
    }
}

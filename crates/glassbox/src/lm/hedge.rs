//! Hedging: a second attempt beside one that takes long, and whichever answers first counts.

use crate::error::ErrorKind;
use crate::lm::attempt::{Call, Shot};
use crate::lm::failure::Failure;
use crate::lm::record::Sums;
use crate::lm::transport::{Answer, Progress};
use futures::future::{Either, select};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::sleep;

/// How many answers' times are remembered.
const REMEMBERED: usize = 100;

/// How many of them it takes to know what is usual.
const ENOUGH: usize = 20;

/// When a second attempt is made beside the first. The first answer wins, and the other attempt is cancelled.
///
/// It costs: the attempt that lost may be charged for all the same. So it asks gates and limits as any attempt does (where
/// they do not let it begin at once, there is none), budgets count what was reserved for the loser, the span has it as a
/// failed attempt (`cancelled`), and the call's usage and cost are those of the answer, so a lower bound. An answer that is
/// read as it comes ([`Lm::stream`](crate::Lm::stream)) is not hedged.
///
/// ```
/// use glassbox::{Hedge, Lm};
/// use std::time::Duration;
/// let hedge = Hedge::at_p95(Duration::from_secs(10));
/// let lm = Lm::builder("openai/gpt-4o-mini").api_key("sk-..").hedge(hedge).build()?;
/// # Ok::<(), glassbox::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    after: Duration,
    adapts: bool,
}

impl Hedge {
    /// Makes the second attempt when the first has taken so long.
    #[must_use]
    pub const fn after(delay: Duration) -> Self {
        Self { after: delay, adapts: false }
    }

    /// Makes it when the first has taken longer than 95 of 100 answers of this model did; after `until_known` as long as
    /// fewer than 20 have come.
    #[must_use]
    pub const fn at_p95(until_known: Duration) -> Self {
        Self { after: until_known, adapts: true }
    }

    fn delay(self, pace: &Pace) -> Duration {
        self.adapts.then(|| pace.p95()).flatten().unwrap_or(self.after)
    }
}

/// How long the latest answers of a model took.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Kept only where somebody asks for it.
    times: Option<Mutex<VecDeque<Duration>>>,
}

impl Pace {
    pub(crate) fn for_hedge(hedge: Option<Hedge>) -> Self {
        Self { times: hedge.filter(|hedge| hedge.adapts).map(|_| Mutex::default()) }
    }

    pub(super) fn learn(&self, time: Duration) {
        let Some(times) = &self.times else { return };
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() == REMEMBERED {
            times.pop_front();
        }
        times.push_back(time);
    }

    fn p95(&self) -> Option<Duration> {
        let times = self.times.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<_> = times.iter().copied().collect();
        drop(times);
        sorted.sort_unstable();
        sorted.get(sorted.len() * 95 / 100).copied().filter(|_| sorted.len() >= ENOUGH)
    }
}

/// How an attempt went, and the one beside it.
pub(super) struct Raced {
    /// How the first went; `None` if it was cancelled, since the second had an answer.
    pub(super) first: Option<Result<Answer, Failure>>,
    /// The second's answer, if it won.
    pub(super) second: Option<Answer>,
}

/// An attempt beside another one, until it has ended. One that is dropped was cancelled.
struct Second<'a> {
    shot: Option<Shot>,
    call: &'a Call<'a>,
    sums: &'a mut Sums,
}

impl Second<'_> {
    /// Ends it; returns the answer, if there is one.
    fn end(&mut self, (result, progress): (Result<Answer, Failure>, Progress)) -> Option<Answer> {
        let shot = self.shot.take()?;
        match result {
            Ok(answer) => {
                shot.answered(self.call, &answer);
                Some(answer)
            }
            Err(failure) => {
                let failure = failure.with_progress(progress, self.call.lm.wire());
                shot.failed(self.call, self.sums, &failure);
                None
            }
        }
    }
}

impl Drop for Second<'_> {
    fn drop(&mut self) {
        if let Some(shot) = self.shot.take() {
            shot.failed(self.call, self.sums, &lost());
        }
    }
}

/// Describes an attempt that was cancelled since the one beside it had an answer.
pub(super) fn lost() -> Failure {
    Failure {
        class: Some("cancelled"),
        may_have_cost: true,
        ..Failure::new(ErrorKind::Other, "another attempt was quicker, or the call has ended")
    }
}

/// Runs an attempt, and makes a second one beside it if it takes long.
pub(super) async fn race(
    call: &Call<'_>,
    sums: &mut Sums,
    first: impl Future<Output = Result<Answer, Failure>>,
    first_chunk: &impl Fn(),
) -> Raced {
    let alone = |result| Raced { first: Some(result), second: None };
    let hedge = call.lm.hedge.filter(|_| call.deltas.is_none() && Handle::try_current().is_ok());
    let Some(hedge) = hedge else { return alone(first.await) };

    let mut first = pin!(first);
    let delay = pin!(sleep(hedge.delay(&call.lm.pace)));
    if let Either::Left((result, _)) = select(first.as_mut(), delay).await {
        return alone(result);
    }
    let Some(shot) = Shot::begin_at_once(call, sums) else { return alone(first.await) };
    let mut second = Second { shot: Some(shot), call, sums };
    let answer = async {
        let mut progress = Progress::default();
        let result = call.send(&mut progress, first_chunk).await;
        (result, progress)
    };
    match select(first, pin!(answer)).await {
        Either::Left((Ok(answer), _)) => alone(Ok(answer)),
        Either::Left((Err(failure), answer)) => {
            let answer = answer.await;
            Raced { first: Some(Err(failure)), second: second.end(answer) }
        }
        Either::Right((ended, first)) => match second.end(ended) {
            Some(answer) => Raced { first: None, second: Some(answer) },
            None => alone(first.await),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_known_after_some_answers() {
        let hedge = Hedge::at_p95(Duration::from_secs(9));
        let pace = Pace::for_hedge(Some(hedge));
        for number in 1..=100 {
            if number <= 20 {
                assert_eq!(hedge.delay(&pace), Duration::from_secs(9));
            }
            pace.learn(Duration::from_millis(number));
        }
        assert_eq!(hedge.delay(&pace), Duration::from_millis(96));
        // What was long ago does not count.
        for _ in 0..100 {
            pace.learn(Duration::from_millis(7));
        }
        assert_eq!(hedge.delay(&pace), Duration::from_millis(7));
        let fixed = Hedge::after(Duration::from_secs(1));
        assert_eq!(fixed.delay(&pace), Duration::from_secs(1));
    }
}

//! How long a call may go on: until its run is stopped, its scope's time is up, or its own is.

use crate::error::ErrorKind;
use crate::lm::failure::Failure;
use crate::lm::record::Ending;
use futures::future::{Either, select};
use glassbox_events::context::Context;
use glassbox_events::refusal::Refusal;
use glassbox_events::run::Stop;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// What a call waits with: every wait and every attempt of it ends when this does.
pub(super) struct Patience<'a> {
    context: &'a Context,
    total: Option<(Instant, Duration)>,
}

/// Why something was cut off.
#[derive(Debug)]
pub(super) enum Cut {
    /// The run was stopped, or its scope's time is up.
    Stopped(Stop),
    /// The policy's time for all attempts is up.
    OutOfTime(Duration),
}

impl<'a> Patience<'a> {
    /// Begins now; `total` is what the policy allows all attempts together.
    pub(super) fn new(context: &'a Context, total: Option<Duration>) -> Self {
        let end = |total| Some((Instant::now().checked_add(total)?, total));
        Self { context, total: total.and_then(end) }
    }

    /// Tells whether a pause would end in time.
    pub(super) fn allows(&self, pause: Duration) -> bool {
        self.total.is_none_or(|(end, _)| end.saturating_duration_since(Instant::now()) > pause)
    }

    /// Runs a future to its end, or drops it when the patience ends. What is ready at the same moment counts.
    pub(super) async fn bear<T>(&self, future: impl Future<Output = T>) -> Result<T, Cut> {
        match select(pin!(future), pin!(self.ended())).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right((cut, _)) => Err(cut),
        }
    }

    async fn ended(&self) -> Cut {
        let time = async {
            match self.total {
                Some((end, total)) if Handle::try_current().is_ok() => {
                    sleep_until(end).await;
                    Cut::OutOfTime(total)
                }
                _ => pending().await,
            }
        };
        match select(pin!(self.context.until_stopped()), pin!(time)).await {
            Either::Left((stop, _)) => Cut::Stopped(stop),
            Either::Right((cut, _)) => cut,
        }
    }
}

impl Cut {
    /// Describes an attempt that was cut off: nobody knows what it cost.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Stopped(stop) => Failure {
                class: Some("stopped"),
                may_have_cost: true,
                ..Failure::new(ErrorKind::Refused, format!("the run was stopped: {stop}"))
            },
            Self::OutOfTime(total) => Failure::new(
                ErrorKind::Timeout,
                format!(
                    "no answer within {total:?}, all attempts together; raise it with `total` of the `RetryPolicy`"
                ),
            )
            .final_(),
        }
    }

    /// Describes the end of the call, with what had come of an answer.
    pub(super) fn ending(self, partial: Option<Arc<str>>) -> Ending {
        match self {
            Self::Stopped(stop) => Ending::Refused(Refusal::Stopped(stop), partial),
            Self::OutOfTime(_) => Ending::Failed(Failure { partial, ..self.failure() }),
        }
    }
}

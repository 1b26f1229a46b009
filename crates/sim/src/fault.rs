//! What can go wrong, and the plan of when it does.

use std::time::Duration;

use rand::RngExt;

use crate::seed::{self, Purpose};

/// One way in which a call goes wrong.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers 429 with `retry-after` in whole seconds, rounded up, and for OpenAI `retry-after-ms`.
    RateLimited {
        /// How long the client is told to wait.
        retry_after: Duration,
    },
    /// Answers this status, with the body that the provider has for a broken server.
    ServerError(u16),
    /// Answers as an overloaded provider: 529 from Anthropic, 503 from the others.
    Overloaded,
    /// Resets the TCP connection before any byte of the response.
    Reset,
    /// Reads the request and never answers, until the client goes away.
    Stall,
    /// Closes the connection in the middle of the body or stream.
    Truncated,
    /// Answers 200 with an envelope that is not JSON; in a stream, one event in the middle is not JSON.
    MalformedJson,
    /// Answers prose where JSON, fields or a tool call were asked for.
    Prose,
    /// Answers a valid envelope in which the model's own text ends half way, with finish reason stop.
    TruncatedJson,
    /// Answers JSON whose values have other types than asked for.
    WrongTypes,
    /// Answers empty content, with finish reason stop.
    Empty,
    /// Refuses: `content_filter`, `refusal` or `SAFETY`.
    ContentFilter,
    /// Ends half way, with the finish reason for reaching the token limit.
    Length,
    /// Leaves the usage out.
    NoUsage,
}

/// Says which requests go wrong, and how. The first rule that applies wins.
///
/// ```
/// use std::time::Duration;
/// use glassbox_sim::{Fault, FaultPlan};
///
/// let plan = FaultPlan::none()
///     .on_request(3, Fault::Reset)
///     .first_of_each(1, Fault::RateLimited { retry_after: Duration::from_secs(1) })
///     .rate(0.05, Fault::ServerError(500));
/// # let _ = plan;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct FaultPlan {
    rules: Vec<(When, Fault)>,
}

#[derive(Clone, Debug, PartialEq)]
enum When {
    Request(u64),
    FirstOfEach(u64),
    Every(u64),
    Rate(f64),
    Always,
}

impl FaultPlan {
    /// Lets every request succeed.
    pub fn none() -> Self {
        Self::default()
    }

    /// Fails the `number`-th model call that reaches the server, counted from 1.
    pub fn on_request(self, number: u64, fault: Fault) -> Self {
        self.rule(When::Request(number), fault)
    }

    /// Fails the first `times` attempts of each distinct request (same path, same body); later ones succeed.
    ///
    /// Rules add up: `.first_of_each(1, a).first_of_each(2, b)` fails first with `a`, then with `b`.
    pub fn first_of_each(self, times: u64, fault: Fault) -> Self {
        self.rule(When::FirstOfEach(times), fault)
    }

    /// Fails every `number`-th model call that reaches the server, whichever it is: so many of so many go wrong, however
    /// they are timed. Zero means none.
    pub fn every(self, number: u64, fault: Fault) -> Self {
        self.rule(When::Every(number), fault)
    }

    /// Fails with this probability, from 0 to 1. Which attempts of which requests fail depends on the seed and the request alone.
    pub fn rate(self, probability: f64, fault: Fault) -> Self {
        self.rule(When::Rate(probability), fault)
    }

    /// Fails every request.
    pub fn always(self, fault: Fault) -> Self {
        self.rule(When::Always, fault)
    }

    fn rule(mut self, when: When, fault: Fault) -> Self {
        self.rules.push((when, fault));
        self
    }

    /// Picks the fault of the `number`-th call, which is the `attempt`-th of this `request`; both count from 1.
    pub(crate) fn pick(&self, seed: u64, request: u64, number: u64, attempt: u64) -> Option<Fault> {
        let applies = |index: usize, when: &When| match when {
            When::Request(wanted) => *wanted == number,
            When::FirstOfEach(times) => attempt <= *times,
            When::Every(step) => *step > 0 && number.is_multiple_of(*step),
            When::Rate(probability) => {
                let mut rng = seed::rng(seed ^ index as u64, Purpose::Fault, request, attempt);
                rng.random::<f64>() < *probability
            }
            When::Always => true,
        };
        let rule = self.rules.iter().enumerate().find(|(index, (when, _))| applies(*index, when));
        rule.map(|(_, (_, fault))| fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_applies_wins() {
        let plan = FaultPlan::none()
            .on_request(2, Fault::Reset)
            .first_of_each(1, Fault::Stall)
            .first_of_each(2, Fault::Empty);
        assert_eq!(plan.pick(0, 1, 1, 1), Some(Fault::Stall));
        assert_eq!(plan.pick(0, 1, 2, 1), Some(Fault::Reset));
        assert_eq!(plan.pick(0, 1, 3, 2), Some(Fault::Empty));
        assert_eq!(plan.pick(0, 1, 4, 3), None);
    }

    #[test]
    fn every_so_many_calls_one_fails() {
        let plan = FaultPlan::none().every(3, Fault::Empty).every(0, Fault::Reset);
        let failed: Vec<_> = (1..=7).map(|number| plan.pick(7, 1, number, 1).is_some()).collect();
        assert_eq!(failed, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn a_rate_is_kept_and_does_not_depend_on_the_order() {
        let plan = FaultPlan::none().rate(0.25, Fault::Empty);
        let failed = (0..4000).filter(|request| plan.pick(7, *request, 1, 1).is_some()).count();
        assert!((900..1100).contains(&failed), "{failed} of 4000 failed");
        assert_eq!(plan.pick(7, 5, 1, 1), plan.pick(7, 5, 99, 1));
        assert_eq!(FaultPlan::none().rate(0.0, Fault::Empty).pick(7, 5, 1, 1), None);
        assert_eq!(FaultPlan::none().rate(1.0, Fault::Empty).pick(7, 5, 1, 1), Some(Fault::Empty));
    }
}

//! Whether a destination takes spans, and if not, when it is asked again.

use crate::backoff::Backoff;
use crate::limits::Limits;
use std::time::{Duration, Instant};

/// The pause that is left of ours when somebody waits: flushes in quick succession must not become a flood either.
const POLITE_PAUSE: Duration = Duration::from_millis(100);

/// What is known of a destination from its last answers.
#[derive(Debug)]
pub(crate) struct Link {
    backoff: Backoff,
    broken: Option<Broken>,
}

/// It does not take spans.
#[derive(Clone, Copy, Debug)]
struct Broken {
    since: Instant,
    /// When it was noted last.
    noted: Instant,
    next_try: Instant,
    /// The destination itself asked for the pause.
    is_asked_for: bool,
    is_unauthorized: bool,
}

impl Link {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { backoff: Backoff::new(limits.first_backoff, limits.longest_backoff), broken: None }
    }

    /// Tells whether the destination takes spans, as far as is known.
    pub(crate) const fn is_open(&self) -> bool {
        self.broken.is_none()
    }

    /// Tells whether a request may be made.
    pub(crate) fn may_try(&self) -> bool {
        self.broken.is_none_or(|broken| broken.next_try <= Instant::now())
    }

    /// Returns when a request may be made, if not now.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.broken.map(|broken| broken.next_try)
    }

    /// Tells whether it is in vain to wait for it: it refuses the credentials, or has not taken spans for too long.
    pub(crate) fn is_hopeless(&self, give_up_after: Duration) -> bool {
        self.broken
            .is_some_and(|broken| broken.is_unauthorized || broken.since.elapsed() >= give_up_after)
    }

    /// Notes that the destination answered a request that began at a time. Returns whether it had not before. What began
    /// before the last failure tells nothing.
    pub(crate) fn mend(&mut self, began: Instant) -> bool {
        if self.broken.is_some_and(|broken| began < broken.noted) {
            return false;
        }
        self.backoff.restart();
        self.broken.take().is_some()
    }

    /// Notes a failure, and that the destination asked for a pause if it did. Returns whether it is the first.
    pub(crate) fn fail(&mut self, after: Option<Duration>, at_most: Duration) -> bool {
        // Of several requests at a time, one makes the pause.
        if after.is_none() && !self.may_try() {
            return false;
        }
        let pause = after.unwrap_or_default().max(self.backoff.draw()).min(at_most);
        self.pause(pause, after.is_some(), false)
    }

    /// Notes that the credentials were refused. Returns whether it is the first failure.
    pub(crate) fn refuse(&mut self, pause: Duration) -> bool {
        self.pause(pause, false, true)
    }

    fn pause(&mut self, pause: Duration, is_asked_for: bool, is_unauthorized: bool) -> bool {
        let now = Instant::now();
        let since = self.broken.map_or(now, |broken| broken.since);
        let next_try = now + pause;
        let broken = Broken { since, noted: now, next_try, is_asked_for, is_unauthorized };
        self.broken.replace(broken).is_none()
    }

    /// Cuts the pause short, since somebody waits; not one that the destination asked for.
    pub(crate) fn hurry(&mut self) {
        if let Some(broken) = self.broken.as_mut().filter(|broken| !broken.is_asked_for) {
            broken.next_try = broken.next_try.min(Instant::now() + POLITE_PAUSE);
            self.backoff.restart();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn link() -> Link {
        let limits = Limits { first_backoff: HOUR, longest_backoff: HOUR, ..Limits::default() };
        Link::new(&limits)
    }

    #[test]
    fn a_pause_is_cut_short_unless_it_was_asked_for() {
        let mut link = link();
        assert!(link.is_open() && link.may_try());
        assert!(link.fail(Some(HOUR), HOUR));
        assert!(!link.fail(Some(HOUR), HOUR), "only the first is news");
        link.hurry();
        assert!(link.next_try().unwrap() > Instant::now() + HOUR / 2);

        link.refuse(HOUR);
        link.hurry();
        assert!(link.next_try().unwrap() <= Instant::now() + POLITE_PAUSE);
        assert!(!link.mend(Instant::now() - HOUR), "it began before");
        assert!(link.mend(Instant::now()) && !link.mend(Instant::now()) && link.may_try());
    }

    #[test]
    fn it_is_hopeless_after_a_time_or_a_refusal() {
        let mut link = link();
        assert!(!link.is_hopeless(Duration::ZERO));
        link.fail(None, HOUR);
        assert!(link.is_hopeless(Duration::ZERO) && !link.is_hopeless(HOUR));
        link.refuse(HOUR);
        assert!(link.is_hopeless(HOUR));
    }
}

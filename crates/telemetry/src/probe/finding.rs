//! What is checked of a destination, and how it went.

use std::time::{Duration, Instant};

/// What is checked, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The host's name, or the proxy's, has an address.
    Name,
    /// Something listens there.
    Connection,
    /// The server's certificate is trusted.
    Encryption,
    /// The destination accepts the keys or headers.
    Credentials,
    /// The destination takes a span.
    Delivery,
    /// The span can be read there.
    ReadBack,
}

impl Step {
    /// All steps.
    pub const ALL: [Self; 6] = [
        Self::Name,
        Self::Connection,
        Self::Encryption,
        Self::Credentials,
        Self::Delivery,
        Self::ReadBack,
    ];

    /// Returns the step in a word or two.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Connection => "connection",
            Self::Encryption => "tls",
            Self::Credentials => "credentials",
            Self::Delivery => "span sent",
            Self::ReadBack => "read back",
        }
    }
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Ok,
    /// There was nothing to check, or no way to it.
    Skipped,
    /// It works, and may not do what is wanted.
    Warning,
    /// It does not work: no span gets there.
    Problem,
}

impl Verdict {
    /// Returns the verdict in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// How a step went, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub step: Step,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen, for people. Never holds a secret of ours.
    pub seen: String,
    /// What to type, if something is wrong.
    pub advice: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    began: Option<Instant>,
}

impl Findings {
    /// Begins to take the time of a step.
    pub(super) fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    pub(super) fn add(
        &mut self,
        step: Step,
        verdict: Verdict,
        seen: impl Into<String>,
        advice: Option<String>,
    ) {
        let took = self.began.take().map(|began| began.elapsed()).unwrap_or_default();
        self.list.push(Finding { step, verdict, seen: seen.into(), advice, took });
    }

    pub(super) fn ok(&mut self, step: Step, seen: impl Into<String>) {
        self.add(step, Verdict::Ok, seen, None);
    }

    pub(super) fn skip(&mut self, step: Step, seen: impl Into<String>) {
        self.add(step, Verdict::Skipped, seen, None);
    }

    pub(super) fn warn(&mut self, step: Step, seen: impl Into<String>, advice: impl Into<String>) {
        self.add(step, Verdict::Warning, seen, Some(advice.into()));
    }

    /// Adds a problem, after which nothing else is checked.
    pub(super) fn stop(
        &mut self,
        step: Step,
        seen: impl Into<String>,
        advice: impl Into<String>,
    ) -> Stopped {
        self.add(step, Verdict::Problem, seen, Some(advice.into()));
        Stopped
    }

    /// Returns a finding for each step.
    pub(super) fn complete(mut self) -> Vec<Finding> {
        for step in Step::ALL {
            if self.list.iter().all(|finding| finding.step != step) {
                self.skip(step, "not reached");
            }
        }
        self.list.sort_by_key(|finding| finding.step as usize);
        self.list
    }
}

/// A problem was found, so there is no use in going on.
#[derive(Debug)]
pub(super) struct Stopped;

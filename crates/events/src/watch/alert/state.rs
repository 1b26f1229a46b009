//! The life of a rule: quiet, pending, firing, and quiet again.

use super::rule::{Alert, Measure, Side};
use super::window::{Sample, Window};
use crate::event;
use glassbox_trace::time::Timestamp;
use std::sync::Arc;

/// What a rule has seen, and whether it fires.
#[derive(Debug)]
pub(super) struct State {
    window: Window,
    phase: Phase,
    /// When the rule began to look: a rate is too low only once there was a whole window.
    began: Option<Timestamp>,
}

#[derive(Debug)]
enum Phase {
    Quiet,
    /// It is too much, but not yet for long enough.
    Pending(Timestamp),
    Firing(Arc<event::Alert>),
}

/// An alert that began or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertChange {
    /// Whether it began; else it ended.
    pub fired: bool,
    /// When, by the events' clock.
    pub at: Timestamp,
    /// Which alert, and the value at that time.
    pub alert: Arc<event::Alert>,
}

impl State {
    pub(super) fn new(rule: &Alert) -> Self {
        let latencies = matches!(rule.measure, Measure::Latency(_));
        let window = Window::new(rule.window, latencies);
        Self { window, phase: Phase::Quiet, began: None }
    }

    /// Takes note of a sample, or of the time alone, and returns what changes.
    pub(super) fn step(
        &mut self,
        rule: &Alert,
        now: Timestamp,
        sample: Option<Sample>,
    ) -> Option<AlertChange> {
        self.window.advance(now);
        if let Some(sample) = sample {
            self.window.add(now, sample);
        }
        let began = *self.began.get_or_insert(now);
        let sums = self.window.sums();
        let window = self.window.length();
        let value = rule.measure.value(&sums, window, |percent| self.window.percentile(percent));
        // Nothing is too little before there was time for enough.
        let is_known = rule.side == Side::Above || now.since(began) >= window;
        let enough = sums.count >= rule.min_samples || rule.side == Side::Below;
        let too_much = value.filter(|value| is_known && enough && rule.is_beyond(*value));

        match (&self.phase, too_much) {
            (Phase::Quiet, Some(value)) if rule.hold.is_zero() => Some(self.fire(rule, now, value)),
            (Phase::Quiet, Some(_)) => {
                self.phase = Phase::Pending(now);
                None
            }
            (Phase::Pending(_), None) => {
                self.phase = Phase::Quiet;
                None
            }
            (Phase::Pending(since), Some(value)) if now.since(*since) >= rule.hold => {
                Some(self.fire(rule, now, value))
            }
            // Where nothing is measured any more, nothing is wrong any more.
            (Phase::Firing(_), _) if value.is_none_or(|value| rule.is_clear(value)) => {
                self.phase = Phase::Quiet;
                let alert = Arc::new(describe(rule, value.unwrap_or_default(), value.is_none()));
                Some(AlertChange { fired: false, at: now, alert })
            }
            _ => None,
        }
    }

    /// Returns the alert if the rule fires.
    pub(super) fn firing(&self) -> Option<Arc<event::Alert>> {
        match &self.phase {
            Phase::Firing(alert) => Some(Arc::clone(alert)),
            Phase::Quiet | Phase::Pending(_) => None,
        }
    }

    fn fire(&mut self, rule: &Alert, now: Timestamp, value: f64) -> AlertChange {
        let alert = Arc::new(describe(rule, value, false));
        self.phase = Phase::Firing(Arc::clone(&alert));
        AlertChange { fired: true, at: now, alert }
    }
}

fn describe(rule: &Alert, value: f64, silent: bool) -> event::Alert {
    let measure = rule.measure;
    let side = match rule.side {
        Side::Above => "above",
        Side::Below => "below",
    };
    let (window, threshold) =
        (humantime::format_duration(rule.window), measure.show(rule.threshold));
    let message = if silent {
        format!("{}: nothing happened for {window}", rule.name)
    } else if rule.is_beyond(value) {
        format!(
            "{}: {measure} is {}, {side} {threshold}, over {window}",
            rule.name,
            measure.show(value)
        )
    } else {
        format!(
            "{}: {measure} is {}, no longer {side} {threshold}, over {window}",
            rule.name,
            measure.show(value)
        )
    };
    event::Alert {
        rule: Arc::clone(&rule.name),
        measure: measure.to_string().into(),
        value,
        threshold: rule.threshold,
        labels: rule.labels.clone().into(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Played {
        rule: Alert,
        state: State,
        told: Vec<(u64, bool)>,
    }

    impl Played {
        fn new(rule: Alert) -> Self {
            Self { state: State::new(&rule), rule, told: Vec::new() }
        }

        fn step(&mut self, second: u64, sample: Option<Sample>) {
            let now = Timestamp::from_unix_nanos((2_000_000 + second) * 1_000_000_000);
            let change = self.state.step(&self.rule, now, sample);
            self.told.extend(change.map(|change| (second, change.fired)));
        }

        fn tick(&mut self, second: u64) {
            self.step(second, None);
        }

        fn call(&mut self, second: u64, millis: u64, failed: bool) {
            let latency = Some(Duration::from_millis(millis));
            self.step(second, Some(Sample { failed, latency, amount: 1.0 }));
        }
    }

    fn minute() -> Duration {
        Duration::from_secs(60)
    }

    #[test]
    fn a_share_of_errors_fires_with_enough_samples_and_clears_lower() {
        let rule =
            Alert::above(Measure::ErrorShare, 0.5).window(minute()).min_samples(4).clear(0.2);
        let mut played = Played::new(rule);
        for second in 0..3 {
            played.call(second, 10, true);
        }
        assert_eq!(played.told, []);
        played.call(3, 10, true);
        assert_eq!(played.told, [(3, true)]);
        // At 40 percent it still fires: it is over at 20.
        for second in 4..10 {
            played.call(second, 10, false);
        }
        assert_eq!(played.told, [(3, true)]);
        for second in 10..24 {
            played.call(second, 10, false);
        }
        assert_eq!(played.told, [(3, true), (19, false)]);
        assert!(played.state.firing().is_none());
    }

    #[test]
    fn it_has_to_last_and_a_moment_does_not_count() {
        let rule = Alert::above(Measure::Latency(50), 100.0)
            .window(Duration::from_secs(20))
            .min_samples(1)
            .hold(Duration::from_secs(30));
        let mut played = Played::new(rule);
        played.call(0, 500, false);
        // Silence ends what is pending.
        played.tick(25);
        played.tick(60);
        assert_eq!(played.told, []);
        for second in (100..140).step_by(5) {
            played.call(second, 500, false);
        }
        assert_eq!(played.told, [(130, true)]);
        // Nobody calls any more: the clock alone resolves it.
        for second in 140..170 {
            played.tick(second);
        }
        assert_eq!(played.told.len(), 2);
        assert!((154..=156).contains(&played.told[1].0) && !played.told[1].1, "{:?}", played.told);
    }

    #[test]
    fn a_rate_that_ends_fires_by_the_clock_but_not_at_the_beginning() {
        let mut played = Played::new(Alert::below(Measure::Rate, 1.0).window(minute()));
        played.tick(0);
        played.tick(30);
        for second in (31..100).step_by(10) {
            played.call(second, 1, false);
        }
        assert_eq!(played.told, []);
        for second in 100..200 {
            played.tick(second);
        }
        assert_eq!(played.told.len(), 1);
        played.call(210, 1, false);
        assert_eq!(played.told.last(), Some(&(210, false)));
    }

    #[test]
    fn sums_are_of_the_window() {
        let mut played = Played::new(Alert::above(Measure::Tokens, 4.0).window(minute()));
        for second in 0..5 {
            played.call(second, 1, false);
        }
        assert_eq!(played.told, [(4, true)]);
        let alert = played.state.firing().unwrap();
        assert_eq!(&*alert.message, "tokens: tokens is 5, above 4, over 1m");
        for second in 5..70 {
            played.tick(second);
        }
        assert_eq!(played.told.len(), 2);
    }
}

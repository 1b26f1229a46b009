//! How many attempts may be in flight: fewer after the provider said that it was too much, slowly more again after.

use tokio::time::Instant;

/// What is left of the attempts that are allowed when the provider says that they are too many.
const CUT: f64 = 0.7;

/// A bound of attempts in flight, as TCP has one of packets: additive increase, multiplicative decrease.
#[derive(Debug)]
pub(super) struct Window {
    /// The limit that was set; infinite without one.
    most: f64,
    now: f64,
    /// When it was last cut.
    cut: Option<Instant>,
}

impl Default for Window {
    fn default() -> Self {
        Self { most: f64::INFINITY, now: f64::INFINITY, cut: None }
    }
}

impl Window {
    /// Returns how many attempts may be in flight, at least one; `None` for any number.
    pub(super) fn permits(&self) -> Option<u32> {
        // The cast saturates.
        self.now.is_finite().then_some((self.now as u32).max(1))
    }

    pub(super) fn limit(&mut self, most: u32) {
        self.most = f64::from(most);
        self.now = self.now.min(self.most);
    }

    /// Grows by one for each round of answers.
    pub(super) fn grow(&mut self) {
        if self.now.is_finite() {
            self.now = (self.now + 1.0 / self.now).min(self.most);
        }
    }

    /// Cuts, since an attempt that began at `began` was one too many; without a bound, of those `in_flight`. Attempts that began before
    /// the last cut tell no news: they are of the same crowd.
    pub(super) fn cut(&mut self, began: Instant, in_flight: u32, now: Instant) {
        if self.cut.is_some_and(|cut| began <= cut) {
            return;
        }
        self.cut = Some(now);
        // Of what is allowed and not of what is in flight: where something else holds calls back, such as the minute,
        // the few in flight are not what was too much. If they are, the next cuts get there soon.
        let allowed = if self.now.is_finite() { self.now } else { f64::from(in_flight) };
        self.now = (allowed * CUT).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_crowd_is_cut_once_and_grows_back_slowly() {
        let mut window = Window::default();
        window.limit(20);
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        for _ in 0..20 {
            window.cut(start, 20, later);
        }
        assert_eq!(window.permits(), Some(14));
        // Not even two rounds of answers later there is room for two more.
        for _ in 0..14 {
            window.grow();
        }
        assert!(matches!(window.permits(), Some(14 | 15)));
        for _ in 0..1000 {
            window.grow();
        }
        assert_eq!(window.permits(), Some(20));
        for second in 2..40 {
            window.cut(
                start + Duration::from_secs(second),
                20,
                start + Duration::from_secs(second),
            );
        }
        assert_eq!(window.permits(), Some(1));
    }

    #[test]
    fn without_a_limit_the_first_cut_makes_one() {
        let mut window = Window::default();
        window.grow();
        assert_eq!(window.permits(), None);
        let start = Instant::now();
        window.cut(start, 100, start);
        assert_eq!(window.permits(), Some(70));
    }
}

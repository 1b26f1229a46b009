//! A sliding window in slices: what happened in the last minutes, in constant memory.

use super::histogram::Histogram;
use glassbox_trace::time::Timestamp;
use std::time::Duration;

/// So many slices are a window: it slides by a twentieth of its length.
const SLICES: u64 = 20;

/// One thing that a rule measures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// Retries, dollars or tokens.
    pub(super) amount: f64,
    pub(super) failed: bool,
    pub(super) latency: Option<Duration>,
}

/// What happened in a window, or in a slice of one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) count: u64,
    pub(super) failed: u64,
    pub(super) amount: f64,
}

#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    /// In nanoseconds.
    slice: u64,
    slices: Vec<(Sums, Option<Histogram>)>,
    /// The newest slice, counted from 1970.
    newest: u64,
    /// The sum of the slices' histograms, so that a percentile looks at one.
    latencies: Option<Histogram>,
}

impl Window {
    /// Makes an empty window, of latencies too if they are asked for.
    pub(super) fn new(length: Duration, latencies: bool) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let histogram = latencies.then(Histogram::default);
        Self {
            length,
            slice: (nanos / SLICES).max(1),
            slices: vec![(Sums::default(), histogram.clone()); SLICES as usize],
            newest: 0,
            latencies: histogram,
        }
    }

    pub(super) const fn length(&self) -> Duration {
        self.length
    }

    /// Lets go of what is too old.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let now = now.unix_nanos() / self.slice;
        // Somebody set the clock back by more than a window: what was counted is of no time that comes again soon.
        if now.saturating_add(SLICES) <= self.newest {
            self.newest = now;
            (0..SLICES).for_each(|slice| self.clear(slice));
            return;
        }
        let passed = now.saturating_sub(self.newest).min(SLICES);
        for back in 0..passed {
            self.clear((now - back) % SLICES);
        }
        self.newest = self.newest.max(now);
    }

    fn clear(&mut self, slice: u64) {
        let (sums, histogram) = &mut self.slices[slice as usize];
        *sums = Sums::default();
        if let (Some(all), Some(part)) = (&mut self.latencies, histogram) {
            all.subtract(part);
            part.clear();
        }
    }

    /// Counts a sample of a time up to which the window has been advanced.
    pub(super) fn add(&mut self, at: Timestamp, sample: Sample) {
        let slice = at.unix_nanos() / self.slice;
        if slice > self.newest || slice.saturating_add(SLICES) <= self.newest {
            return;
        }
        let (sums, histogram) = &mut self.slices[(slice % SLICES) as usize];
        sums.count += 1;
        sums.failed += u64::from(sample.failed);
        sums.amount += sample.amount;
        if let (Some(all), Some(part), Some(latency)) =
            (&mut self.latencies, histogram, sample.latency)
        {
            all.add(latency);
            part.add(latency);
        }
    }

    pub(super) fn sums(&self) -> Sums {
        self.slices.iter().fold(Sums::default(), |sum, (slice, _)| Sums {
            count: sum.count + slice.count,
            failed: sum.failed + slice.failed,
            amount: sum.amount + slice.amount,
        })
    }

    pub(super) fn percentile(&self, percent: u8) -> Option<Duration> {
        self.latencies.as_ref()?.percentile(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_nanos((1_000_000 + seconds) * 1_000_000_000)
    }

    fn add(window: &mut Window, second: u64, millis: u64) {
        window.advance(at(second));
        let latency = Some(Duration::from_millis(millis));
        window.add(at(second), Sample { amount: 1.0, failed: millis > 500, latency });
    }

    #[test]
    fn a_window_slides() {
        let mut window = Window::new(Duration::from_secs(60), true);
        for second in 0..120 {
            add(&mut window, second, if second < 60 { 900 } else { 100 });
        }
        // The last minute, to within a twentieth.
        assert!((57..=60).contains(&window.sums().count));
        assert_eq!(window.sums().failed, 0);
        assert!((window.percentile(99).unwrap().as_millis() as f64 - 100.0).abs() < 2.0);
        window.advance(at(150));
        assert!((27..=30).contains(&window.sums().count));
        window.advance(at(10_000));
        assert_eq!((window.sums().count, window.percentile(50)), (0, None));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut window = Window::new(Duration::from_secs(60), false);
        add(&mut window, 10_000, 1);
        add(&mut window, 9_990, 1);
        assert_eq!(window.sums().count, 2);
        add(&mut window, 100, 1);
        assert_eq!(window.sums().count, 1);
    }
}

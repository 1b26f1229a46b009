//! Counts of durations by size, in buckets that grow with it: percentiles to within two percent, in constant memory.

use std::time::Duration;

/// Each power of two has so many buckets.
const PARTS: u64 = 32;
const PART_BITS: u32 = PARTS.trailing_zeros();
/// The largest power of two of microseconds that is told apart: longer than 19 hours counts as that.
const MAX_EXPONENT: u32 = 36;
const BUCKETS: usize = ((MAX_EXPONENT - PART_BITS + 2) as usize) << PART_BITS;

/// Counts of durations by size.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), count: 0 }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, duration: Duration) {
        let bucket = &mut self.counts[bucket(duration)];
        // A bucket that is full stays so; it would take years.
        if let Some(more) = bucket.checked_add(1) {
            *bucket = more;
            self.count += 1;
        }
    }

    /// Takes the counts of a part away that was added before.
    pub(super) fn subtract(&mut self, part: &Self) {
        if part.count == 0 {
            return;
        }
        for (count, less) in self.counts.iter_mut().zip(part.counts.iter()) {
            *count = count.saturating_sub(*less);
        }
        self.count = self.count.saturating_sub(part.count);
    }

    pub(super) fn clear(&mut self) {
        if self.count > 0 {
            self.counts.fill(0);
            self.count = 0;
        }
    }

    /// Returns the duration that `percent` of the durations do not exceed; `None` if there are none.
    pub(super) fn percentile(&self, percent: u8) -> Option<Duration> {
        let rank = (self.count * u64::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        found.map(middle)
    }
}

fn bucket(duration: Duration) -> usize {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let micros = micros.min((2 << MAX_EXPONENT) - 1);
    if micros < PARTS {
        return micros as usize;
    }
    let shift = micros.ilog2() - PART_BITS;
    (((shift as usize) + 1) << PART_BITS) + ((micros >> shift) - PARTS) as usize
}

/// Returns the middle of a bucket.
fn middle(bucket: usize) -> Duration {
    let (row, part) = (bucket >> PART_BITS, bucket as u64 % PARTS);
    if row == 0 {
        return Duration::from_micros(part);
    }
    let shift = row - 1;
    Duration::from_micros(((PARTS + part) << shift) + ((1 << shift) >> 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_two_percent() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), None);
        for millis in 1..=1_000 {
            histogram.add(Duration::from_millis(millis));
        }
        for percent in [1, 50, 95, 99, 100] {
            let exact = f64::from(percent) / 100.0;
            let found = histogram.percentile(percent).unwrap().as_secs_f64();
            assert!((found / exact - 1.0).abs() < 0.02, "p{percent}: {found} and not {exact}");
        }
    }

    #[test]
    fn every_duration_has_a_bucket_of_its_size() {
        let all = [0, 1, 31, 32, 33, 1_000, 123_456_789, u64::MAX / 2];
        for micros in all {
            let mut histogram = Histogram::default();
            histogram.add(Duration::from_micros(micros));
            let found = histogram.percentile(50).unwrap().as_micros() as f64;
            let exact = micros.min((2 << MAX_EXPONENT) - 1) as f64;
            assert!((found - exact).abs() <= exact / 50.0, "{found} and not {exact}");
        }
        let mut histogram = Histogram::default();
        histogram.add(Duration::MAX);
        assert!(histogram.percentile(99).is_some());
    }

    #[test]
    fn what_is_taken_away_is_gone() {
        let (mut whole, mut part) = (Histogram::default(), Histogram::default());
        whole.add(Duration::from_secs(1));
        for histogram in [&mut whole, &mut part] {
            histogram.add(Duration::from_secs(9));
        }
        whole.subtract(&part);
        assert_eq!(whole.percentile(100).unwrap().as_secs(), 1);
    }
}

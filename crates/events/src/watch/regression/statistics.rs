//! Whether two sets of numbers differ beyond noise: a bootstrap interval of the difference, and a test that assumes
//! nothing about how the numbers are spread.

use fastrand::Rng;

/// The bounds between which the true difference is, with the level's certainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Returns the mean of the middle: without the `trim` smallest and largest parts. Sorted values.
pub(super) fn trimmed_mean(sorted: &[f64], trim: f64) -> f64 {
    weighted(sorted.iter().map(|value| (*value, 1)), sorted.len(), trim)
}

/// The same of values that occur several times, `count` in all.
fn weighted(values: impl Iterator<Item = (f64, usize)>, count: usize, trim: f64) -> f64 {
    let cut = (count as f64 * trim) as usize;
    let (from, to) = (cut, count - cut);
    let (mut sum, mut seen) = (0.0, 0);
    for (value, times) in values {
        let begin = seen.max(from);
        seen += times;
        let end = seen.min(to);
        if end > begin {
            sum += value * (end - begin) as f64;
        }
    }
    sum / (to - from).max(1) as f64
}

/// Returns the interval of the difference `now - before` if it is not noise: the interval does not hold zero, and
/// dealing the values out anew at random gives such a difference at most as often as `level` says. Sorted values.
///
/// Both are needed. The bootstrap alone believes too readily in rare things: where no call of the baseline failed, no
/// resample has an error either. The test alone gives no interval.
pub(super) fn difference(
    before: &[f64],
    now: &[f64],
    trim: f64,
    level: f64,
    rng: &mut Rng,
) -> Option<Interval> {
    let observed = trimmed_mean(now, trim) - trimmed_mean(before, trim);
    let interval = bootstrap(before, now, trim, level, observed, rng)?;
    is_rare(before, now, trim, level, observed.abs(), rng).then_some(interval)
}

fn bootstrap(
    before: &[f64],
    now: &[f64],
    trim: f64,
    level: f64,
    observed: f64,
    rng: &mut Rng,
) -> Option<Interval> {
    let tail = level / 2.0;
    let resamples = ((4.0 / tail) as usize).clamp(1_000, 20_000);
    let mut counts = vec![0_usize; before.len().max(now.len())];
    let mut resampled = |values: &[f64], rng: &mut Rng| {
        let counts = &mut counts[..values.len()];
        counts.fill(0);
        for _ in 0..values.len() {
            counts[rng.usize(..values.len())] += 1;
        }
        weighted(values.iter().copied().zip(counts.iter().copied()), values.len(), trim)
    };
    let (mut differences, mut opposite) = (Vec::with_capacity(resamples), 0_usize);
    while differences.len() < resamples {
        let difference = resampled(now, rng) - resampled(before, rng);
        opposite += usize::from(difference * observed <= 0.0);
        differences.push(difference);
        // Most comparisons differ by nothing, and are done with here: so many on the other side of zero are far more than
        // the level will allow in the end.
        if differences.len() >= 20 && opposite as f64 > 4.0 + 3.0 * tail * differences.len() as f64
        {
            return None;
        }
    }
    differences.sort_unstable_by(f64::total_cmp);
    let outside = (tail * resamples as f64) as usize;
    let (low, high) = (differences[outside], differences[resamples - 1 - outside]);
    (low > 0.0 || high < 0.0).then_some(Interval { low, high })
}

/// Tells whether values dealt out at random differ so much at most as often as `level` says.
fn is_rare(
    before: &[f64],
    now: &[f64],
    trim: f64,
    level: f64,
    observed: f64,
    rng: &mut Rng,
) -> bool {
    let mut all: Vec<_> = before.iter().chain(now).copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    // Rounding must not make equal differences smaller.
    let observed = observed * (1.0 - 1e-9);
    let deals = ((4.0 / level) as usize).clamp(1_000, 100_000);
    let allowed = level * (deals + 1) as f64 - 1.0;
    let mut is_now = vec![false; all.len()];
    let mut order: Vec<_> = (0..all.len()).collect();
    let mut as_large = 0_usize;
    for _ in 0..deals {
        // The first steps of a shuffle deal out who is of now.
        is_now.fill(false);
        for at in 0..now.len() {
            order.swap(at, rng.usize(at..all.len()));
            is_now[order[at]] = true;
        }
        let part = |of_now: bool| {
            let values = all.iter().zip(&is_now);
            values.map(move |(value, is_now)| (*value, usize::from(*is_now == of_now)))
        };
        let difference =
            weighted(part(true), now.len(), trim) - weighted(part(false), before.len(), trim);
        as_large += usize::from(difference.abs() >= observed);
        if as_large as f64 > allowed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut values: Vec<f64>) -> Vec<f64> {
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    #[test]
    fn the_middle_is_what_counts() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1_000.0];
        assert_eq!(trimmed_mean(&values, 0.1), 5.5);
        assert_eq!(trimmed_mean(&values[..2], 0.1), 1.5);
        assert_eq!(trimmed_mean(&[], 0.1), 0.0);
    }

    #[test]
    fn a_difference_is_found_with_its_bounds() {
        let mut rng = Rng::with_seed(7);
        let before = sorted((0..50).map(|_| 100.0 + 10.0 * rng.f64()).collect());
        let now = sorted(before.iter().map(|value| value + 20.0).collect());
        let interval = difference(&before, &now, 0.1, 0.01, &mut rng).unwrap();
        assert!(interval.low < 20.0 && 20.0 < interval.high && interval.low > 15.0, "{interval:?}");
        assert_eq!(difference(&before, &before, 0.1, 0.01, &mut rng), None);
    }

    #[test]
    fn an_outlier_alone_is_no_difference() {
        let mut rng = Rng::with_seed(7);
        let before = vec![100.0; 50];
        let mut now = before.clone();
        now[49] = 60_000.0;
        assert_eq!(difference(&before, &now, 0.1, 0.05, &mut rng), None);
        assert_eq!(difference(&before, &now, 0.0, 0.05, &mut rng), None);
    }

    #[test]
    fn a_few_errors_after_none_are_no_difference_and_many_are() {
        let mut rng = Rng::with_seed(7);
        let before = vec![0.0; 200];
        let with =
            |errors: usize| sorted((0..200).map(|at| f64::from(u8::from(at < errors))).collect());
        // Eight of 200: the bootstrap alone is sure at this level, and Fisher's test says 0.7 percent.
        assert!(bootstrap(&before, &with(8), 0.0, 0.002, 0.04, &mut rng).is_some());
        assert_eq!(difference(&before, &with(8), 0.0, 0.002, &mut rng), None);
        assert!(difference(&before, &with(16), 0.0, 0.002, &mut rng).is_some());
    }
}

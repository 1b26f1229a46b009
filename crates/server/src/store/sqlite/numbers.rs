//! What many numbers come to.

/// Returns the smallest numbers that so many of a hundred do not exceed, for shares in rising order.
pub(super) fn percentiles<const N: usize>(
    numbers: &mut [i64],
    of_hundred: [usize; N],
) -> [Option<i64>; N] {
    let mut from = 0;
    of_hundred.map(|percent| {
        let rank = (numbers.len() * percent).div_ceil(100).saturating_sub(1);
        // What lies before the last one found is smaller, and has not to be looked at again.
        let rest = numbers.get_mut(from..).filter(|rest| !rest.is_empty())?;
        let (_, found, _) = rest.select_nth_unstable(rank.saturating_sub(from));
        from = rank;
        Some(*found)
    })
}

pub(super) fn sum(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    [left, right].into_iter().flatten().reduce(i64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_numbers() {
        for len in [0, 1, 2, 3, 10, 99, 100, 101, 1000] {
            let mut numbers: Vec<i64> = (0..len).map(|at| (at * 7919) % 1009).collect();
            let found = percentiles(&mut numbers, [0, 50, 95, 99, 100]);
            numbers.sort_unstable();
            let expected = [0, 50, 95, 99, 100].map(|percent| {
                let rank = (numbers.len() * percent).div_ceil(100).max(1);
                numbers.get(rank - 1).copied()
            });
            assert_eq!(found, expected, "{len}");
        }
    }
}

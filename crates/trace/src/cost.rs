//! Cost: what a model call was charged, in US dollars, exact to the last decimal.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use rust_decimal::{Decimal, RoundingStrategy};

/// US dollars, in the same buckets as [`Usage`](crate::usage::Usage).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostDetails {
    /// For input that was not cached.
    pub input: Decimal,
    /// For input read from the prompt cache.
    pub cache_read: Decimal,
    /// For input written to the prompt cache.
    pub cache_write: Decimal,
    /// For output without reasoning.
    pub output: Decimal,
    /// For reasoning.
    pub reasoning: Decimal,
}

impl CostDetails {
    /// Adds up the buckets, saturating.
    #[must_use]
    pub fn total(&self) -> Decimal {
        [self.cache_read, self.cache_write, self.output, self.reasoning]
            .into_iter()
            .fold(self.input, Decimal::saturating_add)
    }
}

impl Add for CostDetails {
    type Output = Self;

    /// Adds bucket by bucket, saturating.
    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

/// A cost in US dollars, or the knowledge that it is not known.
///
/// Displayed as dollars without a sign, with two to six decimals. Adding an unknown cost makes the
/// sum unknown: a sum that leaves something out would be a wrong number. The default is unknown.
///
/// ```
/// use glassbox_trace::cost::{Cost, CostDetails};
///
/// let cost = Cost::known(CostDetails { input: "0.0081".parse()?, ..CostDetails::default() });
/// assert_eq!(cost.to_string(), "0.0081");
/// assert!((cost + Cost::UNKNOWN).is_unknown());
/// # Ok::<(), rust_decimal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost(Option<CostDetails>);

impl Cost {
    /// Not known: no usage was reported, or the model has no price.
    pub const UNKNOWN: Self = Self(None);

    /// Known to be nothing.
    pub const ZERO: Self = Self(Some(CostDetails {
        input: Decimal::ZERO,
        cache_read: Decimal::ZERO,
        cache_write: Decimal::ZERO,
        output: Decimal::ZERO,
        reasoning: Decimal::ZERO,
    }));

    /// Wraps known details.
    #[must_use]
    pub const fn known(details: CostDetails) -> Self {
        Self(Some(details))
    }

    /// Returns the buckets, if known.
    #[must_use]
    pub const fn details(&self) -> Option<&CostDetails> {
        self.0.as_ref()
    }

    /// Returns the sum of the buckets, if known.
    #[must_use]
    pub fn total(&self) -> Option<Decimal> {
        self.0.map(|details| details.total())
    }

    /// Tells whether the cost is not known.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total() {
            Some(total) => f.pad(&dollars(total)),
            None => f.pad("unknown"),
        }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.zip(other.0).map(|(left, right)| left + right))
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Cost {
    /// Adds up costs; no cost at all is [`Cost::ZERO`].
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::ZERO, Add::add)
    }
}

impl<'a> Sum<&'a Self> for Cost {
    fn sum<I: Iterator<Item = &'a Self>>(costs: I) -> Self {
        costs.copied().sum()
    }
}

/// Two to six decimals, as many as needed. An amount too small for six is not shown as nothing.
fn dollars(amount: Decimal) -> String {
    let mut rounded =
        amount.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero).normalize();
    if rounded.is_zero() && amount > Decimal::ZERO {
        return "<0.000001".to_owned();
    }
    if rounded.scale() < 2 {
        rounded.rescale(2);
    }
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use rust_decimal_macros::dec;

    use super::*;

    fn cost(input: Decimal, output: Decimal) -> Cost {
        Cost::known(CostDetails { input, output, ..CostDetails::default() })
    }

    #[test]
    fn display() {
        let check = |amount, text: &str| assert_eq!(cost(amount, dec!(0)).to_string(), text);
        check(dec!(0.0081), "0.0081");
        check(dec!(0.000123), "0.000123");
        check(dec!(12.5), "12.50");
        check(dec!(0), "0.00");
        check(dec!(7), "7.00");
        check(dec!(100), "100.00");
        check(dec!(0.1), "0.10");
        check(dec!(0.30000000), "0.30");
        check(dec!(0.00012345), "0.000123");
        check(dec!(0.0000005), "0.000001");
        check(dec!(0.0000001), "<0.000001");
        check(Decimal::MAX, "79228162514264337593543950335");
        assert_eq!(Cost::UNKNOWN.to_string(), "unknown");
        assert_eq!(format!("{:>8}|", cost(dec!(0.5), dec!(0.25))), "    0.75|");
    }

    #[test]
    fn sums() {
        let costs = [cost(dec!(0.1), dec!(0.2)), cost(dec!(0.2), dec!(0.4))];
        let sum: Cost = costs.iter().sum();
        assert_eq!(sum, cost(dec!(0.3), dec!(0.6)));
        assert_eq!(sum.total(), Some(dec!(0.9)));
        assert!((sum + Cost::UNKNOWN).is_unknown());
        assert_eq!(Vec::<Cost>::new().into_iter().sum::<Cost>(), Cost::ZERO);
    }

    #[test]
    fn arithmetic_saturates() {
        let mut most = cost(Decimal::MAX, Decimal::MAX);
        most += cost(Decimal::MAX, dec!(1));
        assert_eq!(most.total(), Some(Decimal::MAX));
    }
}

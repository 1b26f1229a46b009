//! The rates of one model, by tier and length of the request, and what they make of a usage.

use rust_decimal::Decimal;

use crate::cost::{Cost, CostDetails};
use crate::usage::Usage;

/// How a request is served, which providers charge differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServiceTier {
    /// At once, at the list price.
    #[default]
    Standard,
    /// Within a day, from a batch.
    Batch,
    /// When there is room.
    Flex,
    /// Before others.
    Priority,
}

impl ServiceTier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Batch, Self::Flex, Self::Priority];

    /// Reads the name that a provider's request or answer has for a tier, such as `default`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "standard" | "default" | "auto" | "on_demand" => Some(Self::Standard),
            "batch" | "batches" => Some(Self::Batch),
            "flex" => Some(Self::Flex),
            "priority" => Some(Self::Priority),
            _ => None,
        }
    }
}

/// US dollars per million tokens, by bucket; `None` where the provider names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Input that was not cached.
    pub input: Option<Decimal>,
    /// Output without reasoning.
    pub output: Option<Decimal>,
    /// Input read from the prompt cache.
    pub cache_read: Option<Decimal>,
    /// Input written to the prompt cache, for five minutes where the provider has several durations.
    pub cache_write: Option<Decimal>,
    /// Input written to the prompt cache for an hour.
    pub cache_write_1h: Option<Decimal>,
    /// Reasoning.
    pub reasoning: Option<Decimal>,
}

impl Rates {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These rates, and where one is missing that of `other`.
    fn or(self, other: Self) -> Self {
        Self {
            input: self.input.or(other.input),
            output: self.output.or(other.output),
            cache_read: self.cache_read.or(other.cache_read),
            cache_write: self.cache_write.or(other.cache_write),
            cache_write_1h: self.cache_write_1h.or(other.cache_write_1h),
            reasoning: self.reasoning.or(other.reasoning),
        }
    }

    /// With a rate for each bucket of a side that has any: cached input as input, reasoning as output.
    fn filled(self) -> Self {
        Self {
            cache_read: self.cache_read.or(self.input),
            cache_write: self.cache_write.or(self.input),
            cache_write_1h: self.cache_write_1h.or(self.cache_write).or(self.input),
            reasoning: self.reasoning.or(self.output),
            ..self
        }
    }

    fn dearest_input(&self) -> Option<Decimal> {
        [self.input, self.cache_read, self.cache_write, self.cache_write_1h].into_iter().max()?
    }

    fn dearest_output(&self) -> Option<Decimal> {
        self.output.max(self.reasoning)
    }
}

/// The rates of one tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) base: Rates,
    /// Rates of the whole request if its input is longer than so many tokens, shortest first.
    pub(super) above: Vec<(u64, Rates)>,
}

impl Schedule {
    pub(super) fn is_empty(&self) -> bool {
        self.base.is_empty() && self.above.iter().all(|(_, rates)| rates.is_empty())
    }

    /// The long-context rates for a request, empty if it is not long.
    fn long(&self, input_tokens: u64) -> Rates {
        let longest = self.above.iter().rev().find(|(threshold, _)| input_tokens > *threshold);
        longest.map(|(_, rates)| *rates).unwrap_or_default()
    }
}

/// What one model of one provider costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    pub(super) standard: Schedule,
    pub(super) batch: Option<Box<Schedule>>,
    pub(super) flex: Option<Box<Schedule>>,
    pub(super) priority: Option<Box<Schedule>>,
}

impl Price {
    /// Returns the rates that a request with so much input is charged at in a tier.
    ///
    /// A bucket is `None` only if its whole side, input or output, has no rate. What a tier has no
    /// rate for is charged as in the standard tier, where a long context comes before the base rate.
    #[must_use]
    pub fn rates(&self, tier: ServiceTier, input_tokens: u64) -> Rates {
        let standard = &self.standard;
        let long = standard.long(input_tokens);
        let rates = match self.schedule(tier) {
            Some(own) => own.long(input_tokens).or(long).or(own.base),
            None => long,
        };
        rates.or(standard.base).filled()
    }

    /// Computes the cost of a usage; see [`PriceTable::cost`](super::PriceTable::cost).
    #[must_use]
    pub fn cost(&self, usage: &Usage, tier: ServiceTier) -> Cost {
        if usage.is_unknown() {
            return Cost::UNKNOWN;
        }

        let rates = self.rates(tier, usage.input_total().unwrap_or(0));
        let details = || {
            Some(CostDetails {
                input: charge(usage.input, rates.input, usage.input_total())?,
                cache_read: charge(usage.cache_read, rates.cache_read, Some(0))?,
                cache_write: charge(usage.cache_write, rates.cache_write, Some(0))?,
                output: charge(usage.output, rates.output, usage.output_total())?,
                reasoning: charge(usage.reasoning, rates.reasoning, Some(0))?,
            })
        };
        details().map_or(Cost::UNKNOWN, Cost::known)
    }

    /// Computes the most that a call can cost; see [`PriceTable::upper_bound`](super::PriceTable::upper_bound).
    ///
    /// Holds for any usage with up to so many tokens, not only for exactly so many.
    #[must_use]
    pub fn upper_bound(&self, input_tokens: u64, output_tokens: u64) -> Option<Decimal> {
        let (mut input, mut output) = (None, None);
        for tier in ServiceTier::ALL {
            for length in self.lengths(input_tokens) {
                let rates = self.rates(tier, length);
                input = input.max(rates.dearest_input());
                output = output.max(rates.dearest_output());
            }
        }
        let input = charge(Some(input_tokens), input, None)?;
        let output = charge(Some(output_tokens), output, None)?;
        Some(input.saturating_add(output))
    }

    /// The schedule of a tier other than the standard one.
    fn schedule(&self, tier: ServiceTier) -> Option<&Schedule> {
        match tier {
            ServiceTier::Standard => None,
            ServiceTier::Batch => self.batch.as_deref(),
            ServiceTier::Flex => self.flex.as_deref(),
            ServiceTier::Priority => self.priority.as_deref(),
        }
    }

    /// One length for each set of rates that a request of up to so many tokens can meet.
    fn lengths(&self, input_tokens: u64) -> impl Iterator<Item = u64> {
        let tiers = ServiceTier::ALL.into_iter().filter_map(|tier| self.schedule(tier));
        let above = tiers.chain([&self.standard]).flat_map(|schedule| &schedule.above);
        let crossed = above.map(|(threshold, _)| *threshold).filter(move |t| input_tokens > *t);
        crossed.map(|threshold| threshold + 1).chain([0])
    }
}

/// Dollars for tokens at a rate. `side` is the count of the whole side that the bucket stands for:
/// if that is unknown and would cost something, so is the charge.
fn charge(tokens: Option<u64>, rate: Option<Decimal>, side: Option<u64>) -> Option<Decimal> {
    let rate_or_zero = rate.unwrap_or_default();
    match tokens {
        None if side.is_none() && !rate_or_zero.is_zero() => None,
        None | Some(0) => Some(Decimal::ZERO),
        // Moving the point first is exact, and the product then saturates.
        Some(tokens) => Some(per_token(rate?).saturating_mul(Decimal::from(tokens))),
    }
}

fn per_token(per_million: Decimal) -> Decimal {
    per_million.saturating_mul(Decimal::new(1, 6))
}

#[cfg(test)]
mod tests {
    use rust_decimal_macros::dec;

    use super::*;

    fn price() -> Price {
        let rates =
            |input, output| Rates { input: Some(input), output: Some(output), ..Rates::default() };
        Price {
            standard: Schedule {
                base: Rates {
                    cache_read: Some(dec!(0.1)),
                    cache_write_1h: Some(dec!(9)),
                    ..rates(dec!(1), dec!(4))
                },
                above: vec![
                    (128_000, rates(dec!(2), dec!(6))),
                    (256_000, Rates { input: Some(dec!(3)), ..Rates::default() }),
                ],
            },
            batch: Some(Box::new(Schedule { base: rates(dec!(0.5), dec!(2)), above: vec![] })),
            ..Price::default()
        }
    }

    #[test]
    fn rates_by_tier_and_length() {
        let check = |tier, length, expected: [Decimal; 4]| {
            let rates = price().rates(tier, length);
            let rates = [rates.input, rates.output, rates.cache_read, rates.reasoning];
            assert_eq!(rates, expected.map(Some), "{tier:?} {length}");
        };
        let standard = [dec!(1), dec!(4), dec!(0.1), dec!(4)];
        check(ServiceTier::Standard, 128_000, standard);
        check(ServiceTier::Standard, 128_001, [dec!(2), dec!(6), dec!(0.1), dec!(6)]);
        check(ServiceTier::Standard, 300_000, [dec!(3), dec!(4), dec!(0.1), dec!(4)]);
        check(ServiceTier::Flex, 10, standard);
        check(ServiceTier::Batch, 10, [dec!(0.5), dec!(2), dec!(0.1), dec!(2)]);
        check(ServiceTier::Batch, 200_000, [dec!(2), dec!(6), dec!(0.1), dec!(6)]);
    }

    #[test]
    fn cost_of_a_usage() {
        let usage = Usage {
            input: Some(1000),
            cache_read: Some(2000),
            cache_write: Some(100),
            output: Some(10),
            reasoning: Some(20),
        };
        let details = *price().cost(&usage, ServiceTier::Standard).details().unwrap();
        let expected = CostDetails {
            input: dec!(0.001),
            cache_read: dec!(0.0002),
            cache_write: dec!(0.0001),
            output: dec!(0.00004),
            reasoning: dec!(0.00008),
        };
        assert_eq!(details, expected);
    }

    #[test]
    fn half_a_usage_has_no_cost() {
        let input_only = Usage { input: Some(5), ..Usage::UNKNOWN };
        let output_only = Usage { output: Some(5), ..Usage::UNKNOWN };
        let embedding = Price {
            standard: Schedule {
                base: Rates { input: Some(dec!(1)), ..Rates::default() },
                above: vec![],
            },
            ..Price::default()
        };
        let cost = |price: &Price, usage| price.cost(usage, ServiceTier::Standard).total();
        assert_eq!(cost(&price(), &input_only), None);
        assert_eq!(cost(&price(), &output_only), None);
        assert_eq!(cost(&price(), &Usage::UNKNOWN), None);
        assert_eq!(cost(&price(), &Usage::ZERO), Some(dec!(0)));
        assert_eq!(cost(&embedding, &input_only), Some(dec!(0.000005)));
        assert_eq!(cost(&embedding, &output_only), None);
    }

    #[test]
    fn upper_bound_takes_the_dearest() {
        assert_eq!(price().upper_bound(1_000_000, 0), Some(dec!(9)));
        assert_eq!(price().upper_bound(0, 1_000_000), Some(dec!(4)));
        assert_eq!(price().upper_bound(200_000, 1_000_000), Some(dec!(7.8)));
        assert_eq!(Price::default().upper_bound(1, 0), None);
        assert!(price().upper_bound(u64::MAX, u64::MAX).is_some());
    }

    #[test]
    fn tiers_by_name() {
        assert_eq!(ServiceTier::from_name("default"), Some(ServiceTier::Standard));
        assert_eq!(ServiceTier::from_name("Priority"), Some(ServiceTier::Priority));
        assert_eq!(ServiceTier::from_name("scale"), None);
    }
}

//! Our own format of prices: JSON, US dollars per million tokens, one model a line.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::Value;

use super::PriceTable;
use super::rates::{Price, Rates, Schedule};

/// Prices that could not be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PriceError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(super) enum Kind {
    #[error("prices are not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "prices are not an object: write {{\"PROVIDER/MODEL\": {{\"input\": 0.1, \"output\": 0.4}}}}"
    )]
    NotAnObject,
    #[error("price of `{model}`: {problem}")]
    Entry { model: String, problem: String },
}

/// The whole of `prices.json`.
#[derive(Deserialize)]
struct File {
    source: String,
    date: String,
    models: BTreeMap<String, Entry>,
}

/// A line of it; the tiers in it have no tiers of their own.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Entry {
    input: Option<Rate>,
    output: Option<Rate>,
    cache_read: Option<Rate>,
    cache_write: Option<Rate>,
    cache_write_1h: Option<Rate>,
    reasoning: Option<Rate>,
    #[serde(default)]
    above: BTreeMap<u64, Self>,
    batch: Option<Box<Self>>,
    flex: Option<Box<Self>>,
    priority: Option<Box<Self>>,
}

/// A number that is not negative, as a JSON number or a string, without the error of a float.
struct Rate(Decimal);

pub(super) fn read_file(json: &str) -> Result<PriceTable, PriceError> {
    let file: File = serde_json::from_str(json).map_err(Kind::Json)?;
    let mut models = BTreeMap::new();
    for (key, entry) in file.models {
        let price = entry.price().map_err(|problem| at(&key, problem))?;
        models.insert(key, price);
    }
    Ok(PriceTable { source: file.source, date: file.date, models })
}

/// Reads one entry of our format.
pub(super) fn read_entry(entry: Value) -> Result<Price, String> {
    Entry::deserialize(entry).map_err(|error| error.to_string())?.price()
}

pub(super) fn at(key: &str, problem: String) -> PriceError {
    Kind::Entry { model: key.to_owned(), problem }.into()
}

impl Entry {
    fn price(self) -> Result<Price, String> {
        let Self { batch, flex, priority, .. } = self;
        let tier =
            |entry: Option<Box<Self>>| entry.map(|tier| tier.schedule().map(Box::new)).transpose();
        let price = Price {
            batch: tier(batch)?,
            flex: tier(flex)?,
            priority: tier(priority)?,
            standard: Self { batch: None, flex: None, priority: None, ..self }.schedule()?,
        };
        if price.standard.is_empty() {
            return Err(
                "no rate, write {\"input\": 0.1, \"output\": 0.4} in dollars per million tokens"
                    .into(),
            );
        }
        Ok(price)
    }

    fn schedule(self) -> Result<Schedule, String> {
        if self.batch.is_some() || self.flex.is_some() || self.priority.is_some() {
            return Err("a tier cannot have tiers, write them beside it".into());
        }
        let base = self.rates();
        let mut above = Vec::new();
        for (threshold, entry) in self.above {
            let rates = entry.rates();
            if entry.schedule()? != (Schedule { base: rates, above: vec![] }) {
                return Err("`above` cannot be nested, write its lengths beside one another".into());
            }
            above.push((threshold, rates));
        }
        Ok(Schedule { base, above })
    }

    fn rates(&self) -> Rates {
        let rate = |rate: &Option<Rate>| rate.as_ref().map(|rate| rate.0);
        Rates {
            input: rate(&self.input),
            output: rate(&self.output),
            cache_read: rate(&self.cache_read),
            cache_write: rate(&self.cache_write),
            cache_write_1h: rate(&self.cache_write_1h),
            reasoning: rate(&self.reasoning),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RateVisitor;

        impl Visitor<'_> for RateVisitor {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("dollars per million tokens, such as 0.15")
            }

            fn visit_u64<E: de::Error>(self, rate: u64) -> Result<Rate, E> {
                Ok(Rate(rate.into()))
            }

            fn visit_i64<E: de::Error>(self, rate: i64) -> Result<Rate, E> {
                self.visit_str(&rate.to_string())
            }

            fn visit_f64<E: de::Error>(self, rate: f64) -> Result<Rate, E> {
                self.visit_str(&rate.to_string())
            }

            fn visit_str<E: de::Error>(self, rate: &str) -> Result<Rate, E> {
                decimal(rate).map(Rate).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(RateVisitor)
    }
}

/// Reads a rate from its digits. The shortest text of a float is what was written, so nothing is lost.
pub(super) fn decimal(digits: &str) -> Result<Decimal, String> {
    let parsed = Decimal::from_str_exact(digits).or_else(|_| Decimal::from_scientific(digits));
    let rate =
        parsed.map_err(|_| format!("`{digits}` is not an amount of dollars, such as 0.15"))?;
    if rate.is_sign_negative() && !rate.is_zero() {
        return Err(format!(
            "`{digits}` is negative, write dollars per million tokens such as 0.15"
        ));
    }
    Ok(rate.normalize())
}

pub(super) fn write_file(table: &PriceTable) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let lines: Vec<String> = table
        .models
        .iter()
        .map(|(key, price)| format!("{}:{{{}}}", quoted(key), write_price(price)))
        .collect();
    format!(
        "{{\n\"source\":{},\n\"date\":{},\n\"unit\":\"US dollars per million tokens\",\n\"models\":{{\n{}\n}}\n}}\n",
        quoted(&table.source),
        quoted(&table.date),
        lines.join(",\n")
    )
}

fn write_price(price: &Price) -> String {
    let mut fields = schedule_fields(&price.standard);
    let tiers = [("batch", &price.batch), ("flex", &price.flex), ("priority", &price.priority)];
    for (name, schedule) in tiers {
        if let Some(schedule) = schedule {
            fields.push(format!("\"{name}\":{{{}}}", schedule_fields(schedule).join(",")));
        }
    }
    fields.join(",")
}

fn schedule_fields(schedule: &Schedule) -> Vec<String> {
    let mut fields = rate_fields(&schedule.base);
    if !schedule.above.is_empty() {
        let mut above = String::new();
        for (at, (threshold, rates)) in schedule.above.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            // Writing to a string does not fail.
            let _ = write!(above, "{comma}\"{threshold}\":{{{}}}", rate_fields(rates).join(","));
        }
        fields.push(format!("\"above\":{{{above}}}"));
    }
    fields
}

fn rate_fields(rates: &Rates) -> Vec<String> {
    let fields = [
        ("input", rates.input),
        ("output", rates.output),
        ("cache_read", rates.cache_read),
        ("cache_write", rates.cache_write),
        ("cache_write_1h", rates.cache_write_1h),
        ("reasoning", rates.reasoning),
    ];
    let known = fields.into_iter().filter_map(|(name, rate)| Some((name, rate?)));
    known.map(|(name, rate)| format!("\"{name}\":{rate}")).collect()
}

#[cfg(test)]
mod tests {
    use rust_decimal_macros::dec;

    use super::super::ServiceTier;
    use super::*;

    const OWN: &str = r#"{"models":{
        "acme/large":{"input":0.1,"output":"0.30000000000000004","cache_write_1h":2e-1,
            "above":{"200000":{"input":0.2}},"batch":{"input":0.05,"above":{"200000":{"input":0.1}}}},
        "acme/*":{"input":0,"output":0}
    }}"#;

    fn own() -> PriceTable {
        PriceTable::empty("test", "2026-01-31").with_overrides(OWN).unwrap()
    }

    #[test]
    fn reads_our_format_exactly() {
        let table = own();
        let rates = |tier, length| table.find("acme", "large").unwrap().rates(tier, length);
        let standard = rates(ServiceTier::Standard, 0);
        assert_eq!(standard.input, Some(dec!(0.1)));
        assert_eq!(standard.output, Some(dec!(0.30000000000000004)));
        assert_eq!(standard.cache_write_1h, Some(dec!(0.2)));
        assert_eq!(rates(ServiceTier::Standard, 200_001).input, Some(dec!(0.2)));
        assert_eq!(rates(ServiceTier::Batch, 200_001).input, Some(dec!(0.1)));
        assert_eq!(
            table.find("acme", "small").unwrap().rates(ServiceTier::Flex, 0).input,
            Some(dec!(0))
        );
    }

    #[test]
    fn writes_what_it_reads() {
        let written = own().to_json();
        let read = read_file(&written).unwrap();
        assert_eq!(read.models, own().models);
        assert_eq!((read.source(), read.date()), ("test", "2026-01-31"));
        assert_eq!(read.to_json(), written);
    }

    #[test]
    fn errors_say_where_and_what_to_write() {
        let check = |json: &str, expected: &str| {
            let error = PriceTable::empty("", "").with_overrides(json).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        };
        check("{", "prices are not JSON: EOF");
        check("[]", "not an object: write {");
        check(r#"{"models":[]}"#, "not an object");
        check(r#"{"a/b":{}}"#, "price of `a/b`: no rate, write {\"input\"");
        check(r#"{"a/b":7}"#, "price of `a/b`: invalid type");
        check(r#"{"a/b":{"input":-1}}"#, "`-1` is negative");
        check(r#"{"a/b":{"input":"cheap"}}"#, "`cheap` is not an amount of dollars");
        check(r#"{"a/b":{"inptu":1}}"#, "unknown field `inptu`, expected");
        check(r#"{"a/b":{"input":1,"batch":{"flex":{"input":1}}}}"#, "a tier cannot have tiers");
        check(
            r#"{"a/b":{"input":1,"above":{"1":{"above":{"2":{"input":1}}}}}}"#,
            "cannot be nested",
        );
        check(r#"{"a/b":{"input":1,"above":{"long":{"input":1}}}}"#, "price of `a/b`");
        check(r#"{"a":{"input_cost_per_token":-1}}"#, "price of `a`: `-1` is negative");
    }
}

//! LiteLLM's format of prices: US dollars per token, under keys such as
//! `input_cost_per_token_above_200k_tokens_batches`.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value};

use super::format::decimal;
use super::names;
use super::rates::{Price, Rates, Schedule};

/// Decimals that a rate per million tokens is rounded to. LiteLLM's numbers are floats, some of them
/// computed (`9.999999999999999e-08`); no provider's rate has so many.
const DECIMALS: u32 = 10;

/// Tells LiteLLM's entries from ours.
pub(super) fn is_entry(entry: &Value) -> bool {
    let is_mark =
        |key: &String| key == "litellm_provider" || key == "mode" || key.contains("_cost_per_");
    entry.as_object().is_some_and(|entry| entry.keys().any(is_mark))
}

/// Adds an entry, under our kind of key, unless it has no token price.
///
/// LiteLLM has some models twice, with and without the provider in front. Then the entry that tells
/// more is kept.
pub(super) fn read(
    prices: &mut BTreeMap<String, Price>,
    key: &str,
    entry: &Value,
) -> Result<(), String> {
    let Some(entry) = entry.as_object() else { return Ok(()) };
    let price = price(entry)?;
    if price.standard.is_empty() {
        return Ok(());
    }
    let key = own_key(key, entry.get("litellm_provider").and_then(Value::as_str));
    match prices.get(&key) {
        Some(other) if known_rates(other) >= known_rates(&price) => (),
        _ => drop(prices.insert(key, price)),
    }
    Ok(())
}

/// `provider/model`, or the bare name if the entry tells no provider.
fn own_key(key: &str, provider: Option<&str>) -> String {
    let Some(provider) = provider.map(names::provider) else { return key.to_owned() };
    let model = match key.split_once('/') {
        Some((prefix, model)) if names::provider(prefix) == provider => model,
        _ => key,
    };
    format!("{provider}/{model}")
}

fn price(entry: &Map<String, Value>) -> Result<Price, String> {
    let mut price = Price::default();
    for (key, value) in entry {
        let Some(place) = Place::of(key) else { continue };
        let Some(rate) = per_million(value)? else { continue };
        place.put(place.schedule(&mut price), rate);
    }
    if let Some(ranges) = entry.get("tiered_pricing").and_then(Value::as_array) {
        for range in ranges {
            read_range(&mut price.standard, range)?;
        }
    }
    Ok(price)
}

/// One element of `tiered_pricing`: the rates of requests whose input is in a range of lengths.
fn read_range(schedule: &mut Schedule, range: &Value) -> Result<(), String> {
    let Some(from) = range["range"].get(0).and_then(Value::as_f64) else { return Ok(()) };
    for (key, value) in range.as_object().into_iter().flatten() {
        let Some(place) = Place::of(key) else { continue };
        let Some(rate) = per_million(value)? else { continue };
        // The cast saturates, and a negative start is the start.
        Place { above: Some(from as u64).filter(|from| *from > 0), ..place }.put(schedule, rate);
    }
    Ok(())
}

/// Where the rate under a key of LiteLLM's belongs.
struct Place {
    tier: Option<Tier>,
    above: Option<u64>,
    bucket: fn(&mut Rates) -> &mut Option<Decimal>,
}

#[derive(Clone, Copy)]
enum Tier {
    Batch,
    Flex,
    Priority,
}

impl Place {
    /// `None` for keys that are no token rates, or rates of tiers that we do not know.
    fn of(key: &str) -> Option<Self> {
        let tiers =
            [("_batches", Tier::Batch), ("_flex", Tier::Flex), ("_priority", Tier::Priority)];
        let tier = tiers.into_iter().find_map(|(name, tier)| Some((key.strip_suffix(name)?, tier)));
        let (key, tier) = tier.map_or((key, None), |(key, tier)| (key, Some(tier)));

        let long = key.strip_suffix("k_tokens").and_then(|key| key.rsplit_once("_above_"));
        let (key, above) = match long {
            Some((key, thousands)) => {
                (key, Some(thousands.parse::<u64>().ok()?.checked_mul(1000)?))
            }
            None => (key, None),
        };

        let bucket: fn(&mut Rates) -> &mut Option<Decimal> = match key {
            "input_cost_per_token" => |rates| &mut rates.input,
            "output_cost_per_token" => |rates| &mut rates.output,
            "output_cost_per_reasoning_token" => |rates| &mut rates.reasoning,
            "cache_read_input_token_cost" => |rates| &mut rates.cache_read,
            "cache_creation_input_token_cost" => |rates| &mut rates.cache_write,
            "cache_creation_input_token_cost_above_1hr" => |rates| &mut rates.cache_write_1h,
            _ => return None,
        };
        Some(Self { tier, above, bucket })
    }

    fn schedule<'a>(&self, price: &'a mut Price) -> &'a mut Schedule {
        let tier = match self.tier {
            None => return &mut price.standard,
            Some(Tier::Batch) => &mut price.batch,
            Some(Tier::Flex) => &mut price.flex,
            Some(Tier::Priority) => &mut price.priority,
        };
        tier.get_or_insert_default()
    }

    fn put(&self, schedule: &mut Schedule, rate: Decimal) {
        let Some(threshold) = self.above else {
            *(self.bucket)(&mut schedule.base) = Some(rate);
            return;
        };
        let at = match schedule.above.binary_search_by_key(&threshold, |(above, _)| *above) {
            Ok(at) => at,
            Err(at) => {
                schedule.above.insert(at, (threshold, Rates::default()));
                at
            }
        };
        *(self.bucket)(&mut schedule.above[at].1) = Some(rate);
    }
}

/// A rate per token as one per million tokens. LiteLLM writes `null` for what it does not know.
fn per_million(value: &Value) -> Result<Option<Decimal>, String> {
    let digits = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Ok(None),
    };
    let rate = decimal(&digits)?.saturating_mul(1_000_000.into());
    Ok(Some(
        rate.round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointAwayFromZero).normalize(),
    ))
}

fn known_rates(price: &Price) -> usize {
    let known = |rates: &Rates| {
        let Rates { input, output, cache_read, cache_write, cache_write_1h, reasoning } = rates;
        let all = [input, output, cache_read, cache_write, cache_write_1h, reasoning];
        all.into_iter().flatten().count()
    };
    let tiers = [&price.batch, &price.flex, &price.priority].into_iter().flatten();
    let schedules = tiers.map(|tier| &**tier).chain([&price.standard]);
    schedules.flat_map(|s| s.above.iter().map(|(_, rates)| rates).chain([&s.base])).map(known).sum()
}

#[cfg(test)]
mod tests {
    use super::super::PriceTable;

    #[track_caller]
    fn check(litellm: &str, expected: &[&str]) {
        let table = PriceTable::empty("", "").with_overrides(litellm).unwrap();
        let json = table.to_json();
        let (_, models) = json.split_once("\"models\":{\n").unwrap();
        let lines: Vec<_> =
            models.lines().take(table.len()).map(|line| line.trim_end_matches(',')).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn rates_tiers_and_lengths() {
        check(
            r#"{"gpt-x": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 100,
                "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
                "cache_read_input_token_cost": 9.999999999999999e-08,
                "input_cost_per_token_above_272k_tokens": 5e-06,
                "input_cost_per_token_batches": 1.25e-06,
                "input_cost_per_token_above_272k_tokens_priority": 0.00001,
                "input_cost_per_token_ultrafast": 1, "input_cost_per_audio_token": 1}}"#,
            &[
                r#""openai/gpt-x":{"input":2.5,"output":10,"cache_read":0.1,"above":{"272000":{"input":5}},"batch":{"input":1.25},"priority":{"above":{"272000":{"input":10}}}}"#,
            ],
        );
        check(
            r#"{"dashscope/q": {"litellm_provider": "dashscope", "tiered_pricing": [
                {"input_cost_per_token": 5e-08, "range": [0, 256000.0]},
                {"input_cost_per_token": 2.5e-07, "range": [256000.0, 1000000.0]}]}}"#,
            &[r#""dashscope/q":{"input":0.05,"above":{"256000":{"input":0.25}}}"#],
        );
    }

    #[test]
    fn keys_and_what_has_no_token_price() {
        check(
            r#"{"claude-x": {"litellm_provider": "anthropic", "cache_creation_input_token_cost_above_1hr": 6e-06},
                "vertex_ai/claude-x": {"litellm_provider": "vertex_ai-anthropic_models", "input_cost_per_token": 0},
                "amazon-nova/lite": {"litellm_provider": "amazon_nova", "input_cost_per_token": "0.000001"},
                "groq/openai/gpt-oss": {"litellm_provider": "groq", "input_cost_per_token": 1e-06},
                "house-model": {"input_cost_per_token": 1e-06},
                "dall-e": {"litellm_provider": "openai", "input_cost_per_image": 0.1},
                "free": {"litellm_provider": "openai", "input_cost_per_token": null},
                "flash": {"litellm_provider": "deepseek", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06},
                "deepseek/flash": {"litellm_provider": "deepseek", "input_cost_per_token": 3e-06}}"#,
            &[
                r#""*/house-model":{"input":1}"#,
                r#""amazon_nova/lite":{"input":1}"#,
                r#""anthropic/claude-x":{"cache_write_1h":6}"#,
                r#""deepseek/flash":{"input":1,"output":1}"#,
                r#""groq/openai/gpt-oss":{"input":1}"#,
                r#""vertex_ai/claude-x":{"input":0}"#,
            ],
        );
    }
}

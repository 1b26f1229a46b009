//! Tokens in buckets that exclude one another, and what they cost.

use super::keys;
use crate::wire::{Any, Attributes};
use glassbox_trace::price::{PriceTable, ServiceTier};
use glassbox_trace::usage::{MAX_TOKENS, Usage};
use glassbox_trace::vocabulary::dialects::openinference as inference;
use glassbox_trace::vocabulary::langfuse::{self, metadata};
use glassbox_trace::vocabulary::openinference;
use memchr::memmem;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Map, Value};

/// The names that Langfuse's buckets go by, in the order of ours.
const BUCKETS: [&[&str]; 5] = [
    &["input"],
    &["input_cached_tokens", "input_cache_read", "cache_read_input_tokens"],
    &["input_cache_creation", "cache_creation_input_tokens", "cache_write_tokens"],
    &["output"],
    &["output_reasoning_tokens", "output_reasoning", "reasoning_tokens"],
];

/// Reads the tokens, and the cost in millionths of a millionth of a dollar: as it was told, or by the price table.
pub(super) fn usage_and_cost(
    attributes: &Attributes<'_>,
    provider: Option<&str>,
    model: Option<&str>,
) -> (Usage, Option<i64>) {
    let usage = usage(attributes);
    let is_unknown = attributes.get(metadata::COST_UNKNOWN).and_then(Any::as_flag) == Some(true);
    let cost = if is_unknown {
        None
    } else {
        told(attributes)
            .or_else(|| computed(attributes, &usage, provider.unwrap_or_default(), model?))
    };
    (usage, cost)
}

fn usage(attributes: &Attributes<'_>) -> Usage {
    if let Some(details) = object(attributes, langfuse::OBSERVATION_USAGE_DETAILS) {
        if attributes.get(metadata::USAGE_UNKNOWN).and_then(Any::as_flag) == Some(true) {
            return Usage::UNKNOWN;
        }
        return of_details(attributes, details);
    }
    if let Some(usage) = of_litellm(attributes) {
        return usage;
    }
    let tokens =
        |keys| attributes.first(keys, Any::as_count).filter(|tokens| *tokens <= MAX_TOKENS);
    let mut input = tokens(keys::INPUT_TOKENS);
    let (read, write) = (tokens(keys::CACHE_READ_TOKENS), tokens(keys::CACHE_WRITE_TOKENS));
    // Anthropic's own counts leave the cache out, and some hand them on as they are: no part is larger than its total.
    let cached = read.unwrap_or(0) + write.unwrap_or(0);
    input = input.map(|input| if cached > input { input + cached } else { input });
    Usage::from_totals(
        input,
        read,
        write,
        tokens(keys::OUTPUT_TOKENS),
        tokens(keys::REASONING_TOKENS),
    )
}

/// Reads what LiteLLM has in OpenAI's shape among the metadata, with the cached tokens that its attributes leave out.
fn of_litellm(attributes: &Attributes<'_>) -> Option<Usage> {
    attributes.get(inference::TOKENS_PROMPT)?;
    let metadata = attributes.get(openinference::METADATA)?.as_text()?;
    // Few have it, and reading all of everybody's takes its time.
    memmem::find(metadata.as_bytes(), b"\"usage_object\"")?;
    let metadata: Map<String, Value> = serde_json::from_str(metadata).ok()?;
    let usage = metadata.get("usage_object").filter(|usage| usage.is_object())?;
    Some(Usage::from_openai(usage)).filter(|usage| !usage.is_unknown())
}

/// Reads Langfuse's usage: OpenAI's own shape, or buckets.
fn of_details(attributes: &Attributes<'_>, details: Map<String, Value>) -> Usage {
    if details.contains_key("prompt_tokens") || details.contains_key("input_tokens") {
        return Usage::from_openai(&Value::Object(details));
    }
    let tokens = |names: &[&str]| {
        let count = names.iter().find_map(|name| details.get(*name)?.as_u64());
        count.filter(|tokens| *tokens <= MAX_TOKENS)
    };
    let [input, cache_read, cache_write, mut output, mut reasoning] = BUCKETS.map(tokens);
    // Where reasoning was folded into the output for Langfuse's prices, it is told beside it.
    if let Some(folded) = attributes.get(metadata::REASONING_TOKENS).and_then(Any::as_count) {
        output = output.map(|output| output.saturating_sub(folded));
        reasoning = Some(folded);
    }
    Usage { input, cache_read, cache_write, output, reasoning }
}

fn told(attributes: &Attributes<'_>) -> Option<i64> {
    if let Some(details) = object(attributes, langfuse::OBSERVATION_COST_DETAILS) {
        let amount = |name: &str| details.get(name).and_then(Value::as_f64);
        let parts = || {
            let parts = details.keys().filter(|key| *key != "total").filter_map(|key| amount(key));
            parts.reduce(|left, right| left + right)
        };
        if let Some(total) = amount("total").or_else(parts) {
            return pico(total);
        }
    }
    let total = attributes.first(keys::COST_TOTAL, Any::as_number);
    let parts = || {
        let parts = keys::COST_PARTS.iter().filter_map(|key| attributes.get(key)?.as_number());
        parts.reduce(|left, right| left + right)
    };
    pico(total.or_else(parts)?)
}

/// An amount from the network: nobody pays less than nothing.
fn pico(dollars: f64) -> Option<i64> {
    // The shortest digits that make this float are those that were written, and never an exponent.
    let dollars: Decimal = dollars.to_string().parse().ok()?;
    to_pico(dollars).filter(|pico| *pico >= 0)
}

pub(crate) fn to_pico(dollars: Decimal) -> Option<i64> {
    dollars.checked_mul(Decimal::from(1_000_000_000_000_i64))?.round().to_i64()
}

fn computed(
    attributes: &Attributes<'_>,
    usage: &Usage,
    provider: &str,
    model: &str,
) -> Option<i64> {
    if usage.is_unknown() {
        return None;
    }
    let tier = attributes.text(keys::SERVICE_TIER);
    let tier = tier.and_then(|name| ServiceTier::from_name(&name)).unwrap_or_default();
    let prices = PriceTable::builtin();
    let answered = attributes.text(keys::RESPONSE_MODEL);
    let of = |model: &str| prices.cost(provider, model, usage, tier).total();
    to_pico(answered.as_deref().and_then(of).or_else(|| of(model))?)
}

fn object(attributes: &Attributes<'_>, key: &str) -> Option<Map<String, Value>> {
    match attributes.get(key)? {
        Any::Text(json) => serde_json::from_str(json).ok(),
        object @ Any::Object(_) => match object.to_json() {
            Value::Object(object) => Some(object),
            _ => None,
        },
        _ => None,
    }
}

//! Usage and cost of a received span, from inclusive counts or from Langfuse's buckets.

use super::attributes::Attributes;
use crate::cost::{Cost, CostDetails};
use crate::otlp::field::{
    CACHE_READ_TOKENS, CACHE_WRITE_TOKENS, COST_CACHE_READ, COST_CACHE_WRITE, COST_DETAILS,
    COST_INPUT, COST_OUTPUT, COST_REASONING, COST_TOTAL, COST_UNKNOWN, FOLDED_REASONING,
    INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS, USAGE_DETAILS, USAGE_UNKNOWN,
};
use crate::usage::{MAX_TOKENS, Usage};
use crate::vocabulary::langfuse;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// The names that Langfuse's buckets go by, in the order of ours; the first is the one that we write.
const BUCKETS: [&[&str]; 5] = [
    &["input"],
    &["input_cached_tokens", "input_cache_read", "cache_read_input_tokens"],
    &["input_cache_creation", "cache_creation_input_tokens", "cache_write_tokens"],
    &["output"],
    &["output_reasoning_tokens", "output_reasoning", "reasoning_tokens"],
];

/// Takes the tokens used.
pub(super) fn usage(attributes: &mut Attributes) -> Usage {
    let zeros_stand_for_unknown = attributes.flag(&USAGE_UNKNOWN).unwrap_or(false);
    let Some(mut details) = attributes.object(&USAGE_DETAILS) else {
        return inclusive_usage(attributes);
    };
    if zeros_stand_for_unknown {
        return Usage::UNKNOWN;
    }
    let [input, cache_read, cache_write, mut output, mut reasoning] =
        BUCKETS.map(|names| bucket(&mut details, names, tokens));
    if let Some(folded) = attributes.count::<u64>(&FOLDED_REASONING) {
        output = output.map(|output| output.saturating_sub(folded));
        reasoning = Some(folded);
    }
    details.remove("total");
    attributes.put_back(langfuse::OBSERVATION_USAGE_DETAILS, details);
    Usage { input, cache_read, cache_write, output, reasoning }
}

fn inclusive_usage(attributes: &mut Attributes) -> Usage {
    let mut tokens = |field| attributes.count(field).filter(|tokens| *tokens <= MAX_TOKENS);
    let (input, output) = (tokens(&INPUT_TOKENS), tokens(&OUTPUT_TOKENS));
    let (cache_read, cache_write) = (tokens(&CACHE_READ_TOKENS), tokens(&CACHE_WRITE_TOKENS));
    Usage::from_totals(input, cache_read, cache_write, output, tokens(&REASONING_TOKENS))
}

/// Takes the dollars. What the buckets leave of the total is booked as input.
pub(super) fn cost(attributes: &mut Attributes) -> Cost {
    let zero_stands_for_unknown = attributes.flag(&COST_UNKNOWN).unwrap_or(false);
    let (known, total) = match attributes.object(&COST_DETAILS) {
        Some(_) if zero_stands_for_unknown => return Cost::UNKNOWN,
        Some(mut details) => {
            let known =
                BUCKETS.map(|names| bucket(&mut details, names, |value| dollars(value.as_f64()?)));
            let total = bucket(&mut details, &["total"], |value| dollars(value.as_f64()?));
            attributes.put_back(langfuse::OBSERVATION_COST_DETAILS, details);
            (known, total)
        }
        None => {
            let mut take = |field| attributes.number(field).and_then(dollars);
            let fields =
                [&COST_INPUT, &COST_CACHE_READ, &COST_CACHE_WRITE, &COST_OUTPUT, &COST_REASONING];
            (fields.map(&mut take), take(&COST_TOTAL))
        }
    };
    if total.is_none() && known.iter().all(Option::is_none) {
        return Cost::UNKNOWN;
    }
    let [mut input, cache_read, cache_write, output, reasoning] =
        known.map(Option::unwrap_or_default);
    let sum = CostDetails { input, cache_read, cache_write, output, reasoning }.total();
    let left = total.unwrap_or_default().saturating_sub(sum);
    // Less than a billionth is what floats round off.
    if left > sum / Decimal::from(1_000_000_000) {
        input = input.saturating_add(left);
    }
    Cost::known(CostDetails { input, cache_read, cache_write, output, reasoning })
}

/// Takes a bucket by the first of its names whose value can be read.
fn bucket<T>(
    details: &mut Map<String, Value>,
    names: &[&str],
    read: impl Fn(&Value) -> Option<T>,
) -> Option<T> {
    for name in names {
        if let Some(value) = details.get(*name).and_then(&read) {
            details.shift_remove(*name);
            return Some(value);
        }
    }
    None
}

fn tokens(value: &Value) -> Option<u64> {
    value.as_u64().filter(|tokens| *tokens <= MAX_TOKENS)
}

/// An amount from the network: nobody pays less than nothing.
fn dollars(amount: f64) -> Option<Decimal> {
    // The shortest digits that make this float: those that were written, up to 15. Never an exponent.
    amount.to_string().parse().ok().filter(|dollars: &Decimal| !dollars.is_sign_negative())
}

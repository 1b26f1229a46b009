//! Usage, cost and prices agree with one another for whatever a provider reports.

use glassbox_trace::cost::Cost;
use glassbox_trace::price::{PriceTable, ServiceTier};
use glassbox_trace::usage::Usage;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

const TIERS: [ServiceTier; 4] = ServiceTier::ALL;

/// Models of every kind of pricing: cached, long-context, tiered, embedding, free.
const MODELS: [(&str, &str); 7] = [
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5.1"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gemini", "gemini-2.5-pro"),
    ("dashscope", "qwen-flash"),
    ("ollama", "llama3"),
];

/// Tokens of one side, and how many of them are of a special kind.
fn parts() -> impl Strategy<Value = (u64, u64, u64)> {
    (0..400_000_u64, 0..400_000_u64, 0..100_000_u64)
}

fn usages() -> impl Strategy<Value = Usage> {
    let bucket = || 0..300_000_u64;
    (bucket(), bucket(), bucket(), bucket(), bucket()).prop_map(
        |(input, cache_read, cache_write, output, reasoning)| Usage {
            input: Some(input),
            cache_read: Some(cache_read),
            cache_write: Some(cache_write),
            output: Some(output),
            reasoning: Some(reasoning),
        },
    )
}

/// Anything that JSON can hold under the keys that providers use, and under others.
fn reports() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9a-z]{0,6}".prop_map(Value::from),
        (0..1000_u64).prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "output_tokens_details",
        "cached_tokens",
        "reasoning_tokens",
        "thinking_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "ephemeral_5m_input_tokens",
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
        "cachedContentTokenCount",
        "toolUsePromptTokenCount",
        "prompt_eval_count",
        "eval_count",
    ]);
    leaf.prop_recursive(3, 32, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..12)
                .prop_map(|fields| fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

fn cost(model: (&str, &str), usage: &Usage, tier: ServiceTier) -> Cost {
    PriceTable::builtin().cost(model.0, model.1, usage, tier)
}

proptest! {
    #[test]
    fn buckets_sum_to_openais_total(
        (fresh, cached, _) in parts(), (text, reasoning, _) in parts(), responses: bool,
    ) {
        let (input, output) = (fresh + cached, text + reasoning);
        let report = if responses {
            json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output,
                "input_tokens_details": {"cached_tokens": cached},
                "output_tokens_details": {"reasoning_tokens": reasoning}})
        } else {
            json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": reasoning}})
        };
        let usage = Usage::from_openai(&report);
        prop_assert_eq!(usage.total(), input + output);
        prop_assert_eq!((usage.input, usage.cache_read), (Some(fresh), Some(cached)));
        prop_assert_eq!((usage.output, usage.reasoning), (Some(text), Some(reasoning)));
    }

    #[test]
    fn buckets_sum_to_xais_total((fresh, cached, _) in parts(), text in 0..1000_u64, reasoning in 1..1000_u64) {
        let usage = Usage::from_openai(&json!({
            "prompt_tokens": fresh + cached, "completion_tokens": text,
            "total_tokens": fresh + cached + text + reasoning,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }));
        prop_assert_eq!(usage.total(), fresh + cached + text + reasoning);
        prop_assert_eq!(usage.reasoning, Some(reasoning));
    }

    #[test]
    fn buckets_sum_to_anthropics_total((fresh, read, written) in parts(), output in 0..100_000_u64) {
        let usage = Usage::from_anthropic(&json!({
            "input_tokens": fresh, "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written, "output_tokens": output,
        }));
        prop_assert_eq!(usage.input_total(), Some(fresh + read + written));
        prop_assert_eq!(usage.total(), fresh + read + written + output);
    }

    #[test]
    fn buckets_sum_to_geminis_total((fresh, cached, tools) in parts(), (text, thoughts, _) in parts()) {
        let total = fresh + cached + tools + text + thoughts;
        let mut report = json!({
            "promptTokenCount": fresh + cached, "cachedContentTokenCount": cached,
            "toolUsePromptTokenCount": tools, "candidatesTokenCount": text,
            "thoughtsTokenCount": thoughts, "totalTokenCount": total,
        });
        prop_assert_eq!(Usage::from_gemini(&report).total(), total);
        report.as_object_mut().unwrap().remove("candidatesTokenCount");
        prop_assert_eq!(Usage::from_gemini(&report).output, Some(text));
    }

    #[test]
    fn buckets_sum_to_ollamas_total(input in 0..100_000_u64, output in 0..100_000_u64) {
        let body = json!({"prompt_eval_count": input, "eval_count": output});
        prop_assert_eq!(Usage::from_ollama(&body).total(), input + output);
    }

    #[test]
    fn totals_come_back(usage in usages()) {
        let again = Usage::from_totals(
            usage.input_total(), usage.cache_read, usage.cache_write, usage.output_total(), usage.reasoning,
        );
        prop_assert_eq!(again, usage);
    }

    #[test]
    fn no_report_panics(report in reports()) {
        for read in [Usage::from_openai, Usage::from_anthropic, Usage::from_gemini, Usage::from_ollama] {
            let usage = read(&report);
            prop_assert!(usage.total() < 1 << 50);
            for model in MODELS {
                cost(model, &usage, ServiceTier::Standard);
            }
        }
    }

    /// Within a tier, and while neither the parts nor the sum cross into a long context.
    #[test]
    fn cost_is_additive(a in usages(), b in usages(), model in prop::sample::select(&MODELS), tier in prop::sample::select(&TIERS)) {
        let price = PriceTable::builtin().find(model.0, model.1).unwrap();
        let rates = |usage: &Usage| price.rates(tier, usage.input_total().unwrap_or(0));
        let sum = a + b;
        if rates(&a) == rates(&sum) && rates(&b) == rates(&sum) {
            prop_assert_eq!(cost(model, &a, tier) + cost(model, &b, tier), cost(model, &sum, tier));
        }
    }

    #[test]
    fn upper_bound_holds_for_any_split(usage in usages(), spare in 0..1000_u64, model in prop::sample::select(&MODELS), tier in prop::sample::select(&TIERS)) {
        let table = PriceTable::builtin();
        let (input, output) = (usage.input_total().unwrap(), usage.output_total().unwrap());
        let bound = table.upper_bound(model.0, model.1, input + spare, output + spare).unwrap();
        let cost = cost(model, &usage, tier).total().unwrap();
        prop_assert!(cost <= bound, "{} > {}", cost, bound);
        prop_assert!(cost >= Decimal::ZERO);
    }
}

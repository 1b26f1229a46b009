//! Token usage: what a model call consumed, in buckets that exclude one another.
//!
//! Providers count differently. OpenAI reports totals and tells which part of them was cached or
//! was reasoning; Anthropic leaves the cached part out of its input count; Gemini leaves the
//! thoughts out of its output count. Here every token is in exactly one bucket, so buckets can be
//! added up and priced one by one, and a bucket that a provider did not report is `None`.
//!
//! Reports come from the network and are not trusted. A count is taken if it is a whole number
//! from 0 to [`MAX_TOKENS`] (a float such as `12.0` included); anything else (negative, fractional,
//! a string, absurdly large) counts as not reported. A part larger than its total is cut to it.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde_json::Value;

/// The largest count that is believed, about a trillion tokens: larger ones count as not reported.
pub const MAX_TOKENS: u64 = 1 << 40;

/// Tokens of one or more model calls, in buckets that exclude one another.
///
/// ```
/// use glassbox_trace::usage::Usage;
///
/// let usage = Usage::from_openai(&serde_json::json!({
///     "prompt_tokens": 1200, "completion_tokens": 310,
///     "prompt_tokens_details": { "cached_tokens": 1024 },
/// }));
/// assert_eq!(usage.input, Some(176));
/// assert_eq!(usage.cache_read, Some(1024));
/// assert_eq!(usage.input_total(), Some(1200));
/// assert_eq!(usage.total(), 1510);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Input tokens that the provider neither read from nor wrote to its prompt cache.
    pub input: Option<u64>,
    /// Input tokens read from the provider's prompt cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write: Option<u64>,
    /// Output tokens without reasoning.
    pub output: Option<u64>,
    /// Output tokens that were reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Nothing is known.
    pub const UNKNOWN: Self =
        Self { input: None, cache_read: None, cache_write: None, output: None, reasoning: None };

    /// Nothing was consumed, and that is known: a failed call, or an answer from our own cache.
    pub const ZERO: Self = Self {
        input: Some(0),
        cache_read: Some(0),
        cache_write: Some(0),
        output: Some(0),
        reasoning: Some(0),
    };

    /// Tells whether no bucket is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::UNKNOWN
    }

    /// Adds up the known buckets, saturating.
    #[must_use]
    pub fn total(&self) -> u64 {
        sum([self.input_total(), self.output_total()]).unwrap_or(0)
    }

    /// Adds up the known input buckets: the inclusive count of OpenTelemetry.
    #[must_use]
    pub fn input_total(&self) -> Option<u64> {
        sum([self.input, self.cache_read, self.cache_write])
    }

    /// Adds up the known output buckets: the inclusive count of OpenTelemetry.
    #[must_use]
    pub fn output_total(&self) -> Option<u64> {
        sum([self.output, self.reasoning])
    }

    /// Takes inclusive counts apart, as OpenAI and OpenTelemetry have them.
    ///
    /// A part larger than what is left of its total is cut to that, so that the buckets always sum
    /// to the totals. Without a total the parts are kept as they are.
    #[must_use]
    pub fn from_totals(
        input_total: Option<u64>,
        cache_read: Option<u64>,
        cache_write: Option<u64>,
        output_total: Option<u64>,
        reasoning: Option<u64>,
    ) -> Self {
        let (left, cache_read) = take(input_total, cache_read);
        let (input, cache_write) = take(left, cache_write);
        let (output, reasoning) = take(output_total, reasoning);
        Self { input, cache_read, cache_write, output, reasoning }
    }

    /// Reads the `usage` object of OpenAI's chat completions, responses and embeddings, and of the
    /// many servers that speak these formats.
    ///
    /// Understood besides OpenAI's own keys: `prompt_cache_hit_tokens` (DeepSeek), `cached_tokens`
    /// and `reasoning_tokens` beside the totals (Moonshot, Perplexity), `cache_write_tokens`
    /// (OpenRouter), `cache_read_input_tokens` and `cache_creation_input_tokens` (LiteLLM). Where
    /// `total_tokens` shows that the completion leaves the reasoning out (xAI), it is added.
    #[must_use]
    pub fn from_openai(usage: &Value) -> Self {
        let input_details = either(usage, "prompt_tokens_details", "input_tokens_details");
        let output_details = either(usage, "completion_tokens_details", "output_tokens_details");

        let input = count(usage, "prompt_tokens").or_else(|| count(usage, "input_tokens"));
        let cache_read = count(input_details, "cached_tokens")
            .or_else(|| count(usage, "prompt_cache_hit_tokens"))
            .or_else(|| count(usage, "cached_tokens"))
            .or_else(|| count(usage, "cache_read_input_tokens"));
        let cache_write = count(input_details, "cache_write_tokens")
            .or_else(|| count(usage, "cache_creation_input_tokens"));
        let reasoning =
            count(output_details, "reasoning_tokens").or_else(|| count(usage, "reasoning_tokens"));
        let output = count(usage, "completion_tokens").or_else(|| count(usage, "output_tokens"));

        let with_reasoning = sum([output, reasoning]);
        let reasoning_apart = reasoning.is_some_and(|tokens| tokens > 0)
            && count(usage, "total_tokens")
                .is_some_and(|all| Some(all) == sum([input, with_reasoning]));
        let output = if reasoning_apart { with_reasoning } else { output };
        Self::from_totals(input, cache_read, cache_write, output, reasoning)
    }

    /// Reads the `usage` object of Anthropic's messages, whose input count leaves the cache out.
    ///
    /// Cache writes of five minutes and of one hour go into one bucket. The thinking is a part of
    /// the output; most models do not tell it apart.
    #[must_use]
    pub fn from_anthropic(usage: &Value) -> Self {
        let written = &usage["cache_creation"];
        let cache_write = count(usage, "cache_creation_input_tokens").or_else(|| {
            sum([
                count(written, "ephemeral_5m_input_tokens"),
                count(written, "ephemeral_1h_input_tokens"),
            ])
        });
        let (output, reasoning) = take(
            count(usage, "output_tokens"),
            count(&usage["output_tokens_details"], "thinking_tokens"),
        );
        Self {
            input: count(usage, "input_tokens"),
            cache_read: count(usage, "cache_read_input_tokens"),
            cache_write,
            output,
            reasoning,
        }
    }

    /// Reads the `usageMetadata` object of Gemini, whose candidates leave the thoughts out.
    ///
    /// The input of tools that Gemini ran itself is input. Gemini omits counts of zero: missing
    /// candidates are worked out from `totalTokenCount`.
    #[must_use]
    pub fn from_gemini(usage_metadata: &Value) -> Self {
        let prompt = count(usage_metadata, "promptTokenCount");
        let thoughts = count(usage_metadata, "thoughtsTokenCount");
        let input = sum([prompt, count(usage_metadata, "toolUsePromptTokenCount")]);
        let candidates = count(usage_metadata, "candidatesTokenCount").or_else(|| {
            let all = count(usage_metadata, "totalTokenCount")?;
            Some(all.saturating_sub(input?).saturating_sub(thoughts.unwrap_or(0)))
        });
        let cached = count(usage_metadata, "cachedContentTokenCount");
        Self {
            output: candidates,
            reasoning: thoughts,
            ..Self::from_totals(input, cached, None, None, None)
        }
    }

    /// Reads the body of Ollama's last chunk or whole answer (`/api/chat`, `/api/generate`, `/api/embed`).
    #[must_use]
    pub fn from_ollama(body: &Value) -> Self {
        let (input, output) = (count(body, "prompt_eval_count"), count(body, "eval_count"));
        Self { input, output, ..Self::UNKNOWN }
    }
}

impl Add for Usage {
    type Output = Self;

    /// Adds bucket by bucket, saturating; a bucket stays unknown only if it is so on both sides.
    fn add(self, other: Self) -> Self {
        Self {
            input: sum([self.input, other.input]),
            cache_read: sum([self.cache_read, other.cache_read]),
            cache_write: sum([self.cache_write, other.cache_write]),
            output: sum([self.output, other.output]),
            reasoning: sum([self.reasoning, other.reasoning]),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::UNKNOWN, Add::add)
    }
}

impl<'a> Sum<&'a Self> for Usage {
    fn sum<I: Iterator<Item = &'a Self>>(usages: I) -> Self {
        usages.copied().sum()
    }
}

/// The sum of the known counts, `None` if there are none.
fn sum<const N: usize>(counts: [Option<u64>; N]) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

/// What is left of a total without a part, and the part, cut to the total if there is one.
fn take(total: Option<u64>, part: Option<u64>) -> (Option<u64>, Option<u64>) {
    let Some(total) = total else { return (None, part) };
    let part = part.map(|part| part.min(total));
    (Some(total - part.unwrap_or(0)), part)
}

/// The object under the first key that has one.
fn either<'a>(object: &'a Value, first: &str, second: &str) -> &'a Value {
    if object[first].is_object() { &object[first] } else { &object[second] }
}

/// A believable count under a key; see the top of this file.
fn count(object: &Value, key: &str) -> Option<u64> {
    let value = object.get(key)?;
    let count = match value.as_u64() {
        Some(count) => count,
        // The cast saturates and drops no fraction, since there is none.
        None => value.as_f64().filter(|float| *float >= 0.0 && float.fract() == 0.0)? as u64,
    };
    Some(count).filter(|count| *count <= MAX_TOKENS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usage<const N: usize>(buckets: [i64; N]) -> Usage {
        let bucket = |at: usize| u64::try_from(buckets[at]).ok();
        Usage {
            input: bucket(0),
            cache_read: bucket(1),
            cache_write: bucket(2),
            output: bucket(3),
            reasoning: bucket(4),
        }
    }

    /// Buckets in the order of the fields, -1 for unknown.
    #[track_caller]
    fn check(read: fn(&Value) -> Usage, report: &Value, buckets: [i64; 5]) {
        assert_eq!(read(report), usage(buckets), "{report}");
    }

    #[test]
    fn openai_and_its_kin() {
        let check = |report: Value, buckets| check(Usage::from_openai, &report, buckets);
        check(json!({"prompt_tokens": 10, "completion_tokens": 5}), [10, -1, -1, 5, -1]);
        check(
            json!({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 20}}),
            [36, 64, -1, 30, 20],
        );
        check(
            json!({"input_tokens": 100, "output_tokens": 50, "total_tokens": 150,
                "input_tokens_details": {"cached_tokens": 64},
                "output_tokens_details": {"reasoning_tokens": 0}}),
            [36, 64, -1, 50, 0],
        );
        // Embeddings.
        check(json!({"prompt_tokens": 8, "total_tokens": 8}), [8, -1, -1, -1, -1]);
        // DeepSeek.
        check(
            json!({"prompt_tokens": 30, "prompt_cache_hit_tokens": 20,
                "prompt_cache_miss_tokens": 10, "completion_tokens": 4}),
            [10, 20, -1, 4, -1],
        );
        // OpenRouter.
        check(
            json!({"prompt_tokens": 100, "completion_tokens": 7, "cost": 0.001,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}}),
            [10, 60, 30, 7, -1],
        );
        // LiteLLM before Anthropic.
        check(
            json!({"prompt_tokens": 100, "completion_tokens": 7,
                "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}),
            [10, 60, 30, 7, -1],
        );
        // xAI leaves the reasoning out of the completion.
        check(
            json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35,
                "completion_tokens_details": {"reasoning_tokens": 20}}),
            [10, -1, -1, 5, 20],
        );
        // Moonshot.
        check(
            json!({"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4}),
            [6, 4, -1, 5, -1],
        );
    }

    #[test]
    fn anthropic() {
        let check = |report: Value, buckets| check(Usage::from_anthropic, &report, buckets);
        check(json!({"input_tokens": 10, "output_tokens": 5}), [10, -1, -1, 5, -1]);
        check(
            json!({"input_tokens": 1000, "cache_read_input_tokens": 8000,
                "cache_creation_input_tokens": 1000, "output_tokens": 500,
                "output_tokens_details": {"thinking_tokens": 200}}),
            [1000, 8000, 1000, 300, 200],
        );
        check(
            json!({"input_tokens": 1, "cache_read_input_tokens": null, "output_tokens": 2,
                "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}}),
            [1, -1, 7, 2, -1],
        );
    }

    #[test]
    fn gemini() {
        let check = |report: Value, buckets| check(Usage::from_gemini, &report, buckets);
        check(
            json!({"promptTokenCount": 100, "cachedContentTokenCount": 40,
                "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 150}),
            [60, 40, -1, 20, 30],
        );
        check(
            json!({"promptTokenCount": 100, "toolUsePromptTokenCount": 11,
                "candidatesTokenCount": 20, "totalTokenCount": 131}),
            [111, -1, -1, 20, -1],
        );
        // Cut off while thinking.
        check(
            json!({"promptTokenCount": 100, "thoughtsTokenCount": 30, "totalTokenCount": 130}),
            [100, -1, -1, 0, 30],
        );
    }

    #[test]
    fn ollama() {
        let body =
            json!({"model": "gemma", "done": true, "prompt_eval_count": 26, "eval_count": 259});
        check(Usage::from_ollama, &body, [26, -1, -1, 259, -1]);
    }

    #[test]
    fn nonsense_is_not_reported() {
        for nonsense in [
            json!(-5),
            json!(1.5),
            json!("12"),
            json!(true),
            json!(1e300),
            json!(u64::MAX),
            json!([]),
        ] {
            let report = json!({"prompt_tokens": nonsense, "completion_tokens": 12.0});
            check(Usage::from_openai, &report, [-1, -1, -1, 12, -1]);
        }
        for report in
            [json!(null), json!("usage"), json!([]), json!({}), json!({"prompt_tokens_details": 3})]
        {
            for read in
                [Usage::from_openai, Usage::from_anthropic, Usage::from_gemini, Usage::from_ollama]
            {
                check(read, &report, [-1; 5]);
            }
        }
    }

    #[test]
    fn parts_are_cut_to_their_total() {
        let cut = Usage::from_totals(Some(10), Some(8), Some(7), Some(3), Some(4));
        assert_eq!(cut, usage([0, 8, 2, 0, 3]));
        let no_totals = Usage::from_totals(None, Some(8), None, None, Some(4));
        assert_eq!(no_totals, usage([-1, 8, -1, -1, 4]));
    }

    #[test]
    fn sums_keep_what_is_unknown() {
        let sum: Usage = [usage([1, -1, -1, 2, -1]), usage([3, 4, -1, -1, -1])].iter().sum();
        assert_eq!(sum, usage([4, 4, -1, 2, -1]));
        let mut full = Usage { input: Some(u64::MAX), ..Usage::UNKNOWN };
        full += usage([1, 1, 1, 1, 1]);
        assert_eq!((full.input, full.total()), (Some(u64::MAX), u64::MAX));
        assert!(Vec::<Usage>::new().into_iter().sum::<Usage>().is_unknown());
        assert!(!Usage::ZERO.is_unknown());
    }
}

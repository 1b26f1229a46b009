//! Prices: what providers charge for tokens, and what a usage costs by them.
//!
//! The built-in table (`prices.json`, made by `cargo xtask prices`) holds facts about the models of
//! many providers. It covers tokens only: charges per request, search, image or second are not in it.
//!
//! # How a model is found
//!
//! Names are compared without case. Nothing is guessed: a model that none of these rules leads to has
//! no price, and its cost is unknown.
//!
//! 1. The provider is brought to one spelling (`gcp.vertex_ai`, `google-vertex` and `vertex` are
//!    `vertex_ai`), and the model's path is taken off (`models/..`, `publishers/google/models/..`,
//!    a Bedrock ARN).
//! 2. The provider's own entry of that name; then without the provider's name in front
//!    (`openai/gpt-4o` and `openai::gpt-4o` of `openai`).
//! 3. An entry of the same provider by what its names mean: without the date of a snapshot
//!    (`-2024-08-06`, `-20241022`, `@20241022`) or `-latest`; if there is no such entry, the newest
//!    dated snapshot of it. Fine-tuned names lose what follows the base model
//!    (`ft:gpt-4o-mini:acme::id`), but never the `ft:`. `claude-opus-4.5` is `claude-opus-4-5`.
//!    Gemini's `-001` is the model without it. Fireworks' short names get their account in front.
//!    Bedrock names lose a region (`us.`) and a version (`-v1:0`), one after the other.
//! 4. If the provider is empty or `litellm`, the model's first segment is the provider, or else the
//!    company that made the model is. `openrouter` charges what OpenAI, Anthropic, Google and xAI do.
//!    Other providers never get another's price: Azure, Bedrock and Vertex differ from it.
//! 5. The entry `PROVIDER/*`, for all models of a provider. The table has it for servers on one's own
//!    machine (`ollama`, `lemonade`), where tokens cost nothing. A model that Ollama runs in its cloud
//!    (`-cloud`) is not meant by it.
//! 6. The entry `*/MODEL`, for a model of any provider, as overrides can have it.
//!
//! # How a bucket without a price is charged
//!
//! As providers bill: reading from or writing to the cache as input, reasoning as output. What a tier or
//! a long context has no rate for is charged at the standard rate.

mod rates;
mod names;
mod format;
mod litellm;
mod overrides;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use rust_decimal::Decimal;

pub use self::format::PriceError;
pub use self::rates::{Price, Rates, ServiceTier};
use crate::cost::Cost;
use crate::usage::Usage;

/// Prices by provider and model.
///
/// ```
/// use glassbox_trace::price::{PriceTable, ServiceTier};
/// use glassbox_trace::usage::Usage;
///
/// let usage = Usage { input: Some(1000), output: Some(200), ..Usage::UNKNOWN };
/// let cost = PriceTable::builtin().cost("openai", "gpt-4o-mini", &usage, ServiceTier::Standard);
/// assert_eq!(cost.to_string(), "0.00027");
///
/// let own = PriceTable::builtin().with_overrides(
///     r#"{ "acme/house-model": { "input": 0.10, "output": 0.40 } }"#,
/// )?;
/// assert!(own.find("acme", "house-model").is_some());
/// # Ok::<(), glassbox_trace::price::PriceError>(())
/// ```
#[derive(Clone)]
pub struct PriceTable {
    source: String,
    date: String,
    /// By `provider/model`, both in the spelling of [`names`]; ordered, to find snapshots by prefix.
    models: BTreeMap<String, Price>,
}

impl PriceTable {
    /// Creates a table without prices, to be filled by [`with_overrides`](Self::with_overrides).
    #[must_use]
    pub fn empty(source: impl Into<String>, date: impl Into<String>) -> Self {
        Self { source: source.into(), date: date.into(), models: BTreeMap::new() }
    }

    /// Returns the built-in table, read on the first call.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<PriceTable> = LazyLock::new(|| {
            // A broken file would be our own mistake; a test reads it, and unknown costs do less harm
            // in a running program than a panic.
            format::read_file(include_str!("prices.json"))
                .unwrap_or_else(|_| PriceTable::empty("none", ""))
        });
        &BUILTIN
    }

    /// Returns this table with the entries of a JSON document added, or put in place of its own.
    ///
    /// Two formats are understood, entry by entry. Ours, in US dollars per *million* tokens:
    ///
    /// ```json
    /// { "models": {
    ///   "acme/house-model": { "input": 0.1, "output": "0.4", "cache_read": 0.01,
    ///     "cache_write": 0.12, "cache_write_1h": 0.2, "reasoning": 0.4,
    ///     "batch": { "input": 0.05 }, "flex": {}, "priority": {},
    ///     "above": { "200000": { "input": 0.2, "output": 0.8 } } },
    ///   "my-vllm/*": { "input": 0, "output": 0 }
    /// } }
    /// ```
    ///
    /// `above` has the rates of the whole request if its input is longer than that many tokens. The
    /// wrapping `models` may be left out. A key without a provider replaces the entry of the company
    /// that made the model, or else holds for the model at any provider that has none of its own.
    /// And LiteLLM's (`model_prices_and_context_window.json`), in US dollars per token, whose entries
    /// without token prices are left out.
    ///
    /// # Errors
    ///
    /// If the text is not JSON, or an entry has a rate that is negative or no number, an unknown key,
    /// or no rate at all. The error names the entry.
    pub fn with_overrides(&self, json: &str) -> Result<Self, PriceError> {
        let mut table = self.clone();
        for (key, price) in overrides::read(json)? {
            let key = names::entry_key(&key, |key| self.models.contains_key(key));
            table.models.insert(key, price);
        }
        Ok(table)
    }

    /// Finds the price of a model, by the rules in the module's documentation.
    ///
    /// The provider may be empty if it is not known.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<&Price> {
        names::find(&self.models, provider, model)
    }

    /// Computes the cost of a usage; unknown, and never zero, if the model has no price.
    ///
    /// It is unknown as well if all of the input or all of the output is unknown and would cost
    /// something. Cache writes are charged at the rate for five minutes, since a usage does not tell
    /// for how long it was written.
    #[must_use]
    pub fn cost(&self, provider: &str, model: &str, usage: &Usage, tier: ServiceTier) -> Cost {
        self.find(provider, model).map_or(Cost::UNKNOWN, |price| price.cost(usage, tier))
    }

    /// Computes the most that a call can cost in US dollars: every token at the dearest rate of any
    /// tier and bucket. `None` if the model has no price.
    #[must_use]
    pub fn upper_bound(
        &self,
        provider: &str,
        model: &str,
        input_tokens: u64,
        output_tokens: u64,
    ) -> Option<Decimal> {
        self.find(provider, model)?.upper_bound(input_tokens, output_tokens)
    }

    /// Returns where the prices come from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the day on which they were taken from there, as `YYYY-MM-DD`.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Tells whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// Writes the table as JSON, one model a line, as [`with_overrides`](Self::with_overrides) reads it.
    #[must_use]
    pub fn to_json(&self) -> String {
        format::write_file(self)
    }
}

impl fmt::Debug for PriceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriceTable")
            .field("source", &self.source)
            .field("date", &self.date)
            .field("len", &self.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use rust_decimal_macros::dec;

    use super::*;

    const USAGE: Usage = Usage {
        input: Some(1000),
        cache_read: Some(2000),
        cache_write: None,
        output: Some(100),
        reasoning: Some(50),
    };

    #[track_caller]
    fn check(provider: &str, model: &str, tier: ServiceTier, expected: Option<Decimal>) {
        let cost = PriceTable::builtin().cost(provider, model, &USAGE, tier);
        assert_eq!(cost.total(), expected, "{provider:?} {model:?} {tier:?}");
    }

    #[test]
    fn the_builtin_table_is_as_we_would_write_it() {
        let json = include_str!("prices.json");
        let table = format::read_file(json).unwrap();
        assert!(table.len() > 1000);
        assert!(table.source().contains("litellm"));
        assert_eq!(table.date().len(), "2026-01-31".len());
        assert!(table.to_json() == json, "prices.json differs, type `cargo xtask prices`");
        assert!(json.len() < 400 * 1024, "prices.json has {} bytes", json.len());
    }

    #[test]
    fn costs_of_well_known_models() {
        // These change only if a provider changes its prices.
        let standard = ServiceTier::Standard;
        check("openai", "gpt-4o-mini", standard, Some(dec!(0.00039)));
        check("openai", "gpt-4o-2024-08-06", standard, Some(dec!(0.0065)));
        check("openai", "gpt-4o", ServiceTier::Priority, Some(dec!(0.01105)));
        check("openai", "gpt-4o", ServiceTier::Batch, Some(dec!(0.0045)));
        check("", "models/gemini-2.5-flash", standard, Some(dec!(0.000735)));
        check("ollama", "gemma3:4b", standard, Some(dec!(0)));
        check("openai", "gpt-nope", standard, None);
        check("acme", "gpt-4o", standard, None);
    }

    #[test]
    fn long_contexts_cost_more() {
        let input = |tokens| Usage { input: Some(tokens), output: Some(0), ..Usage::UNKNOWN };
        let cost = |tokens| {
            let table = PriceTable::builtin();
            table.cost("gemini", "gemini-2.5-pro", &input(tokens), ServiceTier::Standard).total()
        };
        assert_eq!(cost(200_000), Some(dec!(0.25)));
        assert_eq!(cost(200_001), Some(dec!(0.5000025)));
    }

    #[test]
    fn litellms_own_map_overrides_too() {
        let table = PriceTable::builtin()
            .with_overrides(
                r#"{"gpt-4o": {"litellm_provider": "openai", "mode": "chat",
                "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}}"#,
            )
            .unwrap();
        assert_eq!(table.len(), PriceTable::builtin().len());
        let cost = table.cost("openai", "gpt-4o", &USAGE, ServiceTier::Standard);
        assert_eq!(cost.total(), Some(dec!(0.0033)));
        assert_eq!(table.upper_bound("openai", "gpt-4o", 1_000_000, 1_000_000), Some(dec!(3)));
        assert_eq!(table.upper_bound("openai", "gpt-nope", 1, 1), None);
    }
}

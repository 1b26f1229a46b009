//! Under which name a price is found. The rules are told in the documentation of the parent module.

use std::collections::BTreeMap;

use super::rates::Price;

/// Companies that make models and sell them under the models' bare names, in the order of asking.
/// Bedrock is last: its names (`us.anthropic.claude-..`) are like no one else's.
const MAKERS: [&str; 14] = [
    "openai",
    "anthropic",
    "gemini",
    "xai",
    "mistral",
    "deepseek",
    "cohere",
    "moonshot",
    "zai",
    "minimax",
    "ai21",
    "voyage",
    "amazon_nova",
    "bedrock",
];

/// Makers whose models are not served by others, so that OpenRouter charges what they do.
const PASSED_THROUGH: [&str; 4] = ["openai", "anthropic", "gemini", "xai"];

/// Regions in front of Bedrock's names. Not `us-gov.`, which has its own prices.
const BEDROCK_REGIONS: [&str; 7] = ["us.", "eu.", "apac.", "jp.", "au.", "ca.", "global."];

/// The one spelling of a provider, from OpenTelemetry's, LiteLLM's, genai's and its own.
pub(super) fn provider(name: &str) -> String {
    let name = name.trim().to_lowercase().replace(['-', '.', ' '], "_");
    let known = match name.as_str() {
        "open_ai" | "openai_resp" | "openai_responses" | "text_completion_openai" => "openai",
        "claude" => "anthropic",
        "gcp_gemini" | "gcp_gen_ai" | "google" | "google_ai" | "googleai" | "google_genai" => {
            "gemini"
        }
        "gcp_vertex_ai" | "vertex" | "vertexai" | "google_vertex" | "google_vertex_ai" => {
            "vertex_ai"
        }
        "aws_bedrock" | "amazon_bedrock" | "bedrock_api" | "bedrock_converse" => "bedrock",
        "azure_ai_openai" | "az_ai_openai" | "azure_openai" | "azure_text" => "azure",
        "azure_ai_inference" | "az_ai_inference" => "azure_ai",
        "mistral_ai" | "mistralai" => "mistral",
        "x_ai" => "xai",
        "moonshot_ai" | "moonshotai" => "moonshot",
        "z_ai" => "zai",
        "cohere_chat" => "cohere",
        "together" | "togetherai" => "together_ai",
        "fireworks" | "fireworksai" | "fireworks_ai_embedding_models" => "fireworks_ai",
        "ibm_watsonx_ai" | "watsonx_ai" => "watsonx",
        "githubcopilot" => "github_copilot",
        "open_router" => "openrouter",
        "litellm" | "litellm_proxy" => "",
        other if other.starts_with("vertex_ai_") => "vertex_ai",
        other => other,
    };
    known.to_owned()
}

/// The key of an override: `provider/model`, or a bare name, which is the maker's if one has it.
pub(super) fn entry_key(key: &str, exists: impl Fn(&str) -> bool) -> String {
    let key = key.trim().to_lowercase();
    if let Some((prefix, model)) = key.split_once('/') {
        let prefix = if prefix == "*" { prefix.to_owned() } else { provider(prefix) };
        return format!("{prefix}/{model}");
    }
    let of_makers = MAKERS.iter().map(|maker| format!("{maker}/{key}")).find(|key| exists(key));
    of_makers.unwrap_or_else(|| format!("*/{key}"))
}

/// Finds a price by the rules.
pub(super) fn find<'a>(
    models: &'a BTreeMap<String, Price>,
    provider_name: &str,
    model: &str,
) -> Option<&'a Price> {
    let model = model.trim().to_lowercase();
    let model = without_path(&model);
    let provider = provider(provider_name);
    let local =
        || at_provider(models, &provider, model).or_else(|| wildcard(models, &provider, model));
    let price = match provider.as_str() {
        "" => at_any(models, model),
        "openrouter" => local().or_else(|| passed_through(models, model)),
        _ => local(),
    };
    price.or_else(|| models.get(&format!("*/{model}")))
}

/// The price of a model whose provider is not told.
fn at_any<'a>(models: &'a BTreeMap<String, Price>, model: &str) -> Option<&'a Price> {
    if let Some((prefix, rest)) = split_provider(model).filter(|(prefix, _)| !prefix.is_empty()) {
        let named = find(models, &prefix, rest);
        if named.is_some() {
            return named;
        }
    }
    MAKERS.iter().find_map(|maker| at_provider(models, maker, model))
}

fn passed_through<'a>(models: &'a BTreeMap<String, Price>, model: &str) -> Option<&'a Price> {
    let (maker, rest) = split_provider(model)?;
    PASSED_THROUGH.contains(&maker.as_str()).then(|| at_provider(models, &maker, rest))?
}

/// The price of a model under its own name at one provider, or one that means the same.
fn at_provider<'a>(
    models: &'a BTreeMap<String, Price>,
    provider_name: &str,
    model: &str,
) -> Option<&'a Price> {
    let own = split_provider(model).filter(|(prefix, _)| prefix == provider_name);
    let spellings = [Some(model), own.map(|(_, rest)| rest)];
    let names: Vec<String> =
        spellings.into_iter().flatten().flat_map(|name| meanings(provider_name, name)).collect();

    let exact = names.iter().find_map(|name| models.get(&format!("{provider_name}/{name}")));
    exact.or_else(|| {
        names.iter().find_map(|name| newest_snapshot(models, &format!("{provider_name}/{name}")))
    })
}

/// The price of all models of a provider.
fn wildcard<'a>(
    models: &'a BTreeMap<String, Price>,
    provider: &str,
    model: &str,
) -> Option<&'a Price> {
    let in_the_cloud = provider == "ollama" && model.ends_with("cloud");
    models.get(&format!("{provider}/*")).filter(|_| !in_the_cloud)
}

/// The names that a provider's model goes by, the most exact one first.
fn meanings(provider: &str, model: &str) -> Vec<String> {
    let mut names = vec![model.to_owned()];
    if let Some(tuned) = model.strip_prefix("ft:") {
        let base = tuned.split(':').next().unwrap_or(tuned);
        names.push(format!("ft:{base}"));
    }
    if model.contains("claude") && model.contains('.') && provider != "bedrock" {
        names.push(model.replace('.', "-"));
    }
    if provider == "fireworks_ai" && !model.contains('/') {
        names.push(format!("accounts/fireworks/models/{model}"));
    }
    if provider == "bedrock" {
        let region = BEDROCK_REGIONS.iter().find_map(|region| model.strip_prefix(region));
        names.extend(region.map(str::to_owned));
        extend_with(&mut names, |name| name.strip_suffix(":0"));
        extend_with(&mut names, without_version);
    }
    if matches!(provider, "gemini" | "vertex_ai") {
        extend_with(&mut names, without_revision);
    }
    extend_with(&mut names, without_date);
    extend_with(&mut names, |name| name.strip_suffix("-latest"));
    names
}

fn extend_with(names: &mut Vec<String>, shorter: impl Fn(&str) -> Option<&str>) {
    let found: Vec<_> = names.iter().filter_map(|name| shorter(name)).map(str::to_owned).collect();
    names.extend(found);
}

/// The latest dated entry of a name that has no entry without a date.
fn newest_snapshot<'a>(models: &'a BTreeMap<String, Price>, key: &str) -> Option<&'a Price> {
    let entries = models.range(key.to_owned()..).take_while(|(entry, _)| entry.starts_with(key));
    let snapshots = entries.filter(|(entry, _)| {
        let entry = without_version(entry).unwrap_or(entry);
        without_date(entry) == Some(key)
    });
    snapshots.last().map(|(_, price)| price)
}

/// `models/x`, `publishers/google/models/x`, `projects/p/locations/l/publishers/google/models/x` and
/// `arn:aws:bedrock:us-east-1:1:inference-profile/x` give `x`.
fn without_path(model: &str) -> &str {
    let is_google =
        ["models/", "publishers/", "projects/"].iter().any(|path| model.starts_with(path));
    if is_google || model.starts_with("arn:aws") {
        model.rsplit('/').next().unwrap_or(model)
    } else {
        model
    }
}

/// The provider that a model's name starts with: `openai/gpt-4o`, or genai's `openai::gpt-4o`.
fn split_provider(model: &str) -> Option<(String, &str)> {
    // A fine-tuned name has `::` of another meaning in it.
    let tuned = model.starts_with("ft:");
    let namespaced = model.split_once("::").filter(|(prefix, _)| !tuned && !prefix.contains('/'));
    let (prefix, rest) = namespaced.or_else(|| model.split_once('/'))?;
    Some((provider(prefix), without_path(rest)))
}

/// Takes a calendar date off the end: `-2024-08-06`, `-20240806`, `@20240806`.
fn without_date(name: &str) -> Option<&str> {
    let numbers = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = |year: &str, month: &str, day: &str| {
        [year, month, day].into_iter().all(numbers)
            && year.starts_with("20")
            && ("01"..="12").contains(&month)
            && ("01"..="31").contains(&day)
    };

    let compact = || {
        let (base, date) = name.split_at_checked(name.len().checked_sub(8)?)?;
        let base = base.strip_suffix(['-', '@'])?;
        is_date(date.get(..4)?, date.get(4..6)?, date.get(6..)?).then_some(base)
    };
    let dashed = || {
        let (base, date) = name.split_at_checked(name.len().checked_sub(10)?)?;
        let base = base.strip_suffix('-')?;
        let mut parts = date.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        (year.len() == 4 && month.len() == 2 && is_date(year, month, day)).then_some(base)
    };
    compact().or_else(dashed)
}

/// Takes a Bedrock version off the end: `-v1`, `-v2:0`.
fn without_version(name: &str) -> Option<&str> {
    let (base, version) = name.rsplit_once("-v")?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    version.split(':').all(digits).then_some(base)
}

/// Takes Gemini's revision off the end: `-001`.
fn without_revision(name: &str) -> Option<&str> {
    let (base, revision) = name.rsplit_once("-00")?;
    (revision.len() == 1 && revision.bytes().all(|byte| byte.is_ascii_digit())).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::super::{PriceTable, ServiceTier};

    /// A table in which each entry costs a number of its own.
    fn table(keys: &[&str]) -> PriceTable {
        let entries: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(at, key)| format!(r#""{key}":{{"input":{at}}}"#))
            .collect();
        PriceTable::empty("test", "").with_overrides(&format!("{{{}}}", entries.join(","))).unwrap()
    }

    const KEYS: &[&str] = &[
        "openai/gpt-4o",
        "openai/gpt-4o-2024-05-13",
        "openai/gpt-4o-mini",
        "openai/ft:gpt-4o-mini-2024-07-18",
        "azure/gpt-4o",
        "azure/eu/gpt-4o-2024-08-06",
        "gemini/gemini-2.5-flash",
        "vertex_ai/gemini-2.5-flash",
        "anthropic/claude-3-5-sonnet-20240620",
        "anthropic/claude-3-5-sonnet-20241022",
        "anthropic/claude-opus-4-5",
        "vertex_ai/claude-opus-4-5@20251101",
        "bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0",
        "bedrock/amazon.nova-lite-v1:0",
        "bedrock/anthropic.claude-opus-4-6-v1",
        "fireworks_ai/accounts/fireworks/models/deepseek-r1",
        "groq/openai/gpt-oss-120b",
        "ollama/*",
        "mistral/mistral-large",
        "*/house-model",
    ];

    #[track_caller]
    fn check(provider: &str, model: &str, expected: Option<&str>) {
        let table = table(KEYS);
        let expected = expected.map(|key| table.models.get(key).expect("the entry exists"));
        assert_eq!(table.find(provider, model), expected, "{provider:?} {model:?}");
    }

    #[test]
    fn names_that_mean_an_entry() {
        let check = |provider, model, key| check(provider, model, Some(key));
        for (provider, model) in [
            ("openai", "gpt-4o"),
            ("OpenAI", " GPT-4o "),
            ("openai_resp", "openai::gpt-4o"),
            ("openai", "openai/gpt-4o"),
            ("openai", "gpt-4o-2024-08-06"),
            ("openai", "gpt-4o-latest"),
            ("", "gpt-4o"),
            ("", "openai/gpt-4o"),
            ("litellm", "openai/gpt-4o-20990101"),
            ("openrouter", "openai/gpt-4o"),
            ("", "openrouter/openai/gpt-4o"),
        ] {
            check(provider, model, "openai/gpt-4o");
        }
        check("openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13");
        check("azure.ai.openai", "gpt-4o", "azure/gpt-4o");
        check("", "azure/gpt-4o-2024-11-20", "azure/gpt-4o");
        check("azure", "eu/gpt-4o-2024-08-06", "azure/eu/gpt-4o-2024-08-06");
        check("groq", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b");
        check("fireworks", "deepseek-r1", "fireworks_ai/accounts/fireworks/models/deepseek-r1");
        check("ollama", "qwen3:8b", "ollama/*");
        check("", "ollama/llama3", "ollama/*");
        check("anywhere", "house-model", "*/house-model");
    }

    #[test]
    fn fine_tuned() {
        let tuned = "openai/ft:gpt-4o-mini-2024-07-18";
        check("openai", "ft:gpt-4o-mini-2024-07-18:acme::9xYz", Some(tuned));
        check("", "ft:gpt-4o-mini-2024-07-18:acme:shop:9xYz", Some(tuned));
        check("openai", "ft:gpt-4o-mini:acme::9xYz", Some(tuned));
        check("openai", "ft:gpt-4o:acme::9xYz", None);
    }

    #[test]
    fn google() {
        check("gemini", "models/gemini-2.5-flash", Some("gemini/gemini-2.5-flash"));
        check("", "gemini/gemini-2.5-flash", Some("gemini/gemini-2.5-flash"));
        check("", "gemini/models/gemini-2.5-flash-001", Some("gemini/gemini-2.5-flash"));
        check("gcp.vertex_ai", "gemini-2.5-flash", Some("vertex_ai/gemini-2.5-flash"));
        let path = "projects/p/locations/eu/publishers/google/models/gemini-2.5-flash";
        check("vertex", path, Some("vertex_ai/gemini-2.5-flash"));
        check("gemini", "gemini-2.5-flash-lite", None);
        check("gemini", "gemini-2.5-flash-preview-05-20", None);
    }

    #[test]
    fn anthropic_and_bedrock() {
        let newest = "anthropic/claude-3-5-sonnet-20241022";
        check("anthropic", "claude-3-5-sonnet-latest", Some(newest));
        check("anthropic", "claude-3-5-sonnet", Some(newest));
        check("", "anthropic/claude-3-5-sonnet-20990101", Some(newest));
        check("", "openrouter/anthropic/claude-3.5-sonnet", Some(newest));
        check("openrouter", "anthropic/claude-opus-4.5", Some("anthropic/claude-opus-4-5"));
        check("vertex", "claude-opus-4-5", Some("vertex_ai/claude-opus-4-5@20251101"));

        let bedrock = "bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0";
        check("aws.bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", Some(bedrock));
        check("", "eu.anthropic.claude-3-5-sonnet-20241022-v2:0", Some(bedrock));
        check("", "bedrock/us.anthropic.claude-3-5-sonnet-20990101-v1:0", Some(bedrock));
        let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0";
        check("bedrock", arn, Some("bedrock/amazon.nova-lite-v1:0"));
        let opus = "bedrock/anthropic.claude-opus-4-6-v1";
        check("bedrock", "global.anthropic.claude-opus-4-6-v1:0", Some(opus));
        check("bedrock", "us-gov.anthropic.claude-opus-4-6-v1", None);
    }

    #[test]
    fn names_that_mean_nothing() {
        for (provider, model) in [
            ("openai", "gpt-4"),
            ("openai", "gpt-4o-min"),
            ("openai", "gpt-4o-audio"),
            ("openai", ""),
            ("openai", "anthropic/claude-opus-4-5"),
            ("acme", "gpt-4o"),
            ("", "acme/gpt-4o"),
            ("azure", "gpt-4o-mini"),
            ("groq", "gpt-4o"),
            ("openai", "gpt-4o-2024-13-06"),
            ("openrouter", "mistralai/mistral-large"),
            ("openrouter", "openai/gpt-4o:online"),
            ("openai", "gpt-4o-é2024-08"),
            ("ollama", "gpt-oss:120b-cloud"),
            ("", "/"),
            ("", "::"),
        ] {
            check(provider, model, None);
        }
    }

    #[test]
    fn bare_overrides_replace_the_makers_entry() {
        let table = table(KEYS)
            .with_overrides(r#"{"GPT-4o":{"input":77},"vertex/x":{"input":1}}"#)
            .unwrap();
        assert_eq!(table.len(), KEYS.len() + 1);
        let input = |provider, model| {
            let price = table.find(provider, model)?;
            price.rates(ServiceTier::Standard, 0).input
        };
        assert_eq!(input("openai", "gpt-4o"), Some(77.into()));
        assert_eq!(input("azure", "gpt-4o"), Some(4.into()));
        assert_eq!(input("gcp.vertex_ai", "x"), Some(1.into()));
    }
}

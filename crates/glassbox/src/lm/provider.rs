//! The providers: how a model's name says whom to call, and what is particular to each.

use crate::config;
use crate::error::{Error, ErrorKind};
use genai::adapter::AdapterKind;
use secrecy::SecretString;
use url::Url;

/// What is particular to a provider.
#[derive(Debug)]
pub(crate) struct Provider {
    /// The prefix of its models' names: `openai/gpt-4o-mini`.
    pub(crate) prefix: &'static str,
    /// OpenTelemetry's name, as `gen_ai.provider.name` has it.
    pub(crate) otel_name: &'static str,
    /// Which protocol it speaks.
    pub(crate) kind: AdapterKind,
    /// Where it keeps its key, the usual name first; empty if it needs none.
    pub(crate) key_vars: &'static [&'static str],
    /// The variables that name another address.
    pub(crate) url_vars: &'static [&'static str],
    /// Its usual address, to which the protocol's paths are appended.
    pub(crate) base_url: &'static str,
}

impl Provider {
    const fn new(
        prefix: &'static str,
        otel_name: &'static str,
        kind: AdapterKind,
        key_vars: &'static [&'static str],
        url_vars: &'static [&'static str],
        base_url: &'static str,
    ) -> Self {
        Self { prefix, otel_name, kind, key_vars, url_vars, base_url }
    }
}

/// All providers that a model's name can begin with.
const PROVIDERS: [Provider; 14] = {
    use AdapterKind as Kind;
    [
        Provider::new(
            "openai",
            "openai",
            Kind::OpenAI,
            &["OPENAI_API_KEY"],
            &["OPENAI_BASE_URL"],
            "https://api.openai.com/v1/",
        ),
        Provider::new(
            "anthropic",
            "anthropic",
            Kind::Anthropic,
            &["ANTHROPIC_API_KEY"],
            &["ANTHROPIC_BASE_URL"],
            "https://api.anthropic.com/v1/",
        ),
        Provider::new(
            "gemini",
            "gcp.gemini",
            Kind::Gemini,
            &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            &["GEMINI_BASE_URL"],
            "https://generativelanguage.googleapis.com/v1beta/",
        ),
        Provider::new(
            "ollama",
            "ollama",
            Kind::Ollama,
            &[],
            &["OLLAMA_BASE_URL", "OLLAMA_HOST"],
            "http://localhost:11434/",
        ),
        Provider::new(
            "openrouter",
            "openrouter",
            Kind::OpenRouter,
            &["OPENROUTER_API_KEY", "OPEN_ROUTER_API_KEY"],
            &["OPENROUTER_BASE_URL"],
            "https://openrouter.ai/api/v1/",
        ),
        Provider::new(
            "deepseek",
            "deepseek",
            Kind::DeepSeek,
            &["DEEPSEEK_API_KEY"],
            &["DEEPSEEK_BASE_URL"],
            "https://api.deepseek.com/v1/",
        ),
        Provider::new(
            "groq",
            "groq",
            Kind::Groq,
            &["GROQ_API_KEY"],
            &["GROQ_BASE_URL"],
            "https://api.groq.com/openai/v1/",
        ),
        Provider::new(
            "mistral",
            "mistral_ai",
            Kind::Mistral,
            &["MISTRAL_API_KEY"],
            &["MISTRAL_BASE_URL"],
            "https://api.mistral.ai/v1/",
        ),
        Provider::new(
            "xai",
            "x_ai",
            Kind::Xai,
            &["XAI_API_KEY"],
            &["XAI_BASE_URL"],
            "https://api.x.ai/v1/",
        ),
        Provider::new(
            "together",
            "together",
            Kind::Together,
            &["TOGETHER_API_KEY"],
            &["TOGETHER_BASE_URL"],
            "https://api.together.xyz/v1/",
        ),
        Provider::new(
            "fireworks",
            "fireworks",
            Kind::Fireworks,
            &["FIREWORKS_API_KEY"],
            &["FIREWORKS_BASE_URL"],
            "https://api.fireworks.ai/inference/v1/",
        ),
        Provider::new(
            "cohere",
            "cohere",
            Kind::Cohere,
            &["COHERE_API_KEY"],
            &["COHERE_BASE_URL"],
            "https://api.cohere.com/v1/",
        ),
        Provider::new(
            "moonshot",
            "moonshot_ai",
            Kind::Moonshot,
            &["MOONSHOT_API_KEY"],
            &["MOONSHOT_BASE_URL"],
            "https://api.moonshot.cn/v1/",
        ),
        Provider::new(
            "nebius",
            "nebius",
            Kind::Nebius,
            &["NEBIUS_API_KEY"],
            &["NEBIUS_BASE_URL"],
            "https://api.studio.nebius.ai/v1/",
        ),
    ]
};

/// Splits `openai/gpt-4o-mini` into the provider and its name of the model.
pub(crate) fn parse(model: &str) -> Result<(&'static Provider, &str), Error> {
    let error = |message| Err(Error::new(ErrorKind::Config, message));
    if model.trim().is_empty() {
        return error("no model is named: type for instance \"openai/gpt-4o-mini\"".to_owned());
    }
    let Some((prefix, name)) = model.split_once('/') else {
        let guess = guess(model);
        return error(format!(
            "model {model:?} does not name its provider: type \"{guess}/{model}\""
        ));
    };
    if name.trim().is_empty() {
        return error(format!(
            "model {model:?} has no name after its provider: type for instance \"openai/gpt-4o-mini\""
        ));
    }
    let prefix = if prefix == "google" { "gemini" } else { prefix };
    match PROVIDERS.iter().find(|provider| provider.prefix == prefix) {
        Some(provider) => Ok((provider, name)),
        None => error(format!(
            "model {model:?} names an unknown provider {prefix:?}: type one of {}, or \"openai/{name}\" with a base URL \
             for any server that speaks OpenAI's protocol",
            PROVIDERS.each_ref().map(|provider| provider.prefix).join(", ")
        )),
    }
}

fn guess(model: &str) -> &'static str {
    let known = [
        ("claude", "anthropic"),
        ("gemini", "gemini"),
        ("llama", "ollama"),
        ("deepseek", "deepseek"),
        ("mistral", "mistral"),
        ("grok", "xai"),
    ];
    known.iter().find(|(start, _)| model.starts_with(start)).map_or("openai", |(_, prefix)| prefix)
}

impl Provider {
    /// Reads the provider's key from its usual variable. A provider that needs none gets a placeholder.
    pub(crate) fn key_from_env(&self) -> Result<SecretString, Error> {
        let Some(usual) = self.key_vars.first() else { return Ok(SecretString::from(self.prefix)) };
        config::first_of(self.key_vars).map(SecretString::from).ok_or_else(|| {
            let message = format!("{usual} is not set: type `export {usual}=..` with your key, or hand it over with `.api_key(..)`");
            Error::new(ErrorKind::Config, message)
        })
    }

    /// Returns the address to call: the one given, else the environment's, else the usual one.
    pub(crate) fn base_url(&self, given: Option<&str>) -> Result<Url, Error> {
        let from_env = || config::first_of(self.url_vars);
        let text =
            given.map(str::to_owned).or_else(from_env).unwrap_or_else(|| self.base_url.to_owned());
        let schemed = if text.contains("://") { text.clone() } else { format!("http://{text}") };
        // The protocols' paths are appended, so the address has to end in a slash.
        let ended = if schemed.ends_with('/') { schemed } else { format!("{schemed}/") };
        // `https:/host` would be read as the host `https`.
        let lacks_slash = !text.contains("://") && text.contains(":/");
        match Url::parse(&ended) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https") && url.has_host() && !lacks_slash =>
            {
                Ok(url)
            }
            _ => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "base URL {text:?} is not an http(s) address: type for instance {:?}",
                    self.base_url
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_names_its_provider() {
        let (provider, name) = parse("openrouter/anthropic/claude-sonnet-4").unwrap();
        assert_eq!((provider.prefix, name), ("openrouter", "anthropic/claude-sonnet-4"));
        assert_eq!(parse("google/gemini-2.5-flash").unwrap().0.otel_name, "gcp.gemini");
    }

    #[test]
    fn a_mistake_is_told_with_what_to_type() {
        let check = |model: &str, expected: &str| {
            let message = parse(model).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check("gpt-4o-mini", r#"type "openai/gpt-4o-mini""#);
        check("claude-sonnet-4", r#"type "anthropic/claude-sonnet-4""#);
        check("openai/", "has no name after its provider");
        check("opnai/gpt-4o", r#"unknown provider "opnai": type one of openai, anthropic"#);
    }

    #[test]
    fn an_address_ends_in_a_slash_and_is_one() {
        let (openai, _) = parse("openai/x").unwrap();
        assert_eq!(
            openai.base_url(Some("http://localhost:8000/v1")).unwrap().as_str(),
            "http://localhost:8000/v1/"
        );
        assert_eq!(
            openai.base_url(Some("localhost:8000")).unwrap().as_str(),
            "http://localhost:8000/"
        );
        for wrong in ["ftp://x", "http://", "https:/api.openai.com/v1", "not an address"] {
            let message = openai.base_url(Some(wrong)).unwrap_err().to_string();
            assert!(message.contains("is not an http(s) address: type for instance"), "{message}");
        }
    }
}

//! How a model is called: what can be set, and what is checked of it.

use super::account::Account;
use super::hedge::Pace;
use super::provider::{self, Provider};
use super::transport::Transport;
use super::{
    Backend, Cache, CircuitBreaker, DEFAULT_MAX_TOKENS, DEFAULT_TIMEOUT, Hedge, Inner, Limiter,
    Limits, Lm, RetryPolicy,
};
use crate::config;
use crate::error::{Error, ErrorKind};
use glassbox_events::gate::Gate;
use glassbox_trace::price::ServiceTier;
use glassbox_trace::span::Parameters;
use secrecy::{ExposeSecret, SecretString};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Sets how a model is called. What is not set is not sent, except for the output limit.
#[must_use = "`build()` makes the model"]
#[derive(Clone, Debug)]
pub struct LmBuilder {
    model: String,
    api_key: Option<SecretString>,
    base_url: Option<String>,
    parameters: Parameters,
    timeout: Duration,
    retry: RetryPolicy,
    gates: Vec<Arc<dyn Gate>>,
    limits: Limits,
    limiter: Option<Limiter>,
    breaker: Option<CircuitBreaker>,
    hedge: Option<Hedge>,
    cache: Option<Cache>,
    structured: bool,
    calls_tools: bool,
    propagates: bool,
}

impl LmBuilder {
    pub(super) fn new(model: String) -> Self {
        Self {
            model,
            api_key: None,
            base_url: None,
            parameters: Parameters {
                max_tokens: Some(DEFAULT_MAX_TOKENS),
                ..Parameters::default()
            },
            timeout: DEFAULT_TIMEOUT,
            retry: RetryPolicy::default(),
            gates: Vec::new(),
            limits: Limits::default(),
            limiter: None,
            breaker: None,
            hedge: None,
            cache: None,
            structured: true,
            calls_tools: true,
            propagates: false,
        }
    }

    /// Sets the key; by default it is read from the provider's usual variable.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        // A key that was read from a file often ends in a newline.
        self.api_key = Some(SecretString::from(key.into().trim()));
        self
    }

    /// Sets the address to which the protocol's paths are appended, such as `http://localhost:8000/v1`.
    ///
    /// With an address given, a provider's key is optional: local servers seldom want one.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the sampling temperature.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.parameters.temperature = Some(temperature);
        self
    }

    /// Sets nucleus sampling.
    pub fn top_p(mut self, top_p: f64) -> Self {
        self.parameters.top_p = Some(top_p);
        self
    }

    /// Sets the most output tokens, reasoning included; by default [`DEFAULT_MAX_TOKENS`]. A budget reserves them.
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.parameters.max_tokens = Some(tokens);
        self
    }

    /// Sets a seed for sampling.
    pub fn seed(mut self, seed: u64) -> Self {
        self.parameters.seed = Some(seed);
        self
    }

    /// Adds a text at which the model stops.
    pub fn stop_sequence(mut self, text: impl Into<Arc<str>>) -> Self {
        self.parameters.stop_sequences.push(text.into());
        self
    }

    /// Sets the reasoning effort: `low`, `medium`, `high`, or a number of tokens.
    pub fn reasoning_effort(mut self, effort: impl Into<Arc<str>>) -> Self {
        self.parameters.reasoning_effort = Some(effort.into());
        self
    }

    /// Sets the service tier, which decides the price: `flex`, `auto` or `default`.
    pub fn service_tier(mut self, tier: impl Into<Arc<str>>) -> Self {
        self.parameters.service_tier = Some(tier.into());
        self
    }

    /// Streams the answers, so that the time to the first chunk is known. The call still returns the whole answer.
    pub fn stream(mut self, stream: bool) -> Self {
        self.parameters.stream = stream;
        self
    }

    /// Sets how long one attempt may take; by default [`DEFAULT_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets when to try again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Adds a gate that is asked before each attempt, such as a budget shared by all programs with this model.
    pub fn gate(mut self, gate: impl Gate + 'static) -> Self {
        self.gates.push(Arc::new(gate));
        self
    }

    /// Limits what is asked of the provider. All models of the process with the same provider, address and key keep to it
    /// together, at least as strictly as any of them was told to.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps to a limiter of your own instead of the one of the provider and key.
    pub fn limiter(mut self, limiter: &Limiter) -> Self {
        self.limiter = Some(limiter.clone());
        self
    }

    /// Leaves the provider alone for a while when it keeps failing; by default it is asked again and again.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Makes a second attempt beside one that takes long; by default there is none.
    pub fn hedge(mut self, hedge: Hedge) -> Self {
        self.hedge = Some(hedge);
        self
    }

    /// Answers the same request from a cache; by default every request is made.
    pub fn cache(mut self, cache: &Cache) -> Self {
        self.cache = Some(cache.clone());
        self
    }

    /// Decides whether the provider's structured output is used; by default it is, until the provider refuses it.
    pub fn structured_output(mut self, structured: bool) -> Self {
        self.structured = structured;
        self
    }

    /// Decides whether agents use the provider's tool calling; by default they do, until the provider refuses it.
    /// Otherwise they call tools by text, which any model can.
    pub fn tool_calling(mut self, calls_tools: bool) -> Self {
        self.calls_tools = calls_tools;
        self
    }

    /// Sends the trace's id along (`traceparent`), for a gateway of one's own whose spans belong into the same trace.
    /// By default it is not sent: a provider is a third party.
    pub fn propagate_trace_context(mut self, propagate: bool) -> Self {
        self.propagates = propagate;
        self
    }

    /// Makes the model. Nothing is called yet.
    ///
    /// # Errors
    ///
    /// The name has no known provider, the key is not set, an address or parameter is invalid, or the file of
    /// `GLASSBOX_PRICES` cannot be read.
    pub fn build(self) -> Result<Lm, Error> {
        let (provider, model) = provider::parse(&self.model)?;
        let key = self.key(provider)?;
        let base_url = provider.base_url(self.base_url.as_deref())?;
        let service_tier = self.checked_parameters()?;
        let account = Account::of(provider.prefix, &base_url, &key, self.limits.checked()?);
        let limiter = self.limiter.unwrap_or_else(|| account.limiter.clone());
        let transport = Transport::new(provider, model, &key, base_url)?;
        Ok(Lm::of(Inner {
            provider: provider.prefix.into(),
            otel_provider: provider.otel_name.into(),
            model: model.into(),
            full_name: self.model.as_str().into(),
            span_name: format!("chat {model}").into(),
            backend: Backend::Http(Box::new(transport)),
            parameters: self.parameters,
            service_tier,
            timeout: self.timeout,
            retry: self.retry,
            gates: self.gates,
            prices: config::prices()?,
            limiter,
            breaker: self.breaker,
            hedge: self.hedge,
            pace: Pace::for_hedge(self.hedge),
            cache: self.cache,
            structured: AtomicBool::new(self.structured),
            calls_tools: AtomicBool::new(self.calls_tools),
            propagates: self.propagates,
            account,
        }))
    }

    fn key(&self, provider: &Provider) -> Result<SecretString, Error> {
        match (&self.api_key, provider.key_from_env()) {
            (Some(key), _) if key.expose_secret().is_empty() => Err(Error::new(
                ErrorKind::Config,
                "the key handed over with `.api_key(..)` is blank: hand over your key, or leave the call out to take it \
                 from the environment",
            )),
            (Some(key), _) => Ok(key.clone()),
            (None, Err(_)) if self.base_url.is_some() => Ok(SecretString::from("none")),
            (None, from_env) => from_env,
        }
    }

    fn checked_parameters(&self) -> Result<ServiceTier, Error> {
        let wrong = |message: String| Error::new(ErrorKind::Config, message);
        if self.parameters.max_tokens == Some(0) {
            return Err(wrong(
                "max_tokens is 0, so the model could say nothing: type at least 1".to_owned(),
            ));
        }
        if let Some(effort) = &self.parameters.reasoning_effort {
            genai::chat::ReasoningEffort::from_str(effort)
                .map_err(|_| wrong(format!("reasoning effort {effort:?} is unknown: type low, medium, high or a number of tokens")))?;
        }
        let Some(tier) = &self.parameters.service_tier else { return Ok(ServiceTier::Standard) };
        genai::chat::ServiceTier::from_str(tier).map_err(|_| {
            wrong(format!("service tier {tier:?} is unknown: type flex, auto or default"))
        })?;
        Ok(ServiceTier::from_name(tier).unwrap_or(ServiceTier::Standard))
    }
}

//! Language models: whom to call and how. [`Lm`] hides how providers differ.

use crate::config;
use crate::error::{Error, ErrorKind};
use account::Account;
use glassbox_events::context::Context;
use glassbox_events::gate::Gate;
use glassbox_trace::price::{PriceTable, ServiceTier};
use glassbox_trace::span::Parameters;
use hedge::Pace;
use provider::Provider;
use scripted::Script;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use transport::Transport;
use url::Url;

mod provider;
mod request;
mod stream;
mod failure;
mod wire;
mod classify;
mod limit;
mod breaker;
mod account;
mod clients;
mod transport;
mod retry;
mod scripted;
mod cache;
mod record;
mod patience;
mod attempt;
mod hedge;
mod client;
mod embedding;
mod any;

pub use breaker::CircuitBreaker;
pub use cache::{Cache, CachePolicy};
pub use embedding::{EmbeddingModel, EmbeddingModelBuilder};
pub use hedge::Hedge;
pub use limit::{Limiter, Limits};
pub use request::{Finish, Request, Response, ResponseSchema};
pub use retry::{Jitter, RetryPolicy};
pub use scripted::Reply;
pub use stream::{Delta, LmStream, ToolCallDelta};

/// The most output tokens where nothing else is set. There is always a limit, so that a budget can bound a call.
pub const DEFAULT_MAX_TOKENS: u64 = 4096;

/// How long an attempt may take where nothing else is set.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

/// A language model of a provider. Clones share connections and are cheap.
///
/// ```no_run
/// use glassbox::Lm;
/// let lm = Lm::from_env("openai/gpt-4o-mini")?;          // reads OPENAI_API_KEY
/// let local = Lm::builder("openai/qwen3").base_url("http://localhost:8000/v1").api_key("none").build()?;
/// # Ok::<(), glassbox::Error>(())
/// ```
#[derive(Clone)]
pub struct Lm(pub(crate) Arc<Inner>, Arc<[Arc<Inner>]>);

pub(crate) struct Inner {
    /// The provider by its own prefix, as prices know it: `openai`.
    pub(crate) provider: Arc<str>,
    /// The provider by OpenTelemetry's name: `gcp.gemini`.
    pub(crate) otel_provider: Arc<str>,
    /// The model by the provider's name: `gpt-4o-mini`.
    pub(crate) model: Arc<str>,
    /// Both: `openai/gpt-4o-mini`.
    pub(crate) full_name: Arc<str>,
    /// The name of its spans: `chat gpt-4o-mini`.
    pub(crate) span_name: Arc<str>,
    pub(crate) backend: Backend,
    pub(crate) parameters: Parameters,
    pub(crate) service_tier: ServiceTier,
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) gates: Vec<Arc<dyn Gate>>,
    pub(crate) prices: Arc<PriceTable>,
    pub(crate) limiter: Limiter,
    pub(crate) account: Arc<Account>,
    pub(crate) breaker: Option<CircuitBreaker>,
    pub(crate) hedge: Option<Hedge>,
    pub(crate) pace: Pace,
    pub(crate) cache: Option<Cache>,
    /// Whether to ask for structured output; turned off when the provider refuses it.
    structured: AtomicBool,
    /// Whether to use the provider's tool calling; turned off when the provider refuses it.
    calls_tools: AtomicBool,
    /// Whether requests carry the trace's id.
    pub(crate) propagates: bool,
}

#[derive(Debug)]
pub(crate) enum Backend {
    Http(Box<Transport>),
    Script(Script),
}

impl Lm {
    /// Makes a model whose key stands in the provider's usual variable, such as `OPENAI_API_KEY`.
    ///
    /// # Errors
    ///
    /// The name has no known provider, the key is not set, or the provider's base URL variable is no address.
    pub fn from_env(model: &str) -> Result<Self, Error> {
        Self::builder(model).build()
    }

    /// Begins to make a model, named `provider/model`.
    pub fn builder(model: impl Into<String>) -> LmBuilder {
        LmBuilder {
            model: model.into(),
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

    /// Makes a model that answers by a script, for tests: [`Reply`]s in order, JSON values as a signature's fields.
    ///
    /// It needs no network, no key and no price; usage is a quarter of the bytes, cost is unknown.
    ///
    /// ```
    /// use glassbox::Lm;
    /// let lm = Lm::scripted([serde_json::json!({ "answer": "42" })]);
    /// ```
    #[must_use]
    pub fn scripted(replies: impl IntoIterator<Item = impl Into<Reply>>) -> Self {
        let parameters =
            Parameters { max_tokens: Some(DEFAULT_MAX_TOKENS), ..Parameters::default() };
        Self::of(Inner {
            provider: "scripted".into(),
            otel_provider: "scripted".into(),
            model: "scripted".into(),
            full_name: "scripted/scripted".into(),
            span_name: "chat scripted".into(),
            backend: Backend::Script(Script::new(replies)),
            parameters,
            service_tier: ServiceTier::Standard,
            timeout: DEFAULT_TIMEOUT,
            retry: RetryPolicy { initial: Duration::from_millis(1), ..RetryPolicy::default() },
            gates: Vec::new(),
            prices: Arc::new(PriceTable::empty("scripted", "")),
            limiter: Limiter::unlimited(),
            account: Account::alone(),
            breaker: None,
            hedge: None,
            pace: Pace::default(),
            cache: None,
            structured: AtomicBool::new(true),
            calls_tools: AtomicBool::new(true),
            propagates: false,
        })
    }

    fn of(inner: Inner) -> Self {
        Self(Arc::new(inner), Arc::default())
    }

    /// Returns the limiter of the model's provider, address and key, or the one that it was made with.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Returns the model's name with its provider: `openai/gpt-4o-mini`. Of several models it is the first one's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.full_name
    }

    /// Calls the model once, with retries, as one `generation` span. Modules do this for you.
    ///
    /// # Errors
    ///
    /// A gate refused, or every attempt failed; see [`Error`].
    pub async fn generate(&self, request: Request) -> Result<Response, Error> {
        any::generate(self, request, None).await
    }

    /// Calls the model as [`generate`](Self::generate) does, and gives its answer as it comes.
    ///
    /// The stream ends with [`Delta::Done`], which has the whole answer with usage and cost, or with an error. What
    /// fails before the first piece is tried again unseen; after it, the stream says [`Delta::Restarted`] first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), glassbox::Error> {
    /// use glassbox::{Delta, Lm, Message, Request};
    /// let lm = Lm::scripted(["Hello, dear guest!"]);
    /// let mut stream = lm.stream(Request::new([Message::user("Hello!")]));
    /// let mut text = String::new();
    /// while let Some(delta) = stream.next().await {
    ///     match delta? {
    ///         Delta::Text(more) => text.push_str(&more),
    ///         Delta::Restarted => text.clear(),
    ///         Delta::Done(response) => assert_eq!(response.text(), text),
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(text, "Hello, dear guest!");
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(&self, request: Request) -> LmStream {
        let lm = self.clone();
        LmStream::new(|deltas| {
            Context::current()
                .scope(async move { any::generate(&lm, request, Some(&deltas)).await })
        })
    }

    /// Tells whether to let this model call tools by the provider's own protocol.
    pub(crate) fn tool_calling(&self) -> bool {
        self.0.calls_tools.load(Ordering::Relaxed)
    }

    /// Remembers that the provider refuses tools for this model.
    pub(crate) fn no_tool_calling(&self) {
        self.0.calls_tools.store(false, Ordering::Relaxed);
    }

    /// Tells whether to ask this model for structured output.
    pub(crate) fn structured_output(&self) -> bool {
        self.models().all(|model| model.structured.load(Ordering::Relaxed))
    }

    /// Remembers that the provider refuses structured output for this model.
    pub(crate) fn no_structured_output(&self) {
        for model in self.models() {
            model.structured.store(false, Ordering::Relaxed);
        }
    }

    fn models(&self) -> impl Iterator<Item = &Inner> {
        std::iter::once(&self.0).chain(self.1.iter()).map(AsRef::as_ref)
    }
}

impl Inner {
    pub(crate) fn base_url(&self) -> Option<&Url> {
        match &self.backend {
            Backend::Http(transport) => Some(&transport.base_url),
            Backend::Script(_) => None,
        }
    }
}

impl fmt::Debug for Lm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let models: Vec<_> = self.models().map(|model| &*model.full_name).collect();
        f.debug_struct("Lm")
            .field("models", &models)
            .field("backend", &self.0.backend)
            .finish_non_exhaustive()
    }
}

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

//! Language models: whom to call and how. [`Lm`] hides how providers differ.

use crate::error::Error;
use account::Account;
use glassbox_events::context::Context;
use glassbox_events::gate::Gate;
use glassbox_trace::price::{PriceTable, ServiceTier};
use glassbox_trace::span::Parameters;
use hedge::Pace;
use scripted::Script;
use std::fmt;
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
mod builder;

pub use breaker::CircuitBreaker;
pub use builder::LmBuilder;
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
        LmBuilder::new(model.into())
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

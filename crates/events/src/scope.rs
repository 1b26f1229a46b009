//! Scopes: what is set once for all spans below, and the ways to run things at the same time within one.

use crate::bus::Bus;
use crate::context::{Context, Deadline, Inner, Scoped};
use crate::gate::Gate;
use futures::stream::{self, Buffered, Collect, Iter, StreamExt};
use glassbox_trace::span::{RemoteParent, TraceAttributes};
use pin_project_lite::pin_project;
use serde_json::Value;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};
use std::vec;

/// Sets session, user, tags, gates and more for everything that runs inside. The outermost scope is a
/// [`Run`](crate::run::Run): what a stop ends.
///
/// ```
/// # async fn answer() {}
/// # async fn example() {
/// use glassbox_events::{scope::Scope, watch::Budget};
/// let answer = Scope::new().session("s-1").user("u-4").tag("beta").gate(Budget::tokens(10_000)).run(answer()).await;
/// # }
/// ```
#[must_use = "a scope does nothing until something runs in it"]
#[derive(Debug)]
pub struct Scope {
    context: Context,
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

impl Scope {
    /// Begins a scope within the current one.
    pub fn new() -> Self {
        let mut context = Context::current();
        context.edit().begin_run();
        Self { context }
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(self.context.edit());
        self
    }

    fn trace(self, change: impl FnOnce(&mut TraceAttributes)) -> Self {
        self.with(|inner| change(inner.trace_mut()))
    }

    /// Names the traces; by default a trace has the name of its root span.
    pub fn name(self, name: impl Into<Arc<str>>) -> Self {
        self.trace(|trace| trace.name = Some(name.into()))
    }

    /// Sets the conversation.
    pub fn session(self, id: impl Into<Arc<str>>) -> Self {
        self.trace(|trace| trace.session_id = Some(id.into()))
    }

    /// Sets the end user.
    pub fn user(self, id: impl Into<Arc<str>>) -> Self {
        self.trace(|trace| trace.user_id = Some(id.into()))
    }

    /// Adds a tag.
    pub fn tag(self, tag: impl Into<Arc<str>>) -> Self {
        self.trace(|trace| trace.tags.push(tag.into()))
    }

    /// Sets a fact by its key.
    pub fn metadata(self, key: impl Into<Arc<str>>, value: impl Into<Value>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.trace(|trace| {
            trace.metadata.retain(|(other, _)| *other != key);
            trace.metadata.push((key, value));
        })
    }

    /// Sets the environment, such as `production`.
    pub fn environment(self, environment: impl Into<Arc<str>>) -> Self {
        self.trace(|trace| trace.environment = Some(environment.into()))
    }

    /// Sets the release, such as a commit.
    pub fn release(self, release: impl Into<Arc<str>>) -> Self {
        self.trace(|trace| trace.release = Some(release.into()))
    }

    /// Sets the version of the program or experiment.
    pub fn version(self, version: impl Into<Arc<str>>) -> Self {
        self.trace(|trace| trace.version = Some(version.into()))
    }

    /// Goes on with the trace of a request, if its headers `traceparent` and `tracestate` name one; see
    /// [`Context::from_headers`], which tells what the function gets and returns.
    ///
    /// ```
    /// # async fn serve() {}
    /// # async fn example(headers: std::collections::HashMap<String, String>) {
    /// use glassbox_events::scope::Scope;
    /// Scope::new().from_headers(|name| headers.get(name).map(String::as_str)).run(serve()).await;
    /// # }
    /// ```
    pub fn from_headers<'h>(self, header: impl Fn(&str) -> Option<&'h str>) -> Self {
        Self { context: self.context.enter(|| Context::from_headers(header)) }
    }

    /// Goes on with a trace of another process: spans are below its span, and not below the one that is open here.
    pub fn remote_parent(self, parent: RemoteParent) -> Self {
        Self { context: self.context.below(parent) }
    }

    /// Adds a gate, such as a [`Budget`](crate::watch::Budget). A clone of the same budget in other scopes is shared.
    pub fn gate(self, gate: impl Gate + 'static) -> Self {
        self.with(|inner| inner.gates.push(Arc::new(gate)))
    }

    /// Gives what runs in the scope so much time from now on. When it is up, nothing new begins and model calls in
    /// flight are cancelled, as if the run were stopped; what is outside of the scope goes on. Of nested deadlines the
    /// earliest holds.
    ///
    /// ```
    /// # async fn answer() {}
    /// # async fn example() {
    /// use std::time::Duration;
    /// glassbox_events::scope::Scope::new().deadline(Duration::from_secs(30)).run(answer()).await;
    /// # }
    /// ```
    pub fn deadline(self, after: Duration) -> Self {
        let Some(at) = Instant::now().checked_add(after) else { return self };
        self.with(|inner| match inner.deadline {
            Some(outer) if outer.at <= at => (),
            _ => inner.deadline = Some(Deadline { at, after }),
        })
    }

    /// Sends the events to another bus than the process's.
    pub fn bus(self, bus: &Bus) -> Self {
        self.with(|inner| inner.bus = bus.clone())
    }

    /// Carries a value for the framework above this crate, in place of another one of its type; see
    /// [`Context::carried`].
    pub fn carry<T: Send + Sync + 'static>(self, value: Arc<T>) -> Self {
        self.with(|inner| {
            inner.carried.retain(|other| !other.is::<T>());
            inner.carried.push(value as Arc<dyn Any + Send + Sync>);
        })
    }

    /// Runs a future in the scope.
    pub fn run<F: Future>(self, future: F) -> Scoped<F> {
        self.context.scope(future)
    }

    /// Runs a closure in the scope.
    pub fn enter<T>(self, closure: impl FnOnce() -> T) -> T {
        self.context.enter(closure)
    }

    /// Returns the context of what runs in the scope.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }
}

/// Spawns a future on the Tokio runtime, in the current context: its spans belong to the same trace.
///
/// # Panics
///
/// Outside of a Tokio runtime, as [`tokio::spawn`] does.
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(Context::current().scope(future))
}

/// Runs futures at the same time, in the context in which it is awaited, and returns their outputs in order.
pub fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Together<F> {
    parallel(usize::MAX, futures)
}

/// Runs futures in the context in which it is awaited, at most `limit` of them at the same time (at least one), and
/// returns their outputs in order.
///
/// ```
/// # async fn example() {
/// let squares = glassbox_events::scope::parallel(2, (1..=3).map(|n| async move { n * n })).await;
/// assert_eq!(squares, [1, 4, 9]);
/// # }
/// ```
pub fn parallel<F: Future>(limit: usize, futures: impl IntoIterator<Item = F>) -> Together<F> {
    // Collected here, so that the caller's iterator is not held across an await: its closures would keep the
    // future from being `Send`. The context is not taken here but where this is polled, so that
    // `scope.run(parallel(..))` runs in the scope, with its budget.
    let futures: Vec<_> = futures.into_iter().collect();
    Together { outputs: stream::iter(futures).buffered(limit.max(1)).collect() }
}

pin_project! {
    /// Futures that run at the same time; gives their outputs in order.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Together<F: Future> {
        #[pin]
        outputs: Collect<Buffered<Iter<vec::IntoIter<F>>>, Vec<F::Output>>,
    }
}

impl<F: Future> Future for Together<F> {
    type Output = Vec<F::Output>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.project().outputs.poll(task)
    }
}

impl<F: Future> fmt::Debug for Together<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

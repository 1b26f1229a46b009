//! The context: where in a program we are. Immutable, and carried by futures, so that siblings stay siblings and
//! nothing leaks from one request to another.

use crate::bus::Bus;
use crate::clock;
use crate::event::{EventData, SpanContext};
use crate::gate::{Action, Gate, Permit, Request};
use crate::refusal::Refusal;
use crate::run::Run;
use glassbox_trace::span::{Note, TraceAttributes};
use pin_project_lite::pin_project;
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{self, Poll};

/// Where in a program we are: the innermost span, what its trace shares, who listens, who may refuse.
///
/// A context never changes; a scope or a span makes a new one for what is inside. Clones are cheap.
///
/// ```
/// use glassbox_events::context::Context;
/// let context = Context::current();
/// // On a thread of one's own, hand the context over:
/// std::thread::spawn(move || context.enter(|| { /* spans opened here belong to the same trace */ }));
/// ```
#[derive(Clone)]
pub struct Context(Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) span: Option<Arc<SpanContext>>,
    pub(crate) trace: Arc<TraceAttributes>,
    pub(crate) run: Option<Run>,
    pub(crate) bus: Bus,
    pub(crate) gates: Vec<Arc<dyn Gate>>,
    pub(crate) carried: Option<Arc<dyn Any + Send + Sync>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

static ROOT: LazyLock<Context> = LazyLock::new(|| {
    Context(Arc::new(Inner {
        span: None,
        trace: Arc::default(),
        run: None,
        bus: Bus::global(),
        gates: Vec::new(),
        carried: None,
    }))
});

impl Context {
    /// Returns the context that the running future or closure was given, or that of the process.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_else(|| ROOT.clone())
    }

    /// Returns a context that is changed in some way.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner::clone(&self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Returns the context of a new span below this one: of the same trace, or the root of a new one.
    #[must_use]
    pub fn child(&self, name: &Arc<str>) -> Self {
        self.with(|inner| {
            let run = inner.run.get_or_insert_with(Run::new).clone();
            let trace_id = match (&inner.span, &inner.trace.remote_parent) {
                (Some(span), _) => span.trace_id,
                (None, Some(remote)) => remote.trace_id,
                (None, None) => clock::new_trace_id(),
            };
            if inner.trace.name.is_none() {
                let attributes = TraceAttributes {
                    name: Some(Arc::clone(name)),
                    ..TraceAttributes::clone(&inner.trace)
                };
                inner.trace = Arc::new(attributes);
            }
            inner.span = Some(Arc::new(SpanContext {
                trace_id,
                span_id: clock::new_span_id(),
                name: Arc::clone(name),
                parent: inner.span.take(),
                trace: Arc::clone(&inner.trace),
                run,
                notes: Mutex::default(),
            }));
        })
    }

    /// Returns the innermost span.
    #[must_use]
    pub fn span(&self) -> Option<&Arc<SpanContext>> {
        self.0.span.as_ref()
    }

    /// Returns what all spans of the trace share.
    #[must_use]
    pub fn trace(&self) -> &Arc<TraceAttributes> {
        &self.0.trace
    }

    /// Returns the run that a stop would end; `None` outside of every scope and span.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        self.0.run.as_ref()
    }

    /// Returns the bus that events of this context go to.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.0.bus
    }

    /// Returns the value that a scope carries for the framework above, such as a language model to use instead.
    #[must_use]
    pub fn carried<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(self.0.carried.as_ref()?).downcast().ok()
    }

    /// Tells an event of the innermost span; outside of every span there is nothing to tell.
    pub fn emit(&self, data: EventData) {
        if let Some(span) = self.span() {
            self.bus().emit(span, data);
        }
    }

    /// Tells an event of something that went differently than hoped for, and notes it for the innermost span.
    pub fn note(&self, data: EventData, message: impl Into<Arc<str>>) {
        let Some(span) = self.span() else { return };
        span.note(Note {
            at: clock::now(),
            name: data.name().as_str().into(),
            message: message.into(),
        });
        self.bus().emit(span, data);
    }

    /// Asks all gates of the context, and `more` of them, whether an action may begin.
    ///
    /// # Errors
    ///
    /// The first refusal. Outside of every span nothing is refused.
    pub fn ask(&self, action: &Action, more: &[Arc<dyn Gate>]) -> Result<Permit, Refusal> {
        let Some(span) = self.span() else { return Ok(Permit::default()) };
        let gates = self.0.gates.iter().chain(more).map(AsRef::as_ref);
        Permit::ask(gates, &Request { action, span, bus: self.bus() })
    }

    /// Runs a closure in this context.
    pub fn enter<T>(&self, closure: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(self.clone());
        closure()
    }

    /// Gives a future this context: it is current whenever the future runs, on whatever thread.
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped { future, context: self.clone() }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("span", &self.0.span).finish_non_exhaustive()
    }
}

/// Makes a context current until it is dropped, on the same thread.
struct Entered {
    previous: Option<Context>,
    /// Another thread's context must not be restored here.
    not_send: PhantomData<*const ()>,
}

impl Entered {
    fn new(context: Context) -> Self {
        Self { previous: CURRENT.replace(Some(context)), not_send: PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.previous.take());
    }
}

pin_project! {
    /// A future with a [`Context`].
    #[must_use = "futures do nothing unless awaited"]
    #[derive(Debug)]
    pub struct Scoped<F> {
        #[pin]
        future: F,
        context: Context,
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.context.clone());
        this.future.poll(task)
    }
}

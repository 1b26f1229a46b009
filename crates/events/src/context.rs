//! The context: where in a program we are. Immutable, and carried by futures, so that siblings stay siblings and
//! nothing leaks from one request to another.

use crate::bus::Bus;
use crate::clock;
use crate::event::{Event, EventData, Shared, SpanContext};
use crate::gate::{Action, Gate, Permit, Request};
use crate::refusal::Refusal;
use crate::run::{Run, Stop};
use futures::future::{Either, select};
use glassbox_trace::span::{Note, TraceAttributes};
use glassbox_trace::time::Timestamp;
use pin_project_lite::pin_project;
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, pending};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{self, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::sleep_until;

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
pub struct Context {
    span: Option<Arc<SpanContext>>,
    /// All spans of a scope share it, so a span costs a count and no copy.
    scope: Arc<Inner>,
}

/// What a scope sets.
#[derive(Clone)]
pub(crate) struct Inner {
    shared: Arc<Shared>,
    /// Whether the run is one: outside of every scope and span there is none to stop.
    is_run: bool,
    pub(crate) bus: Bus,
    pub(crate) gates: Vec<Arc<dyn Gate>>,
    pub(crate) deadline: Option<Deadline>,
    /// One value of a type at most.
    pub(crate) carried: Vec<Arc<dyn Any + Send + Sync>>,
}

/// When a scope's time is up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// How much time there was, for the message.
    pub(crate) after: Duration,
}

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

static ROOT: LazyLock<Context> = LazyLock::new(|| Context {
    span: None,
    scope: Arc::new(Inner {
        shared: Arc::default(),
        is_run: false,
        bus: Bus::global(),
        gates: Vec::new(),
        deadline: None,
        carried: Vec::new(),
    }),
});

impl Context {
    /// Returns the context that the running future or closure was given, or that of the process.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_else(|| ROOT.clone())
    }

    /// Returns the context of a new span below the current one.
    pub(crate) fn child_of_current(name: &Arc<str>) -> Self {
        // Not by way of `current`, which would count the references of what is only looked at.
        CURRENT.with_borrow(|current| current.as_ref().unwrap_or(&ROOT).child(name))
    }

    /// Lets what the scope sets be changed, for this context alone.
    pub(crate) fn edit(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.scope)
    }

    /// Returns the same context outside of every span.
    pub(crate) fn without_span(self) -> Self {
        Self { span: None, ..self }
    }

    /// Returns the context of a new span below this one: of the same trace, or the root of a new one.
    #[must_use]
    pub fn child(&self, name: &Arc<str>) -> Self {
        let scope = match &self.scope {
            scope if scope.is_run && scope.shared.trace.name.is_some() => Arc::clone(scope),
            scope => Arc::new(scope.of_trace(name)),
        };
        let trace_id = match (&self.span, &scope.shared.trace.remote_parent) {
            (Some(span), _) => span.trace_id,
            (None, Some(remote)) => remote.trace_id,
            (None, None) => clock::new_trace_id(),
        };
        let span = SpanContext {
            trace_id,
            span_id: clock::new_span_id(),
            name: Arc::clone(name),
            parent: self.span.clone(),
            shared: Arc::clone(&scope.shared),
            notes: OnceLock::new(),
        };
        Self { span: Some(Arc::new(span)), scope }
    }

    /// Returns the innermost span.
    #[must_use]
    pub fn span(&self) -> Option<&Arc<SpanContext>> {
        self.span.as_ref()
    }

    /// Returns what all spans of the trace share.
    #[must_use]
    pub fn trace(&self) -> &Arc<TraceAttributes> {
        &self.scope.shared.trace
    }

    /// Returns the run that a stop would end; `None` outside of every scope and span.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        self.scope.is_run.then_some(&self.scope.shared.run)
    }

    /// Returns when the time of the innermost scope with a deadline is up, if there is one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.scope.deadline.map(|deadline| deadline.at)
    }

    /// Returns why nothing more may begin here: the run was stopped, or a scope's time is up.
    #[must_use]
    pub fn stopped(&self) -> Option<Stop> {
        if let Some(stop) = self.run().and_then(Run::stopped) {
            return Some(stop.clone());
        }
        let deadline = self.scope.deadline.filter(|deadline| deadline.at <= Instant::now())?;
        Some(deadline.stop())
    }

    /// Waits until the run is stopped or a scope's time is up, for ever if neither happens. Deadlines need a Tokio
    /// runtime to be waited for; without one they are only looked at when something begins.
    pub async fn until_stopped(&self) -> Stop {
        let run = async {
            match self.run() {
                Some(run) => run.until_stopped().await.clone(),
                None => pending().await,
            }
        };
        let deadline = async {
            match self.scope.deadline {
                Some(deadline) if Handle::try_current().is_ok() => {
                    sleep_until(deadline.at.into()).await;
                    deadline.stop()
                }
                _ => pending().await,
            }
        };
        match select(pin!(run), pin!(deadline)).await {
            Either::Left((stop, _)) | Either::Right((stop, _)) => stop,
        }
    }

    /// Returns the bus that events of this context go to.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.scope.bus
    }

    /// Returns the value of a type that a scope carries for the framework above, such as a language model to use instead.
    #[must_use]
    pub fn carried<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(self.scope.carried.iter().find(|value| value.is::<T>())?).downcast().ok()
    }

    /// Tells an event of the innermost span; outside of every span there is nothing to tell.
    pub fn emit(&self, data: EventData) {
        if let Some(span) = self.span() {
            self.bus().emit(span, data);
        }
    }

    /// Tells an event of the innermost span that somebody asked for, and gives back what happened. What moves in and
    /// out need not be counted.
    pub(crate) fn tell(&mut self, at: Timestamp, data: EventData) -> EventData {
        let Some(span) = self.span.take() else { return data };
        let event = Event { at, span, data };
        self.scope.bus.dispatch(&event);
        self.span = Some(event.span);
        event.data
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
        if let Some(stop) = self.stopped() {
            return Err(Refusal::Stopped(stop));
        }
        let gates = self.scope.gates.iter().chain(more).map(AsRef::as_ref);
        Permit::ask(gates, &Request { action, span, bus: self.bus() })
    }

    /// Runs a closure in this context.
    pub fn enter<T>(&self, closure: impl FnOnce() -> T) -> T {
        let mut context = Some(self.clone());
        let _entered = Entered::new(&mut context);
        closure()
    }

    /// Gives a future this context: it is current whenever the future runs, on whatever thread.
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped { future, context: Some(self.clone()) }
    }
}

impl Deadline {
    fn stop(self) -> Stop {
        Stop::new(format!("its time of {:?} is up", self.after))
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("span", &self.span).finish_non_exhaustive()
    }
}

impl Inner {
    /// Returns what the trace's attributes are, to change them.
    pub(crate) fn trace_mut(&mut self) -> &mut TraceAttributes {
        Arc::make_mut(&mut Arc::make_mut(&mut self.shared).trace)
    }

    /// Begins a run, unless this is within one.
    pub(crate) fn begin_run(&mut self) {
        if !std::mem::replace(&mut self.is_run, true) {
            Arc::make_mut(&mut self.shared).run = Run::new();
        }
    }

    /// Returns the same for a root of this name, by which its trace is called if it has no name of its own.
    fn of_trace(&self, root: &Arc<str>) -> Self {
        let mut inner = self.clone();
        inner.begin_run();
        inner.trace_mut().name.get_or_insert_with(|| Arc::clone(root));
        inner
    }
}

/// Makes a context current until it is dropped, on the same thread. It is moved there and back: a future that is polled
/// a thousand times counts no references.
struct Entered<'a> {
    own: &'a mut Option<Context>,
    previous: Option<Context>,
    /// Another thread's context must not be restored here.
    not_send: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    fn new(context: &'a mut Option<Context>) -> Self {
        let previous = CURRENT.replace(context.take());
        Self { own: context, previous, not_send: PhantomData }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.own = CURRENT.replace(self.previous.take());
    }
}

pin_project! {
    /// A future with a [`Context`].
    #[must_use = "futures do nothing unless awaited"]
    #[derive(Debug)]
    pub struct Scoped<F> {
        #[pin]
        future: F,
        // Away while the future runs.
        context: Option<Context>,
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.context);
        this.future.poll(task)
    }
}

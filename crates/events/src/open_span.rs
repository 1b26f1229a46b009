//! A span that has begun: its start and its end are events. Dropping it unfinished ends it as cancelled.

use crate::clock;
use crate::context::Context;
use crate::event::{EventData, EventName};
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Detail, Span, Status};
use glassbox_trace::time::Timestamp;
use std::fmt;
use std::sync::Arc;

/// Which events tell of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `module.start`, `module.complete`, `module.error`.
    Module,
    /// `llm.request`, `llm.generate`, `llm.error`.
    Llm,
    /// `tool.start`, `tool.complete`, `tool.error`.
    Tool,
}

/// A span that has begun and not yet ended.
///
/// ```
/// use glassbox_events::{context::Context, open_span::{Family, OpenSpan}};
/// use glassbox_trace::span::{Detail, Status};
/// let span = OpenSpan::begin(&Context::current(), Family::Module, &"Step.forward".into(), Detail::Span, None);
/// span.context().clone().enter(|| { /* the work; spans opened here are children */ });
/// span.end(Status::Ok, Some("result".into()));
/// ```
#[must_use = "a span that is dropped ends as cancelled"]
pub struct OpenSpan {
    context: Context,
    family: Family,
    /// Taken when the span ends. What the start told is told of this very span, so it is copied only if somebody kept
    /// that.
    span: Option<Arc<Span>>,
}

impl OpenSpan {
    /// Begins a span below the context's innermost one.
    pub fn begin(
        above: &Context,
        family: Family,
        name: &Arc<str>,
        detail: Detail,
        input: Option<Payload>,
    ) -> Self {
        Self::open(above.child(name), family, name, detail, input)
    }

    /// Begins a span below the current context's innermost one, a little quicker than with [`Context::current`].
    pub fn begin_here(
        family: Family,
        name: &Arc<str>,
        detail: Detail,
        input: Option<Payload>,
    ) -> Self {
        Self::open(Context::child_of_current(name), family, name, detail, input)
    }

    fn open(
        mut context: Context,
        family: Family,
        name: &Arc<str>,
        detail: Detail,
        input: Option<Payload>,
    ) -> Self {
        let start = clock::now();
        let span = context.span().map(|place| {
            Arc::new(Span {
                trace_id: place.trace_id,
                span_id: place.span_id,
                parent_id: place.parent_id(),
                name: Arc::clone(name),
                start,
                end: None,
                status: Status::Ok,
                trace: Arc::clone(place.trace()),
                input,
                output: None,
                notes: Vec::new(),
                detail,
                attributes: Vec::new(),
            })
        });
        let span = match span {
            Some(span) if context.bus().wants(family.start_name()) => {
                context.tell(start, family.start(span)).into_span()
            }
            span => span,
        };
        Self { context, family, span }
    }

    /// Returns the context of what is inside the span.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// Returns when the span began.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.span.as_ref().map(|span| span.start).unwrap_or_default()
    }

    /// Lets the span's fields be filled in before it ends.
    pub fn edit(&mut self, edit: impl FnOnce(&mut Span)) {
        if let Some(span) = &mut self.span {
            edit(Arc::make_mut(span));
        }
    }

    /// Ends the span. Returns it as it was told to subscribers.
    pub fn end(mut self, status: Status, output: Option<Payload>) -> Option<Arc<Span>> {
        self.close(status, output)
    }

    fn close(&mut self, status: Status, output: Option<Payload>) -> Option<Arc<Span>> {
        let mut shared = self.span.take()?;
        let end = clock::now();
        let span = Arc::make_mut(&mut shared);
        span.end = Some(end);
        span.status = status;
        span.notes = self.context.span().map(|place| place.take_notes()).unwrap_or_default();
        if output.is_some() {
            span.output = output;
        }
        let name = self.family.end_name(&shared.status);
        if !self.context.bus().wants(name) {
            return Some(shared);
        }
        self.context.tell(end, self.family.end(shared)).into_span()
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if self.span.is_none() {
            return;
        }
        let status = if std::thread::panicking() {
            Status::error("panic", "the program panicked before the span ended")
        } else {
            Status::error("cancelled", "the call was cancelled before it ended")
        };
        self.close(status, None);
    }
}

impl fmt::Debug for OpenSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSpan").field("span", &self.span).finish_non_exhaustive()
    }
}

impl Family {
    const fn start_name(self) -> EventName {
        match self {
            Self::Module => EventName::ModuleStart,
            Self::Llm => EventName::LlmRequest,
            Self::Tool => EventName::ToolStart,
        }
    }

    const fn end_name(self, status: &Status) -> EventName {
        match (self, status.is_error()) {
            (Self::Module, false) => EventName::ModuleComplete,
            (Self::Module, true) => EventName::ModuleError,
            (Self::Llm, false) => EventName::LlmGenerate,
            (Self::Llm, true) => EventName::LlmError,
            (Self::Tool, false) => EventName::ToolComplete,
            (Self::Tool, true) => EventName::ToolError,
        }
    }

    const fn start(self, span: Arc<Span>) -> EventData {
        match self {
            Self::Module => EventData::ModuleStart(span),
            Self::Llm => EventData::LlmRequest(span),
            Self::Tool => EventData::ToolStart(span),
        }
    }

    fn end(self, span: Arc<Span>) -> EventData {
        match (self, span.status.is_error()) {
            (Self::Module, false) => EventData::ModuleComplete(span),
            (Self::Module, true) => EventData::ModuleError(span),
            (Self::Llm, false) => EventData::LlmGenerate(span),
            (Self::Llm, true) => EventData::LlmError(span),
            (Self::Tool, false) => EventData::ToolComplete(span),
            (Self::Tool, true) => EventData::ToolError(span),
        }
    }
}

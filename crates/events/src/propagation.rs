//! Traces across processes: W3C trace context, taken from the headers of a request and handed on in those of another.
//!
//! `baggage` is left alone: what the program does not ask for is neither read nor sent.

use crate::context::Context;
use glassbox_trace::id::{ParseIdError, SpanId, TraceId};
use glassbox_trace::span::RemoteParent;
use std::sync::Arc;

mod trace_state;

/// The header that names the trace and the span that is asking.
pub const TRACEPARENT: &str = "traceparent";
/// The header with what vendors along the way wish to be handed on.
pub const TRACESTATE: &str = "tracestate";

/// The bit of `trace-flags` that says that the trace may have been recorded.
const SAMPLED: u8 = 1;
/// The length of the fields that every version has: `00-` + 32 + `-` + 16 + `-` + 2.
const LENGTH: usize = 55;

/// Tells why a `traceparent` cannot be used. A new trace is begun then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceparentError {
    /// It has not the form of any version.
    #[error("expected 00-TRACE_ID-SPAN_ID-FLAGS in lowercase hex, found {0:?}")]
    Form(String),
    /// An id is all zero, or is not lowercase hex.
    #[error("{0}")]
    Id(#[from] ParseIdError),
}

/// Reads the headers `traceparent` and `tracestate`, as W3C's specification has them: versions later than 00 by what
/// they share with it; what is not lowercase hex, or all zero, is refused.
///
/// Several `tracestate` headers have to be joined by commas first. One that is malformed, or has more than 32 members,
/// is left out without harm to the trace; one of more than 512 bytes is shortened, its longest members first.
///
/// ```
/// use glassbox_events::propagation::parse;
/// let parent = parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some("vendor=value"))?;
/// assert_eq!(parent.span_id.to_string(), "b7ad6b7169203331");
/// assert!(parent.sampled);
/// # Ok::<(), glassbox_events::propagation::TraceparentError>(())
/// ```
///
/// # Errors
///
/// The `traceparent` is malformed.
pub fn parse(
    traceparent: &str,
    tracestate: Option<&str>,
) -> Result<RemoteParent, TraceparentError> {
    let text = traceparent.trim_matches([' ', '\t']);
    let form = || TraceparentError::Form(text.chars().take(80).collect());
    let known = text.get(..LENGTH).ok_or_else(form)?;
    let mut fields = known.split('-');
    let mut field = || fields.next().unwrap_or_default();
    let (version, trace_id, span_id, flags) = (field(), field(), field(), field());
    let (version, flags) = (byte(version).ok_or_else(form)?, byte(flags).ok_or_else(form)?);
    let more_is_well_formed = match version {
        0 => text.len() == LENGTH,
        // It has no meaning, and never will.
        0xff => false,
        _ => text.len() == LENGTH || text.as_bytes()[LENGTH] == b'-',
    };
    if !more_is_well_formed || fields.next().is_some() {
        return Err(form());
    }
    Ok(RemoteParent {
        trace_id: trace_id.parse()?,
        span_id: span_id.parse()?,
        sampled: flags & SAMPLED != 0,
        trace_state: tracestate.and_then(trace_state::bounded),
    })
}

/// Reads two lowercase hex digits.
fn byte(text: &str) -> Option<u8> {
    let is_lowercase_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == 2 && text.bytes().all(is_lowercase_hex))
        .then(|| u8::from_str_radix(text, 16).ok())?
}

impl Context {
    /// Returns the current context as one that goes on with the trace of a request, if its headers name one:
    /// the spans opened in it are below the caller's span. Headers that name none, or are malformed, change nothing.
    ///
    /// The function gets names in lowercase and returns the header's value. It is a closure, so that any type of
    /// headers will do.
    ///
    /// ```
    /// use glassbox_events::context::Context;
    /// let headers = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    /// let context = Context::from_headers(|name| Some(headers.iter().find(|(other, _)| *other == name)?.1));
    /// context.enter(|| { /* spans opened here belong to the trace 0af76519.. */ });
    /// ```
    #[must_use]
    pub fn from_headers<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Self {
        let current = Self::current();
        let parsed = header(TRACEPARENT).map(|parent| parse(parent, header(TRACESTATE)));
        match parsed {
            Some(Ok(parent)) => current.below(parent),
            Some(Err(error)) => {
                tracing::debug!("a request's traceparent is ignored: {error}");
                current
            }
            None => current,
        }
    }

    /// Returns a context that goes on with a trace of another process. Spans opened in it are not below the span
    /// that this context is in.
    #[must_use]
    pub fn below(&self, parent: RemoteParent) -> Self {
        let mut context = self.clone().without_span();
        context.edit().trace_mut().remote_parent = Some(Arc::new(parent));
        context
    }

    /// Hands the trace on: calls `set` with the name and value of each header that a request to another service
    /// needs, so that its spans come below the innermost one here. Outside of every span and of every trace there is
    /// nothing to hand on.
    ///
    /// The flag `sampled` says whether any destination keeps the trace, so that services which follow it need not
    /// record what nobody will see. Where nothing is exported it is that of the caller, or set without one.
    ///
    /// ```
    /// use glassbox_events::context::Context;
    /// let mut headers = Vec::new();
    /// Context::current().inject(|name, value| headers.push((name, value)));
    /// assert!(headers.is_empty(), "no span is open");
    /// ```
    pub fn inject(&self, mut set: impl FnMut(&'static str, String)) {
        let remote = self.trace().remote_parent.as_deref();
        let (trace_id, span_id): (TraceId, SpanId) = match (self.span(), remote) {
            (Some(span), _) => (span.trace_id, span.span_id),
            (None, Some(remote)) => (remote.trace_id, remote.span_id),
            (None, None) => return,
        };
        // What a trace of our own carries is not another trace's business.
        let remote = remote.filter(|remote| remote.trace_id == trace_id);
        let decided = self.bus().keeps(trace_id, remote);
        let is_sampled = decided.unwrap_or_else(|| remote.is_none_or(|remote| remote.sampled));
        let flags = if is_sampled { SAMPLED } else { 0 };
        set(TRACEPARENT, format!("00-{trace_id}-{span_id}-{flags:02x}"));
        if let Some(state) = remote.and_then(|remote| remote.trace_state.as_ref()) {
            set(TRACESTATE, state.as_ref().to_owned());
        }
    }
}

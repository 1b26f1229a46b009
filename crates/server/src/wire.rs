//! Spans as they came over the wire, read in place: OTLP's protobuf without a copy of anything.
//!
//! A span is kept as the bytes that arrived, so nothing is lost or written anew; this reads them, when they arrive for
//! what lists need, and later for the rest. JSON and Langfuse's events are turned into the same bytes first.
//! Nothing here trusts the bytes: counts are limited, texts need not be UTF-8, values nest to a limit.

mod any;
mod protobuf;
mod request;

pub use any::{Any, Attributes};
pub use request::{Group, groups};

pub use protobuf::WireError;

use protobuf::{Fields, Value, text_of};
use std::borrow::Cow;

/// The most attributes of a span, of an event, of a resource.
pub const MOST_ATTRIBUTES: usize = 1024;

/// The most events and the most links of a span.
pub const MOST_EVENTS: usize = 1024;

/// A span as it arrived.
#[derive(Clone, Debug, Default)]
pub struct WireSpan<'a> {
    /// 16 bytes, not all zero.
    pub trace_id: [u8; 16],
    /// 8 bytes, not all zero.
    pub span_id: [u8; 8],
    /// The parent, if it has one.
    pub parent_id: Option<[u8; 8]>,
    /// What ran.
    pub name: Cow<'a, str>,
    /// When it began, nanoseconds since the epoch; 0 if it was not told.
    pub start_ns: u64,
    /// When it ended, nanoseconds since the epoch; 0 if it was not told.
    pub end_ns: u64,
    /// Whether it failed.
    pub is_error: bool,
    /// What is said of its status.
    pub status_message: Cow<'a, str>,
    /// Whether the parent is in another process.
    pub parent_is_remote: bool,
    /// If this is one of several parts of a span: when it was made, nanoseconds since the epoch.
    pub fragment_at: Option<u64>,
    /// Whether it is no span but what is said of its trace.
    pub is_trace_record: bool,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// What happened meanwhile.
    pub events: Vec<WireEvent<'a>>,
    /// Spans of other traces that it refers to.
    pub links: Vec<LinkIds>,
}

/// The ids of a trace and of a span in it.
pub type LinkIds = ([u8; 16], [u8; 8]);

/// Something that happened during a span.
#[derive(Clone, Debug, Default)]
pub struct WireEvent<'a> {
    /// When, nanoseconds since the epoch.
    pub at_ns: u64,
    /// What.
    pub name: Cow<'a, str>,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

/// Why a span is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// It is no protobuf.
    #[error("the span could not be read: {0}")]
    Malformed(WireError),
    /// The trace id has not 16 bytes, or all are zero.
    #[error(
        "the trace id is not 16 bytes, at least one not zero; in JSON send it as 32 hex digits"
    )]
    TraceId,
    /// The span id has not 8 bytes, or all are zero.
    #[error("the span id is not 8 bytes, at least one not zero; in JSON send it as 16 hex digits")]
    SpanId,
    /// The parent's id is there and has not 8 bytes.
    #[error(
        "the parent's span id is not 8 bytes; leave it out for a root, in JSON send it as 16 hex digits"
    )]
    ParentId,
    /// There are too many of something.
    #[error("more than {limit} {what} on one span; send fewer")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

impl From<WireError> for Unusable {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

/// Our own field, at the beginning of each fragment of a span. Fragments that stand one behind another are one message
/// to protobuf: what comes later wins, attributes add up.
pub const FRAGMENT_FIELD: u32 = 1000;

/// Our own field in what is said of a trace.
pub const TRACE_RECORD_FIELD: u32 = 1001;

/// The flag of a span whose parent is in another process, and the one that says that this is known.
const PARENT_IS_REMOTE: u64 = 0x300;

const STATUS_ERROR: u64 = 2;

impl<'a> WireSpan<'a> {
    /// Reads a span's bytes.
    ///
    /// # Errors
    ///
    /// If they are no span, or one that cannot be kept.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unusable> {
        let mut span = Self::default();
        let mut parent: &[u8] = &[];
        for field in Fields::new(bytes) {
            match field? {
                (1, Value::Bytes(id)) => {
                    span.trace_id = id.try_into().map_err(|_| Unusable::TraceId)?
                }
                (2, Value::Bytes(id)) => {
                    span.span_id = id.try_into().map_err(|_| Unusable::SpanId)?
                }
                (4, Value::Bytes(id)) => parent = id,
                (5, Value::Bytes(text)) => span.name = text_of(text),
                (7, Value::Number(nanos)) => span.start_ns = nanos,
                (8, Value::Number(nanos)) => span.end_ns = nanos,
                (9, Value::Bytes(attribute)) => span.attributes.push(attribute)?,
                (11, Value::Bytes(event)) => {
                    at_most("events", span.events.len(), MOST_EVENTS)?;
                    span.events.push(event_of(event)?);
                }
                (13, Value::Bytes(link)) => {
                    at_most("links", span.links.len(), MOST_EVENTS)?;
                    span.links.extend(link_of(link)?);
                }
                (FRAGMENT_FIELD, Value::Number(at)) => span.fragment_at = Some(at),
                (TRACE_RECORD_FIELD, Value::Number(_)) => span.is_trace_record = true,
                (15, Value::Bytes(status)) => span.status(status)?,
                (16, Value::Number(flags)) => {
                    span.parent_is_remote = flags & PARENT_IS_REMOTE == PARENT_IS_REMOTE;
                }
                _ => (),
            }
        }
        if span.trace_id == [0; 16] {
            return Err(Unusable::TraceId);
        }
        if span.span_id == [0; 8] {
            return Err(Unusable::SpanId);
        }
        if !parent.is_empty() {
            let parent: [u8; 8] = parent.try_into().map_err(|_| Unusable::ParentId)?;
            // Some exporters send zeros for a root.
            span.parent_id = Some(parent).filter(|id| *id != [0; 8]);
        }
        Ok(span)
    }

    fn status(&mut self, bytes: &'a [u8]) -> Result<(), WireError> {
        for field in Fields::new(bytes) {
            match field? {
                (2, Value::Bytes(text)) => self.status_message = text_of(text),
                (3, Value::Number(code)) => self.is_error = code == STATUS_ERROR,
                _ => (),
            }
        }
        Ok(())
    }
}

/// A number in the outermost message.
pub(crate) struct NumberField {
    /// Where it begins.
    pub(crate) at: usize,
    /// Which field it is.
    pub(crate) number: u32,
    /// What it says.
    pub(crate) value: u64,
}

/// Returns the fields with a number in the outermost message, as far as it can be read.
pub(crate) fn fields(bytes: &[u8]) -> impl Iterator<Item = NumberField> {
    let mut fields = Fields::new(bytes);
    std::iter::from_fn(move || {
        loop {
            let at = fields.position(bytes);
            if let (number, Value::Number(value)) = fields.next()?.ok()? {
                return Some(NumberField { at, number, value });
            }
        }
    })
}

/// Returns a span's bytes without some of its events, named by their places, and otherwise as they are.
pub(crate) fn without_events(bytes: &[u8], places: &[usize]) -> Vec<u8> {
    let mut fields = Fields::new(bytes);
    let (mut rest, mut place) = (Vec::with_capacity(bytes.len()), 0);
    loop {
        let from = fields.position(bytes);
        let Some(field) = fields.next() else { return rest };
        let is_event = matches!(field, Ok((11, Value::Bytes(_))));
        if !is_event || !places.contains(&place) {
            rest.extend_from_slice(&bytes[from..fields.position(bytes)]);
        }
        place += usize::from(is_event);
    }
}

fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), Unusable> {
    if count < limit { Ok(()) } else { Err(Unusable::TooMany { what, limit }) }
}

fn event_of(bytes: &[u8]) -> Result<WireEvent<'_>, Unusable> {
    let mut event = WireEvent::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Number(nanos)) => event.at_ns = nanos,
            (2, Value::Bytes(text)) => event.name = text_of(text),
            (3, Value::Bytes(attribute)) => event.attributes.push(attribute)?,
            _ => (),
        }
    }
    Ok(event)
}

/// Reads a link; one whose ids are none is left out, since it leads nowhere.
fn link_of(bytes: &[u8]) -> Result<Option<LinkIds>, WireError> {
    let (mut trace_id, mut span_id) = (None, None);
    for field in Fields::new(bytes) {
        match field? {
            (1, Value::Bytes(id)) => trace_id = id.try_into().ok(),
            (2, Value::Bytes(id)) => span_id = id.try_into().ok(),
            _ => (),
        }
    }
    Ok(trace_id.zip(span_id))
}

#[cfg(test)]
mod tests;

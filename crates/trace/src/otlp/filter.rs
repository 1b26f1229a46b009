//! What a text has to pass before it is written.

use crate::id::{SpanId, TraceId};
use std::borrow::Cow;

/// Decides what of a text may leave the process, and where binary data goes.
///
/// ```
/// use glassbox_trace::otlp::{self, Encoding, Filter, Profile, Resource};
/// use std::borrow::Cow;
///
/// struct NoAcme;
///
/// impl Filter for NoAcme {
///     fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
///         if text.contains("ACME") { text.replace("ACME", "[customer]").into() } else { text.into() }
///     }
/// }
///
/// let resource = Resource::new("shop of ACME");
/// let spans: [glassbox_trace::span::Span; 0] = [];
/// let request = otlp::encode_filtered(&spans, &resource, &Encoding::new(Profile::Langfuse), &NoAcme);
/// assert!(String::from_utf8_lossy(&request.to_json()).contains("shop of [customer]"));
/// ```
pub trait Filter {
    /// Returns what may be written instead of a text. Called once for each string, with escapes decoded.
    fn text<'t>(&self, text: &'t str) -> Cow<'t, str>;

    /// Returns what may be written instead of a value that stands under a key: of a JSON object, or of an attribute. The
    /// key itself is filtered by [`text`](Self::text).
    fn entry<'t>(&self, key: &str, text: &'t str) -> Cow<'t, str> {
        let _ = key;
        self.text(text)
    }

    /// Tells whether it could change a text that stands under a key, if there is one. The text may be JSON: then it speaks
    /// for every string in it, and for every string of JSON in these, none of which has an escape with `\u` or `\/`. What
    /// it could not change is not taken apart, and not filtered. In doubt it says `true`.
    fn may_change(&self, key: Option<&str>, text: &str) -> bool {
        let _ = (key, text);
        true
    }

    /// Returns what is written instead of binary data; `None` for its type, size and hash.
    fn media(&self, media: &Media<'_>) -> Option<String> {
        let _ = media;
        None
    }
}

/// Binary data that was found in a text.
#[derive(Clone, Copy, Debug)]
pub struct Media<'a> {
    /// The trace of the span that holds it.
    pub trace_id: TraceId,
    /// The span that holds it.
    pub span_id: SpanId,
    /// Where in the span it is.
    pub place: Place,
    /// Its type, such as `image/png`.
    pub media_type: &'a str,
    /// The data.
    pub bytes: &'a [u8],
    /// The data's SHA-256.
    pub sha256: [u8; 32],
}

/// Where in a span something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the input, or in messages that were sent.
    Input,
    /// In the output, or in the message that came back.
    Output,
    /// Anywhere else.
    Metadata,
}

//! Attributes of an event by their semantic-convention key, for subscribers that think in keys.

use crate::event::Event;
use glassbox_trace::otlp;
use serde_json::Value;

impl Event {
    /// Returns an attribute of the span that the event begins or ends, by its OpenTelemetry key.
    ///
    /// The keys are those that the span is exported with, and two that the conventions lack and everybody asks for:
    /// `gen_ai.usage.total_tokens` and `gen_ai.usage.cost` (US dollars). Typed fields are quicker:
    /// see [`Event::generation`].
    ///
    /// ```
    /// # fn heard(event: &glassbox_events::event::Event) {
    /// let tokens = event.attribute("gen_ai.usage.total_tokens").and_then(|tokens| tokens.as_u64()).unwrap_or(0);
    /// # }
    /// ```
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<Value> {
        otlp::attribute(self.subject()?, key)
    }
}

//! What has happened when a span is told of: what `event:` in a filter means.

use super::State;
use glassbox_trace::span::Kind;

/// Returns the name that the event has in the stream, and the one that it has in a Glassbox program.
#[must_use]
pub const fn events_of(kind: Kind, state: State) -> [&'static str; 2] {
    let of_program = match (kind, state) {
        (Kind::Generation | Kind::Embedding, State::Running) => "llm.request",
        (Kind::Generation | Kind::Embedding, State::Done) => "llm.generate",
        (Kind::Generation | Kind::Embedding, _) => "llm.error",
        (Kind::Tool, State::Running) => "tool.start",
        (Kind::Tool, State::Done) => "tool.complete",
        (Kind::Tool, _) => "tool.error",
        (_, State::Running) => "module.start",
        (_, State::Done) => "module.complete",
        _ => "module.error",
    };
    let of_stream = if matches!(state, State::Running) { "span_start" } else { "span_end" };
    [of_stream, of_program]
}

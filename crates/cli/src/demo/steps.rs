//! What the agents of a scene did, counted by the spans that the server has kept.

use crate::paint;
use glassbox_server::received::State;
use glassbox_server::view::SpanSummary;
use serde::Serialize;

/// How often agents did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Steps {
    pub(super) agents: u64,
    turns: u64,
    tool_calls: u64,
    tool_errors: u64,
    code_runs: u64,
    code_errors: u64,
}

impl Steps {
    /// Adds what the spans of a trace say.
    pub(super) fn add(&mut self, spans: &[SpanSummary]) {
        for span in spans {
            let failed = u64::from(span.state == State::Error);
            match (span.kind, span.name.as_str()) {
                ("agent", _) => self.agents += 1,
                ("tool", "execute_code") => {
                    self.code_runs += 1;
                    self.code_errors += failed;
                }
                ("tool", _) => {
                    self.tool_calls += 1;
                    self.tool_errors += failed;
                }
                ("span", name) if is_turn(name) => self.turns += 1,
                _ => (),
            }
        }
    }

    /// Writes the counts, if there were any agents.
    pub(super) fn line(self) -> Option<String> {
        let failed = |count: u64| match count {
            0 => String::new(),
            count => format!(" ({} failed)", paint::count(count)),
        };
        let mut parts = vec![
            format!(
                "{} runs of agents in {} turns",
                paint::count(self.agents),
                paint::count(self.turns)
            ),
            format!("{} tool calls{}", paint::count(self.tool_calls), failed(self.tool_errors)),
        ];
        if self.code_runs > 0 {
            let runs = paint::count(self.code_runs);
            parts.push(format!("{runs} runs of code{}", failed(self.code_errors)));
        }
        (self.agents > 0).then(|| parts.join("   "))
    }
}

/// Tells whether a span is a turn of an agent, by its name.
pub(super) fn is_turn(name: &str) -> bool {
    name.strip_prefix("turn ").is_some_and(|number| number.parse::<u32>().is_ok())
}

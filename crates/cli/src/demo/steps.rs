//! What the agents of a scene did, counted by the spans that arrived.

use crate::paint;
use glassbox::trace::span::{Detail, Span};
use serde::Serialize;
use std::sync::Arc;

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
    pub(super) fn of<'a>(spans: impl Iterator<Item = &'a Arc<Span>>) -> Self {
        let mut steps = Self::default();
        for span in spans {
            let failed = u64::from(span.status.is_error());
            match &span.detail {
                Detail::Agent(_) => steps.agents += 1,
                Detail::Tool(tool) if &*tool.name == "execute_code" => {
                    steps.code_runs += 1;
                    steps.code_errors += failed;
                }
                Detail::Tool(_) => {
                    steps.tool_calls += 1;
                    steps.tool_errors += failed;
                }
                Detail::Span if is_turn(span) => steps.turns += 1,
                _ => (),
            }
        }
        steps
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

/// Tells whether a span is a turn of an agent.
pub(super) fn is_turn(span: &Span) -> bool {
    span.name.strip_prefix("turn ").is_some_and(|number| number.parse::<u32>().is_ok())
}

//! Limits: how much a run may use, and which of them stopped it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What the code of one session may use. Memory counts for the session, the rest for each run.
///
/// ```
/// use glassbox_sandbox::Limits;
/// use std::time::Duration;
///
/// let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
/// assert_eq!(limits.memory, 64 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes that the code may hold beyond what an idle worker needs.
    pub memory: usize,
    /// How long a run may take, without the time that it waits for tools.
    pub time: Duration,
    /// Bytes that a run may print; its value is cut to the same size.
    pub output: usize,
    /// How deep calls may nest.
    pub recursion: usize,
    /// How many tools a run may call.
    pub tool_calls: u32,
}

impl Default for Limits {
    /// 64 MiB, 5 s, 64 KiB of output, 400 nested calls, 64 tool calls.
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            time: Duration::from_secs(5),
            output: 64 << 10,
            recursion: 400,
            tool_calls: 64,
        }
    }
}

/// A limit that a run came up against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// It held too much; its worker is replaced, since what held the memory would be there still.
    Memory,
    /// It ran too long.
    Time,
    /// It printed too much.
    Output,
    /// Its calls nested too deep.
    Recursion,
    /// It called too many tools.
    ToolCalls,
}

impl Limit {
    /// Returns its name: `memory`, `time`, `output`, `recursion`, `tool_calls`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Output => "output",
            Self::Recursion => "recursion",
            Self::ToolCalls => "tool_calls",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

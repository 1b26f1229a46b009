//! The names of the events, dotted, as patterns and people spell them.

use std::fmt;

/// Which event it is. The list is closed, so that a pattern is a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventName {
    /// `module.start`
    ModuleStart,
    /// `module.complete`
    ModuleComplete,
    /// `module.error`
    ModuleError,
    /// `llm.request`
    LlmRequest,
    /// `llm.wait`
    LlmWait,
    /// `llm.attempt`
    LlmAttempt,
    /// `llm.first_chunk`
    LlmFirstChunk,
    /// `llm.generate`
    LlmGenerate,
    /// `llm.error`
    LlmError,
    /// `adapter.fallback`
    AdapterFallback,
    /// `adapter.parse_error`
    AdapterParseError,
    /// `adapter.repair`
    AdapterRepair,
    /// `chain_of_thought.reasoning_complete`
    ReasoningComplete,
    /// `budget.threshold`
    BudgetThreshold,
    /// `budget.exceeded`
    BudgetExceeded,
    /// `run.stopped`
    RunStopped,
    /// `llm.fallback`
    LlmFallback,
    /// `tool.start`
    ToolStart,
    /// `tool.complete`
    ToolComplete,
    /// `tool.error`
    ToolError,
    /// `react.iteration_complete`
    ReactIterationComplete,
    /// `react.max_iterations`
    ReactMaxIterations,
    /// `react.context_trimmed`
    ReactContextTrimmed,
    /// `codeact.iteration_complete`
    CodeActIterationComplete,
    /// `codeact.execution`
    CodeActExecution,
    /// `alert.fired`
    AlertFired,
    /// `alert.resolved`
    AlertResolved,
    /// `regression.detected`
    RegressionDetected,
}

impl EventName {
    /// All names, in the order of their bits.
    pub const ALL: [Self; 28] = [
        Self::ModuleStart,
        Self::ModuleComplete,
        Self::ModuleError,
        Self::LlmRequest,
        Self::LlmWait,
        Self::LlmAttempt,
        Self::LlmFirstChunk,
        Self::LlmGenerate,
        Self::LlmError,
        Self::AdapterFallback,
        Self::AdapterParseError,
        Self::AdapterRepair,
        Self::ReasoningComplete,
        Self::BudgetThreshold,
        Self::BudgetExceeded,
        Self::RunStopped,
        Self::LlmFallback,
        Self::ToolStart,
        Self::ToolComplete,
        Self::ToolError,
        Self::ReactIterationComplete,
        Self::ReactMaxIterations,
        Self::ReactContextTrimmed,
        Self::CodeActIterationComplete,
        Self::CodeActExecution,
        Self::AlertFired,
        Self::AlertResolved,
        Self::RegressionDetected,
    ];

    /// Returns the dotted name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ModuleStart => "module.start",
            Self::ModuleComplete => "module.complete",
            Self::ModuleError => "module.error",
            Self::LlmRequest => "llm.request",
            Self::LlmWait => "llm.wait",
            Self::LlmAttempt => "llm.attempt",
            Self::LlmFirstChunk => "llm.first_chunk",
            Self::LlmGenerate => "llm.generate",
            Self::LlmError => "llm.error",
            Self::AdapterFallback => "adapter.fallback",
            Self::AdapterParseError => "adapter.parse_error",
            Self::AdapterRepair => "adapter.repair",
            Self::ReasoningComplete => "chain_of_thought.reasoning_complete",
            Self::BudgetThreshold => "budget.threshold",
            Self::BudgetExceeded => "budget.exceeded",
            Self::RunStopped => "run.stopped",
            Self::LlmFallback => "llm.fallback",
            Self::ToolStart => "tool.start",
            Self::ToolComplete => "tool.complete",
            Self::ToolError => "tool.error",
            Self::ReactIterationComplete => "react.iteration_complete",
            Self::ReactMaxIterations => "react.max_iterations",
            Self::ReactContextTrimmed => "react.context_trimmed",
            Self::CodeActIterationComplete => "codeact.iteration_complete",
            Self::CodeActExecution => "codeact.execution",
            Self::AlertFired => "alert.fired",
            Self::AlertResolved => "alert.resolved",
            Self::RegressionDetected => "regression.detected",
        }
    }

    /// Returns the name's bit in a set of names.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << self as u32
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_bit_and_text() {
        for (at, name) in EventName::ALL.into_iter().enumerate() {
            assert_eq!(name.bit(), 1 << at);
            assert_eq!(
                EventName::ALL.iter().filter(|other| other.as_str() == name.as_str()).count(),
                1
            );
        }
    }
}

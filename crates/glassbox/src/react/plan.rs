//! What a ReAct agent says to a model: worked out once, when the agent is made.

use crate::adapter::Task;
use crate::field::Field;
use crate::signature::{FieldSpec, Signature, object_schema};
use crate::tool::Toolbox;
use glassbox_trace::message::ToolDefinition;
use serde_json::Value;
use std::fmt::Write;
use std::sync::Arc;

/// The tool by which the agent ends. Its arguments are the outputs.
pub(super) const FINISH: &str = "finish";

/// The names of the fields in which a model calls a tool by text, as in DSPy.
pub(super) const NEXT_THOUGHT: &str = "next_thought";
pub(super) const NEXT_TOOL: &str = "next_tool_name";
pub(super) const NEXT_ARGUMENTS: &str = "next_tool_args";
/// The name of the input that tells what was done, when the outputs are asked for at the end.
pub(super) const TRAJECTORY: &str = "trajectory";

const NEXT: &[FieldSpec] = &[
    FieldSpec {
        name: NEXT_THOUGHT,
        description: "What you know by now and what to do next.",
        required: true,
        schema: <String as Field>::schema,
    },
    FieldSpec {
        name: NEXT_TOOL,
        description: "The name of the tool to call, and nothing else.",
        required: true,
        schema: <String as Field>::schema,
    },
    FieldSpec {
        name: NEXT_ARGUMENTS,
        description: "The arguments of the tool: a JSON object.",
        required: true,
        schema: <Value as Field>::schema,
    },
];

/// The words of an agent.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) signature: &'static str,
    pub(super) span_name: Arc<str>,
    /// The system message for a model with tool calling.
    pub(super) system: Arc<str>,
    /// The tools, and `finish`.
    pub(super) offered: Arc<[ToolDefinition]>,
    /// A turn of a model that calls tools by text.
    pub(super) next: Task,
    /// The outputs, taken from what was done.
    pub(super) extract: Task,
    /// The only output, if a text without any form can be it.
    pub(super) only_text: Option<&'static str>,
}

impl Plan {
    pub(super) fn of<S: Signature>(tools: &Toolbox) -> Self {
        let finish = ToolDefinition {
            name: FINISH.into(),
            description:
                "Ends the task with its outputs. Call it alone, once all of them are known.".into(),
            parameters: object_schema(&[], S::OUTPUTS),
        };
        let offered: Arc<[_]> = tools.definitions().iter().cloned().chain([finish]).collect();
        let next = format!("{}\n\n{}", S::INSTRUCTIONS, by_text(&offered));
        let extract = format!(
            "{}\n\nThe steps that were taken for it stand in `{TRAJECTORY}`. Give the outputs that follow from them, as \
             well as they can be known.",
            S::INSTRUCTIONS
        );
        let mut inputs = S::INPUTS.to_vec();
        inputs.push(FieldSpec {
            name: TRAJECTORY,
            description: "The steps that were taken, and what came of them.",
            required: true,
            schema: <String as Field>::schema,
        });
        Self {
            signature: S::NAME,
            span_name: format!("ReAct({})", S::NAME).into(),
            system: system(S::INSTRUCTIONS, S::INPUTS).into(),
            offered,
            next: Task::new(S::NAME, next, S::INPUTS, &[], NEXT),
            extract: Task::new(S::NAME, extract, inputs, &[], S::OUTPUTS),
            only_text: only_text(S::OUTPUTS),
        }
    }
}

/// Returns the name of the output, if there is one and it is a text.
fn only_text(outputs: &'static [FieldSpec]) -> Option<&'static str> {
    let [only] = outputs else { return None };
    let schema = (only.schema)(&mut crate::definitions::Definitions::new());
    let is_text = schema["type"] == "string" && schema.get("enum").is_none();
    is_text.then_some(only.name)
}

fn system(instructions: &str, inputs: &[FieldSpec]) -> String {
    let mut text = format!(
        "{instructions}\n\nWork towards this step by step. In each turn say briefly what you think, and call one or more \
         tools; the calls of one turn run at the same time. When you know the outputs, or can learn no more, call \
         `{FINISH}` with them.\n\nThe input is a JSON object with:\n"
    );
    for field in inputs {
        let separator = if field.description.is_empty() { "" } else { ": " };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- `{}`{separator}{}", field.name, field.description);
    }
    text
}

fn by_text(tools: &[ToolDefinition]) -> String {
    let mut text = format!(
        "Work towards this step by step. In each turn name one tool and its arguments; then you are told what came of \
         it. When you know the outputs, or can learn no more, name `{FINISH}` with them as its arguments. The tools:\n"
    );
    for tool in tools {
        let _ = writeln!(
            text,
            "- `{}`: {}\n  Arguments matching this schema: {}",
            tool.name, tool.description, tool.parameters
        );
    }
    text
}

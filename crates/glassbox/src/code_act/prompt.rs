//! What a CodeAct agent tells its model: the objective, the functions, and what has happened so far.

use crate::signature::Signature;
use crate::tool::Toolbox;
use glassbox_trace::message::ToolDefinition;
use glassbox_trace::payload::Render;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;

/// How much of the history a model is told, in bytes. Where that is more than it can take, less and less is told.
const HISTORY: usize = 100_000;

/// Reach the objective by writing Python, turn by turn. In each turn, write down what you think and the code to run next;
/// its output is told to you in the next turn. Variables and functions live from turn to turn.
///
/// The code runs in a sandbox with a subset of Python 3.14: no files, no network, no packages, no generators, no `match`,
/// no `random`; a method is called and not handed on, so write `key=lambda x: d.get(x)`. Of the standard library there are `math`, `re`, `json`, `datetime`, `itertools`, `functools`,
/// `collections`, `dataclasses` and `typing`. The functions that are given can be called like any other; they return
/// plain values, and raise an exception when they fail.
///
/// Print what you want to see, or end with an expression. Say that you are finished when the history has all that the
/// objective asks for.
#[derive(glassbox::Signature)]
#[allow(dead_code, reason = "the derive reads the fields, and makes others of them")]
pub(super) struct Step {
    /// What is to be reached.
    #[input]
    objective: String,
    /// What the objective is about.
    #[input]
    input: Value,
    /// The functions that the code can call.
    #[input]
    functions: String,
    /// The turns so far.
    #[input]
    history: String,
    /// What you know by now, and what the next step is.
    #[output]
    thought: String,
    /// The Python code to run, without a code fence. Leave it out if nothing is left to be run.
    #[output]
    code: Option<String>,
    /// Whether the objective is reached, with this code if there is any.
    #[output]
    finished: bool,
}

/// Conclude from the history of turns, in which Python code was run to reach the objective. Where the history does not say
/// enough, give the best answer that it allows.
#[derive(glassbox::Signature)]
#[allow(
    dead_code,
    reason = "the derive reads the fields; the outputs are those of the agent's signature"
)]
pub(super) struct Conclusion {
    /// What was to be reached.
    #[input]
    objective: String,
    /// What the objective is about.
    #[input]
    input: Value,
    /// The turns.
    #[input]
    history: String,
    /// Not asked for.
    #[output]
    nothing: Option<String>,
}

/// A turn that was taken.
pub(super) struct Turn {
    pub(super) number: u32,
    pub(super) thought: Option<Arc<str>>,
    pub(super) code: Option<Arc<str>>,
    pub(super) observation: Option<Arc<str>>,
    pub(super) finished: bool,
}

impl Render for Turn {
    fn render(&self) -> Value {
        json!({
            "thought": self.thought.as_deref(),
            "code": self.code.as_deref(),
            "observation": self.observation.as_deref(),
            "finished": self.finished,
        })
    }
}

/// The turns so far, of which the oldest are left out when they are too much.
pub(super) struct History {
    turns: Vec<Arc<Turn>>,
    limit: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { turns: Vec::new(), limit: HISTORY }
    }
}

impl History {
    pub(super) fn push(&mut self, turn: Arc<Turn>) {
        self.turns.push(turn);
    }

    pub(super) fn last_thought(&self) -> Option<Arc<str>> {
        self.turns.last()?.thought.clone()
    }

    /// Tells half as much from now on; `false` if that leaves no more than the last turn.
    pub(super) fn forget(&mut self) -> bool {
        let told = self.text().len();
        self.limit = told / 2;
        self.turns.len() > 1 && self.text().len() < told
    }

    /// Writes the turns down: the newest that fit, and how many are left out.
    pub(super) fn text(&self) -> String {
        let mut texts: Vec<String> = Vec::new();
        let mut length = 0;
        for turn in self.turns.iter().rev() {
            let text = describe(turn);
            length += text.len();
            if length > self.limit && !texts.is_empty() {
                break;
            }
            texts.push(text);
        }
        let left_out = self.turns.len() - texts.len();
        if left_out > 0 {
            texts.push(format!("(The first {left_out} turns are left out.)\n"));
        }
        if texts.is_empty() {
            return "Nothing so far.".to_owned();
        }
        texts.reverse();
        texts.join("\n")
    }
}

fn describe(turn: &Turn) -> String {
    let mut text = format!("Turn {}\n", turn.number);
    // Writing to a String cannot fail.
    if let Some(thought) = &turn.thought {
        let _ = writeln!(text, "Thought: {thought}");
    }
    if let Some(code) = &turn.code {
        let _ = writeln!(text, "Code:\n{code}");
    }
    if let Some(observation) = &turn.observation {
        let _ = writeln!(text, "Result:\n{observation}");
    }
    text
}

/// Writes what is to be reached: the signature's instruction and outputs.
pub(super) fn objective<S: Signature>() -> String {
    let mut text = format!("{}\n\nIn the end you will be asked for:\n", S::INSTRUCTIONS);
    for field in S::OUTPUTS {
        let separator = if field.description.is_empty() { "" } else { ": " };
        let _ = writeln!(text, "- `{}`{separator}{}", field.name, field.description);
    }
    text
}

/// Writes the tools as functions of Python.
pub(super) fn functions(tools: &Toolbox) -> String {
    if tools.is_empty() {
        return "None.".to_owned();
    }
    let definitions = tools.definitions();
    definitions.iter().map(function).collect::<Vec<_>>().join("\n")
}

fn function(tool: &ToolDefinition) -> String {
    let none = serde_json::Map::new();
    let properties = tool.parameters["properties"].as_object().unwrap_or(&none);
    let required = tool.parameters["required"].as_array();
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
    let mut described = String::new();
    let mut parameters = Vec::new();
    for (name, schema) in properties {
        let default = if is_required(name) { "" } else { " = None" };
        parameters.push(format!("{name}: {}{default}", python_type(schema)));
        if let Some(description) = schema["description"].as_str() {
            let _ = writeln!(described, "    {name}: {description}");
        }
    }
    let name = python_name(&tool.name);
    let mut text = format!("def {name}({}):\n", parameters.join(", "));
    for line in tool.description.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text + &described
}

/// Names the type of an argument; one that is no plain type by its schema.
fn python_type(schema: &Value) -> String {
    let of = |name: &str| match name {
        "string" => "str",
        "integer" => "int",
        "number" => "float",
        "boolean" => "bool",
        "array" => "list",
        "object" => "dict",
        "null" => "None",
        _ => "object",
    };
    match (&schema["type"], &schema["enum"]) {
        (_, Value::Array(names)) => {
            let names: Vec<_> = names.iter().map(Value::to_string).collect();
            format!("Literal[{}]", names.join(", "))
        }
        (Value::String(name), _) if name == "array" && !schema["items"].is_null() => {
            format!("list[{}]", python_type(&schema["items"]))
        }
        (Value::String(name), _) if name == "object" && !schema["properties"].is_null() => {
            schema.to_string()
        }
        (Value::String(name), _) => of(name).to_owned(),
        (Value::Array(names), _) => {
            names.iter().filter_map(Value::as_str).map(of).collect::<Vec<_>>().join(" | ")
        }
        _ => schema.to_string(),
    }
}

/// Names a tool so that Python can call it.
pub(super) fn python_name(tool: &str) -> String {
    let name = tool.replace('-', "_");
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// Takes the code out of a step, and out of the fence that models like to put around it.
pub(super) fn code_of(step: &StepOutput) -> Option<Arc<str>> {
    let code = step.code.as_deref()?.trim_matches(['\n', '\r']).trim_end();
    let inner = code.trim_start().strip_prefix("```").and_then(|code| code.strip_suffix("```"));
    let code = match inner {
        // The first line is the fence's language.
        Some(fenced) => fenced.split_once('\n').map_or("", |(_, code)| code).trim_end(),
        None => code,
    };
    (!code.trim().is_empty()).then(|| code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_taken_out_of_its_fence() {
        let code = |code: &str| {
            let step =
                StepOutput { thought: String::new(), code: Some(code.to_owned()), finished: false };
            code_of(&step).map(|code| code.to_string())
        };
        assert_eq!(code("x = 1\nx").as_deref(), Some("x = 1\nx"));
        assert_eq!(code("```python\nif x:\n    y\n```").as_deref(), Some("if x:\n    y"));
        assert_eq!(code("\n```\nx\n```\n").as_deref(), Some("x"));
        assert_eq!((code(""), code(" \n"), code("```python\n```")), (None, None, None));
    }

    #[test]
    fn the_oldest_turns_are_left_out_and_that_is_said() {
        let turn = |number| {
            let code = Some("x".repeat(100).into());
            Arc::new(Turn { number, thought: None, code, observation: None, finished: false })
        };
        let mut history = History::default();
        assert_eq!(history.text(), "Nothing so far.");
        (1..=4).for_each(|number| history.push(turn(number)));
        for expected in [
            "(The first 2 turns are left out.)\n\nTurn 3",
            "(The first 3 turns are left out.)\n\nTurn 4",
        ] {
            assert!(history.forget());
            assert!(history.text().starts_with(expected), "{}", history.text());
        }
        assert!(!history.forget());
    }

    #[test]
    fn tools_are_described_as_functions() {
        let tool = ToolDefinition {
            name: "find-pages".into(),
            description: "Finds pages.".into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "query": { "type": "string", "description": "Some words." },
                    "kinds": { "type": "array", "items": { "enum": ["a", "b"], "type": "string" } },
                    "limit": { "type": ["integer", "null"] },
                },
                "required": ["query", "kinds"],
            }),
        };
        insta::assert_snapshot!(function(&tool), @r#"
        def find_pages(query: str, kinds: list[Literal["a", "b"]], limit: int | None = None):
            Finds pages.
            query: Some words.
        "#);
    }
}

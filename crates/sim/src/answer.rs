//! What the model answers: composed from the script or made up, then spoiled by a fault, then cut to the length allowed.

use rand::rngs::StdRng;
use serde_json::{Map, Value};

use crate::ask::{Ask, Choice, Shape, Tool};
use crate::fault::Fault;
use crate::markers;
use crate::prose;
use crate::schema;
use crate::script::{Entry, Script, ToolCall};
use crate::tokens;

/// A finished answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) content: Content,
    pub(crate) finish: Finish,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Text(String),
    /// Calls of tools, with what the model says before them, often nothing.
    Calls {
        text: String,
        calls: Vec<Call>,
    },
    /// The text with which the model refuses.
    Refusal(String),
}

/// A call of a tool, its arguments as JSON text, which may have been cut.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// Why the answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    ToolCalls,
    Filtered,
}

impl Answer {
    /// The answer's length.
    pub(crate) fn tokens(&self) -> u64 {
        match &self.content {
            Content::Text(text) | Content::Refusal(text) => tokens::count(text),
            Content::Calls { text, calls } => {
                let call = |call: &Call| tokens::count(&call.name) + tokens::count(&call.arguments);
                tokens::count(text) + calls.iter().map(call).sum::<u64>()
            }
        }
    }

    /// Cuts the answer to at most this length.
    fn cut(&mut self, most: u64) {
        let cut = match &mut self.content {
            Content::Text(text) | Content::Refusal(text) => tokens::cut(text, most),
            Content::Calls { text, calls } => {
                let mut was_cut = tokens::cut(text, most);
                let mut left = most - tokens::count(text);
                for call in calls.iter_mut() {
                    left = left.saturating_sub(tokens::count(&call.name));
                    was_cut |= tokens::cut(&mut call.arguments, left);
                    left -= tokens::count(&call.arguments);
                }
                was_cut
            }
        };
        if cut {
            self.finish = Finish::Length;
        }
    }
}

/// Answers a request.
pub(crate) fn answer(
    ask: &Ask,
    script: &Script,
    fault: Option<&Fault>,
    rng: &mut StdRng,
) -> Answer {
    let draft = draft(ask, script.find(ask.user_messages()), rng);
    let draft = match fault {
        Some(Fault::Prose) => Draft::Text(prose::paragraph(rng)),
        Some(Fault::Empty) => Draft::Text(String::new()),
        Some(Fault::WrongTypes) => draft.with_wrong_types(),
        _ => draft,
    };
    let mut answer = draft.finished();
    match fault {
        Some(Fault::TruncatedJson) => {
            let finish = answer.finish;
            answer.cut(answer.tokens() / 2);
            answer.finish = finish;
        }
        Some(Fault::Length) => answer.cut(answer.tokens() / 2),
        Some(Fault::ContentFilter) => {
            let refusal = "I'm sorry, I can't assist with that request.".to_owned();
            answer = Answer { content: Content::Refusal(refusal), finish: Finish::Filtered };
        }
        _ => {}
    }
    if let Some(most) = ask.max_tokens {
        answer.cut(most);
    }
    answer
}

/// An answer whose values are still values.
enum Draft {
    Text(String),
    Json(Value),
    Fields(Vec<(String, Value)>),
    Calls { text: String, calls: Vec<(String, Value)> },
}

fn draft(ask: &Ask, entry: Option<&Entry>, rng: &mut StdRng) -> Draft {
    let none = Map::new();
    let fields = entry.map_or(&none, |entry| &entry.fields);
    let wanted = wanted_calls(ask, entry);
    if !wanted.is_empty() {
        let thoughts =
            wanted.iter().filter_map(|(_, scripted)| scripted.as_ref()?.thought.as_deref());
        let text = thoughts.collect::<Vec<_>>().join(" ");
        let call = |(tool, scripted): (&Tool, Option<&ToolCall>)| {
            let arguments = scripted.map_or_else(
                || schema::fill(&tool.schema, fields, rng),
                |call| call.arguments.clone(),
            );
            (tool.name.clone(), arguments)
        };
        return Draft::Calls { text, calls: wanted.into_iter().map(call).collect() };
    }
    match &ask.shape {
        Shape::Schema { schema, .. } => {
            return Draft::Json(with_text(schema::fill(schema, fields, rng), schema, entry));
        }
        Shape::Json => {
            let described = schema_within(&ask.system)
                .or_else(|| ask.user_messages().rev().find_map(schema_within));
            return Draft::Json(match described {
                Some(schema) => schema::fill(&schema, fields, rng),
                None if !fields.is_empty() => Value::Object(fields.clone()),
                None => Value::Object(Map::from_iter([(
                    "answer".to_owned(),
                    Value::from(text(entry, rng)),
                )])),
            });
        }
        Shape::Text => {}
    }
    match markers::wanted(ask) {
        Some(names) if names.iter().any(|name| name == markers::TOOL_NAME) => {
            let fields = markers::call(ask, entry).unwrap_or_else(|| fields.clone());
            Draft::Fields(markers::values(names, &fields, "", rng))
        }
        Some(names) => Draft::Fields(markers::values(names, fields, &ask.system, rng)),
        None => Draft::Text(text(entry, rng)),
    }
}

/// The tools to call now, each with its call in the script, if it is scripted.
fn wanted_calls<'a>(
    ask: &'a Ask,
    entry: Option<&'a Entry>,
) -> Vec<(&'a Tool, Option<&'a ToolCall>)> {
    let tool = |name: &str| ask.tools.iter().find(|tool| tool.name == name);
    let first = || ask.tools.first().map(|tool| (tool, None)).into_iter().collect();
    let next = entry.map(|entry| entry.turn(ask.rounds())).unwrap_or_default();
    let scripted = next.iter().filter_map(|call| Some((tool(&call.tool)?, Some(call))));
    let scripted: Vec<_> = scripted.collect();
    match &ask.choice {
        Choice::None => Vec::new(),
        Choice::Named(name) => match scripted.into_iter().find(|(tool, _)| tool.name == *name) {
            Some(call) => vec![call],
            None => tool(name).map(|tool| (tool, None)).into_iter().collect(),
        },
        Choice::Required if scripted.is_empty() => first(),
        // Without a script, the model tries its first tool once and then answers.
        Choice::Auto if entry.is_none() && ask.rounds() == 0 => first(),
        Choice::Required | Choice::Auto => scripted,
    }
}

/// Puts a scripted text into an object that consists of one text.
fn with_text(mut object: Value, schema: &Value, entry: Option<&Entry>) -> Value {
    let text = entry.filter(|entry| entry.fields.is_empty()).and_then(Entry::plain_text);
    let only = schema
        .get("properties")
        .and_then(Value::as_object)
        .filter(|properties| properties.len() == 1);
    if let (Some(text), Some((name, property))) =
        (text, only.and_then(|properties| properties.iter().next()))
        && property.get("type") == Some(&Value::from("string"))
    {
        object[name] = Value::from(text);
    }
    object
}

fn text(entry: Option<&Entry>, rng: &mut StdRng) -> String {
    entry.and_then(Entry::plain_text).map_or_else(|| prose::paragraph(rng), str::to_owned)
}

/// The first JSON Schema of an object that a prompt contains.
fn schema_within(text: &str) -> Option<Value> {
    // A schema's text begins with one of a few keywords; trying every brace would take quadratic time.
    let starts = text.match_indices('{').filter(|(at, _)| {
        let next = text[at + 1..].trim_start();
        ["\"type\"", "\"$schema\"", "\"properties\"", "\"title\"", "\"$defs\"", "\"description\""]
            .iter()
            .any(|key| next.starts_with(key))
    });
    let parsed = starts.take(32).filter_map(|(at, _)| {
        serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>().next()?.ok()
    });
    parsed.into_iter().find(|value| value.get("properties").is_some_and(Value::is_object))
}

impl Draft {
    fn finished(self) -> Answer {
        let (content, finish) = match self {
            Self::Text(text) => (Content::Text(text), Finish::Stop),
            Self::Json(value) => (Content::Text(value.to_string()), Finish::Stop),
            Self::Fields(fields) => (Content::Text(markers::render(&fields)), Finish::Stop),
            Self::Calls { text, calls } => {
                let call = |(name, arguments): (String, Value)| Call {
                    name,
                    arguments: arguments.to_string(),
                };
                let calls = calls.into_iter().map(call).collect();
                (Content::Calls { text, calls }, Finish::ToolCalls)
            }
        };
        Answer { content, finish }
    }

    fn with_wrong_types(self) -> Self {
        let wrong_field = |(name, value): (String, Value)| match value {
            // Whatever stands between two markers is text, so text cannot be of a wrong type.
            Value::String(text) => (name, Value::String(text)),
            value => (name, wrong(&value)),
        };
        match self {
            Self::Text(text) => Self::Text(text),
            Self::Json(value) => Self::Json(each_wrong(&value)),
            Self::Fields(fields) => Self::Fields(fields.into_iter().map(wrong_field).collect()),
            Self::Calls { text, calls } => {
                let calls =
                    calls.into_iter().map(|(name, arguments)| (name, each_wrong(&arguments)));
                Self::Calls { text, calls: calls.collect() }
            }
        }
    }
}

/// Replaces each value of an object by one of another type.
fn each_wrong(value: &Value) -> Value {
    match value {
        Value::Object(object) if !object.is_empty() => {
            Value::Object(object.iter().map(|(name, value)| (name.clone(), wrong(value))).collect())
        }
        value => wrong(value),
    }
}

fn wrong(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::Array(vec![Value::from(12)]),
        Value::Null => Value::Array(Vec::new()),
        Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Value::from("a value of the wrong type")
        }
    }
}

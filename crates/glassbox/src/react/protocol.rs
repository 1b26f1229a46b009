//! The two ways in which a model calls tools: by the provider's own protocol, and by text.

use crate::adapter;
use crate::lm::{Request, Response};
use crate::react::conversation::Conversation;
use crate::react::plan::{NEXT_ARGUMENTS, NEXT_THOUGHT, NEXT_TOOL, Plan};
use glassbox_events::event::ReactCall;
use glassbox_trace::message::{Message, Part, Role, ToolCall, ToolResult};
use serde_json::{Map, Value};
use std::sync::Arc;

/// How a model calls tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// By the provider's protocol, several at once.
    Native,
    /// By field markers, one a turn.
    Text,
}

/// What a model said in a turn.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) thought: Option<Arc<str>>,
    pub(super) calls: Vec<ToolCall>,
    /// Why a call by text could not be read.
    pub(super) unreadable: Option<String>,
}

impl Protocol {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Native => "tool calling",
            Self::Text => "tool calls by text",
        }
    }

    /// Writes the first messages.
    pub(super) fn opening(self, plan: &Plan, input: &Value) -> Vec<Message> {
        match self {
            Self::Native => {
                vec![Message::system(Arc::clone(&plan.system)), Message::user(input.to_string())]
            }
            Self::Text => adapter::marked_prompt(&plan.next, input),
        }
    }

    pub(super) fn request(self, plan: &Plan, conversation: &Conversation) -> Request {
        let tools = match self {
            Self::Native => Arc::clone(&plan.offered),
            Self::Text => Arc::default(),
        };
        Request { messages: conversation.messages(), tools, ..Request::default() }
    }

    /// Reads what the model said.
    pub(super) fn read(self, plan: &Plan, response: &Response) -> Step {
        let text = response.text();
        let said = |text: &str| (!text.trim().is_empty()).then(|| text.trim().into());
        match self {
            Self::Native => {
                let calls = response.tool_calls().cloned().collect();
                Step { thought: said(&text), calls, unreadable: None }
            }
            Self::Text => match marked_call(plan, &text) {
                Ok((thought, call)) => {
                    Step { thought: said(&thought), calls: vec![call], unreadable: None }
                }
                Err(unreadable) => {
                    Step { thought: said(&text), calls: Vec::new(), unreadable: Some(unreadable) }
                }
            },
        }
    }

    /// Writes down a turn with calls: what the model said, and what came of each call.
    pub(super) fn answer(
        self,
        plan: &Plan,
        said: Message,
        ids: &[Arc<str>],
        calls: &[ReactCall],
    ) -> Vec<Message> {
        match self {
            Self::Native => {
                let result = |(id, call): (&Arc<str>, &ReactCall)| {
                    let result = Value::from(call.observation.as_ref());
                    Part::ToolResult(ToolResult { id: Arc::clone(id), result })
                };
                let parts = ids.iter().zip(calls).map(result).collect();
                vec![said, Message { role: Role::Tool, parts }]
            }
            Self::Text => {
                let observations: Vec<_> =
                    calls.iter().map(|call| call.observation.as_ref()).collect();
                vec![
                    said,
                    self.tell(
                        plan,
                        &format!("[[ ## observation ## ]]\n{}", observations.join("\n")),
                    ),
                ]
            }
        }
    }

    /// Writes a message that tells the model something and asks it to go on.
    pub(super) fn tell(self, plan: &Plan, text: &str) -> Message {
        match self {
            Self::Native => Message::user(text),
            Self::Text => {
                Message::user(format!("{text}\n\n{}", adapter::marked_request(&plan.next)))
            }
        }
    }
}

/// Reads a thought and a call below field markers.
fn marked_call(plan: &Plan, text: &str) -> Result<(String, ToolCall), String> {
    let fields = adapter::read_marked(&plan.next, text)?;
    let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    // Models quote names, and some write them as a call.
    let name = field(NEXT_TOOL).trim().trim_matches(['`', '"', '\'']).trim_end_matches("()");
    if name.is_empty() {
        return Err(format!("the field {NEXT_TOOL} is empty"));
    }
    let arguments = match fields.get(NEXT_ARGUMENTS) {
        Some(Value::String(text)) if text.trim().is_empty() => Value::Object(Map::new()),
        Some(Value::String(text)) => {
            adapter::object_within(text).map_or_else(|| Value::from(text.as_str()), Value::Object)
        }
        Some(arguments) => arguments.clone(),
        None => Value::Object(Map::new()),
    };
    let call = ToolCall { id: "".into(), name: name.into(), arguments };
    Ok((field(NEXT_THOUGHT).to_owned(), call))
}

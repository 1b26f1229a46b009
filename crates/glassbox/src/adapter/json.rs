//! The format for providers that enforce a JSON schema: inputs and outputs are JSON objects.

use super::{Read, Shot, Task, lenient};
use crate::signature::FieldSpec;
use glassbox_trace::message::Message;
use serde_json::Value;
use std::fmt::Write;
use std::sync::Arc;

pub(super) fn messages(task: &Task, shots: &[Shot], input: &Value) -> Vec<Message> {
    let instructions = task.json_instructions.get_or_init(|| instructions(task).into());
    let mut messages = vec![Message::system(Arc::clone(instructions))];
    for shot in shots {
        messages.push(Message::user(shot.input.to_string()));
        messages.push(Message::assistant(shot.output.to_string()));
    }
    messages.push(Message::user(input.to_string()));
    messages
}

pub(super) fn read(_task: &Task, text: &str) -> Result<Read, String> {
    let (fields, repair) = lenient::object(text)?;
    Ok(Read { fields, repair })
}

fn instructions(task: &Task) -> String {
    let mut text = format!("{}\n\nThe input is a JSON object with:\n", task.instructions);
    list(&mut text, task.inputs.iter());
    text.push_str("\nAnswer with a JSON object with, in this order:\n");
    list(&mut text, task.answers());
    text
}

fn list<'a>(text: &mut String, fields: impl Iterator<Item = &'a FieldSpec>) {
    for field in fields {
        let separator = if field.description.is_empty() { "" } else { ": " };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- `{}`{separator}{}", field.name, field.description);
    }
}

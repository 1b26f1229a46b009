//! The format for any model that can chat: each field stands below a marker such as `[[ ## answer ## ]]`, as in DSPy.

use super::{Read, Shot, Task, lenient};
use crate::definitions::Definitions;
use crate::signature::FieldSpec;
use crate::stream::fields::marked;
use glassbox_trace::message::Message;
use serde_json::{Map, Value};
use std::fmt::Write;

const COMPLETED: &str = "completed";

pub(super) fn messages(task: &Task, shots: &[Shot], input: &Value) -> Vec<Message> {
    let mut messages = vec![Message::system(instructions(task))];
    for shot in shots {
        messages.push(Message::user(question(task, &shot.input)));
        messages
            .push(Message::assistant(fields(task.answers(), &shot.output) + &marker(COMPLETED)));
    }
    messages.push(Message::user(question(task, input)));
    messages
}

/// Reads the fields below their markers. A model that answers in JSON all the same is understood too.
pub(super) fn read(task: &Task, text: &str) -> Result<Read, String> {
    let fields = sections(text);
    if task.answers().any(|field| fields.contains_key(field.name)) {
        return Ok(Read { fields, repair: None });
    }
    let Ok((fields, _)) = lenient::object(text) else {
        return Err(format!("expected the field marker {}, found none", first_marker(task)));
    };
    Ok(Read { fields, repair: Some("read JSON where field markers were asked for") })
}

fn sections(text: &str) -> Map<String, Value> {
    let mut fields: Map<String, Value> = Map::new();
    let mut name: Option<String> = None;
    let mut value = String::new();
    let mut close = |name: &mut Option<String>, value: &mut String| {
        if let Some(name) = name.take() {
            fields.entry(name).or_insert_with(|| Value::String(value.trim().to_owned()));
        }
        value.clear();
    };
    for line in text.lines() {
        match marked(line) {
            Some((found, rest)) => {
                close(&mut name, &mut value);
                name = Some(found.to_owned());
                value.push_str(rest);
            }
            None => {
                value.push_str(line);
            }
        }
        value.push('\n');
    }
    close(&mut name, &mut value);
    fields.remove(COMPLETED);
    fields
}

fn marker(name: &str) -> String {
    format!("[[ ## {name} ## ]]")
}

fn first_marker(task: &Task) -> String {
    task.answers().next().map(|field| marker(field.name)).unwrap_or_default()
}

fn instructions(task: &Task) -> String {
    let mut text = "Your input fields are:\n".to_owned();
    list(&mut text, task.inputs.iter());
    text.push_str("Your output fields are:\n");
    list(&mut text, task.answers());
    text.push_str("\nAll interactions will be structured in the following way, with the appropriate values filled in.\n\n");
    for field in task.inputs.iter().chain(task.answers()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}\n{{{}}}\n", marker(field.name), field.name);
    }
    let _ = write!(
        text,
        "{}\n\nIn adhering to this structure, your objective is:\n{}",
        marker(COMPLETED),
        task.instructions
    );
    text
}

fn list<'a>(text: &mut String, fields: impl Iterator<Item = &'a FieldSpec>) {
    for (at, field) in fields.enumerate() {
        let mut definitions = Definitions::new();
        let mut schema = (field.schema)(&mut definitions);
        let defs = definitions.into_defs();
        if let (false, Some(schema)) = (defs.is_empty(), schema.as_object_mut()) {
            schema.insert("$defs".to_owned(), defs.into());
        }
        let kind = if is_text(&schema) {
            "text".to_owned()
        } else {
            format!("JSON matching this schema: {schema}")
        };
        let _ = writeln!(text, "{}. `{}` ({kind}): {}", at + 1, field.name, field.description);
    }
}

fn is_text(schema: &Value) -> bool {
    schema["type"] == "string" && schema.get("enum").is_none()
}

fn question(task: &Task, input: &Value) -> String {
    fields(task.inputs.iter(), input) + &request(task)
}

/// Names the fields that the model has to write.
pub(super) fn request(task: &Task) -> String {
    let names: Vec<_> = task.answers().map(|field| format!("`{}`", marker(field.name))).collect();
    let first = names.first().map(String::as_str).unwrap_or_default();
    let then: String = names.iter().skip(1).map(|name| format!(", then {name}")).collect();
    format!(
        "Respond with the corresponding output fields, starting with the field {first}{then}, and then ending with \
         the marker for `{}`.",
        marker(COMPLETED)
    )
}

fn fields<'a>(specs: impl Iterator<Item = &'a FieldSpec>, values: &Value) -> String {
    let mut text = String::new();
    for field in specs {
        let value = match &values[field.name] {
            Value::String(value) => value.clone(),
            value => value.to_string(),
        };
        let _ = writeln!(text, "{}\n{value}\n", marker(field.name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_whatever_the_spacing() {
        let text = "Well.\n[[ ## reasoning ## ]]\nFirst line\n\nsecond line\n\n[[##answer##]] 42\n[[ ## completed ## ]]\nBye";
        let fields = sections(text);
        assert_eq!(
            Value::Object(fields),
            serde_json::json!({ "reasoning": "First line\n\nsecond line", "answer": "42" })
        );
    }

    #[test]
    fn text_without_markers_has_no_fields() {
        assert!(sections("[[ broken ## x ]]\nand so on").is_empty());
    }
}

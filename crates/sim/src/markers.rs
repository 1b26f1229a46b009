//! The field-marker format of chat adapters: `[[ ## name ## ]]`, the value, and so on to `[[ ## completed ## ]]`.

use rand::rngs::StdRng;
use serde_json::{Deserializer, Map, Value};

use crate::ask::Ask;
use crate::prose;
use crate::schema;
use crate::script::Entry;

const OPEN: &str = "[[ ## ";
const CLOSE: &str = " ## ]]";
const END: &str = "completed";
/// The field in which a model that calls tools by text names the next one, as in DSPy's ReAct.
pub(crate) const TOOL_NAME: &str = "next_tool_name";
/// How the sentence begins that names the fields of the answer.
const INSTRUCTION: &str = "starting with the field";

/// The names of the fields that the prompt asks for, in order, if it asks for fields.
pub(crate) fn wanted(ask: &Ask) -> Option<Vec<String>> {
    let mut texts = ask.user_messages().rev().chain([ask.system.as_str()]);
    texts.find_map(|text| {
        let (_, instruction) = text.rsplit_once(INSTRUCTION)?;
        let mut names = Vec::new();
        for marker in instruction.split(OPEN).skip(1) {
            let (name, _) = marker.split_once(CLOSE)?;
            if name == END {
                break;
            }
            names.push(name.to_owned());
        }
        (!names.is_empty()).then_some(names)
    })
}

/// The scripted call of this turn as fields, for a model that calls tools by text.
pub(crate) fn call(ask: &Ask, entry: Option<&Entry>) -> Option<Map<String, Value>> {
    let turn = ask.written(&format!("{OPEN}{TOOL_NAME}{CLOSE}"));
    let call = entry?.turn(turn).first()?;
    let thought = call.thought.clone().unwrap_or_else(|| format!("I need {}.", call.tool));
    let fields = [
        ("next_thought", Value::from(thought)),
        (TOOL_NAME, Value::from(call.tool.clone())),
        ("next_tool_args", call.arguments.clone()),
    ];
    Some(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Makes the value of each field: the scripted one, else one that conforms to what the system prompt says about it.
pub(crate) fn values(
    names: Vec<String>,
    fields: &Map<String, Value>,
    system: &str,
    rng: &mut StdRng,
) -> Vec<(String, Value)> {
    let mut value = |name: &str| match (fields.get(name), described(system, name)) {
        (Some(scripted), None) => scripted.clone(),
        (Some(scripted), Some(schema)) => schema::fitted(&schema, scripted),
        (None, Some(schema)) => schema::conforming(&schema, rng),
        (None, None) => Value::from(prose::sentence(rng)),
    };
    names.into_iter().map(|name| (name.clone(), value(&name))).collect()
}

/// Writes the fields: text as it is, other values as compact JSON.
pub(crate) fn render(fields: &[(String, Value)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!("{OPEN}{name}{CLOSE}\n{value}\n\n"));
    }
    text.push_str(&format!("{OPEN}{END}{CLOSE}"));
    text
}

/// The JSON Schema that the prompt gives for a field, on the line that describes it.
///
/// Known are lines such as ``1. `action` (JSON matching this schema: {..}): what to do``, `{action}  # note: .. JSON schema: {..}` and
/// ``2. `count` (int): how many``.
fn described(system: &str, name: &str) -> Option<Value> {
    let (quoted, braced) = (format!("`{name}`"), format!("{{{name}}}"));
    let mut rests = system.lines().filter_map(|line| {
        let (_, rest) = line.split_once(&quoted).or_else(|| line.split_once(&braced))?;
        Some(rest)
    });
    rests.find_map(|rest| {
        if let Some((_, tail)) = rest.split_once("schema") {
            let json = &tail[tail.find('{')?..];
            return Deserializer::from_str(json).into_iter::<Value>().next()?.ok();
        }
        let (kind, _) = rest.trim_start().strip_prefix('(')?.split_once(')')?;
        let kind = match kind {
            "int" | "integer" => "integer",
            "float" | "number" => "number",
            "bool" | "boolean" => "boolean",
            _ => return None,
        };
        Some(Value::Object(Map::from_iter([("type".to_owned(), Value::from(kind))])))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::ask::{Choice, Shape, Turn};
    use crate::seed::{self, Purpose};

    use super::*;

    fn ask(system: &str, user: &str) -> Ask {
        Ask {
            model: "m".to_owned(),
            stream: None,
            system: system.to_owned(),
            turns: vec![Turn::User(user.to_owned())],
            shape: Shape::Text,
            tools: Vec::new(),
            choice: Choice::Auto,
            max_tokens: None,
            marks_cache: false,
        }
    }

    const SENTENCE: &str = "Respond with the corresponding output fields, starting with the field `[[ ## reasoning ## ]]`, then \
                            `[[ ## action ## ]]`, and then ending with the marker for `[[ ## completed ## ]]`.";

    #[test]
    fn the_sentence_names_the_fields() {
        let inputs = "[[ ## question ## ]]\nWhy?\n\n";
        let expected = Some(vec!["reasoning".to_owned(), "action".to_owned()]);
        assert_eq!(wanted(&ask("", &format!("{inputs}{SENTENCE}"))), expected);
        assert_eq!(wanted(&ask(SENTENCE, inputs)), expected);
        assert_eq!(wanted(&ask("", inputs)), None);
        assert_eq!(wanted(&ask("", "starting with the field of maize")), None);
    }

    #[test]
    fn values_come_from_the_script_then_from_the_description() {
        let system = "1. `action` (JSON matching this schema: {\"type\": \"object\", \"properties\": {\"a\": {\"const\": 5}}}): what\n\
                      2. `count` (int): how many\n3. `why` (str): why";
        let names = ["action", "count", "why", "said"].map(str::to_owned).to_vec();
        let fields = json!({"said": "scripted"});
        let mut rng = seed::rng(1, Purpose::Content, 1, 1);
        let values = values(names, fields.as_object().unwrap(), system, &mut rng);
        assert_eq!(values[0].1, json!({"a": 5}));
        assert!(values[1].1.is_i64());
        assert!(values[2].1.is_string());
        assert_eq!(values[3].1, "scripted");
    }

    #[test]
    fn fields_are_written_between_markers() {
        let text = render(&[("a".to_owned(), json!("x")), ("b".to_owned(), json!({"c": 1}))]);
        assert_eq!(text, "[[ ## a ## ]]\nx\n\n[[ ## b ## ]]\n{\"c\":1}\n\n[[ ## completed ## ]]");
    }
}

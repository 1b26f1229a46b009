//! Fields that are read while they are written are the fields of the whole, however the text is cut.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

const KNOWN: [&str; 3] = ["reasoning", "action", "answer"];

fn of_json() -> Fields {
    Fields::of_json(KNOWN.into_iter())
}

fn of_markers() -> Fields {
    Fields::of_markers(KNOWN.into_iter())
}

/// Puts the changes together: appends texts, replaces values.
fn gathered(mut fields: Fields, pieces: &[&str]) -> Value {
    let mut found: BTreeMap<&str, Value> = BTreeMap::new();
    let mut changes: Changes = pieces.iter().flat_map(|piece| fields.push(piece)).collect();
    changes.extend(fields.end());
    for (name, change) in changes {
        match (change, found.get_mut(name)) {
            (FieldChange::Text(text), Some(Value::String(so_far))) => so_far.push_str(&text),
            (FieldChange::Text(text), _) => drop(found.insert(name, text.into())),
            (FieldChange::Value(value), _) => drop(found.insert(name, value)),
        }
    }
    json!(found)
}

/// Cuts a text at those of the places that are between two characters.
fn cut<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    places.retain(|place| text.is_char_boundary(*place));
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn answer() -> impl Strategy<Value = Value> {
    let text = "[ -~\n\t\"\\\\äß😀{}\\[\\],:]{0,30}";
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"]{1,4}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    (text, value, text).prop_map(|(reasoning, action, answer)| {
        json!({ "reasoning": reasoning, "action": action, "answer": answer })
    })
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..40)
}

/// Of an empty text nothing comes.
fn without_empty(mut fields: Value) -> Value {
    fields.as_object_mut().unwrap().retain(|_, value| value != "");
    fields
}

proptest! {
    #[test]
    fn json_however_it_is_cut(answer in answer(), pretty: bool, cuts in cuts()) {
        let written =
            if pretty { serde_json::to_string_pretty(&answer).unwrap() } else { answer.to_string() };
        let written = format!("Sure!\n```json\n{written}\n```");
        prop_assert_eq!(gathered(of_json(), &cut(&written, &cuts)), without_empty(answer));
    }

    #[test]
    fn escapes_however_they_are_cut(text in "[a😀\\n\u{7f}é]{1,12}", cuts in cuts()) {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let written = format!("{{\"answer\": \"{escaped}\"}}");
        prop_assert_eq!(gathered(of_json(), &cut(&written, &cuts)), json!({ "answer": text }));
    }

    #[test]
    fn markers_however_they_are_cut(
        reasoning in "[a-z\\[\\] #\n.]{0,40}",
        answer in "[a-zäß😀 \n]{0,40}",
        cuts in cuts(),
    ) {
        let reasoning = format!("x{reasoning}");
        let action = json!({ "make_drink": { "size": "large", "with": ["oat milk"] } });
        let written = format!(
            "Well.\n[[ ## reasoning ## ]]\n{reasoning}\n\n[[##action##]] {action}\n[[ ## answer ## ]]\n{answer}\n\n\
             [[ ## completed ## ]]\n"
        );
        let expected =
            json!({ "reasoning": reasoning.trim(), "action": action, "answer": answer.trim() });
        prop_assert_eq!(gathered(of_markers(), &cut(&written, &cuts)), without_empty(expected));
    }

    #[test]
    fn no_text_panics(text in "[\"\\\\u{}\\[\\]#:, \nda0-9é]{0,60}", cuts in cuts()) {
        gathered(of_json(), &cut(&text, &cuts));
        gathered(of_markers(), &cut(&text, &cuts));
    }
}

#[test]
fn a_text_is_told_as_it_comes() {
    let mut fields = of_json();
    let text = |name, text: &str| (name, FieldChange::Text(text.to_owned()));
    let value = |name, value| (name, FieldChange::Value(value));
    assert_eq!(fields.push("{\"answer\": \"It is"), [text("answer", "It is")]);
    assert_eq!(fields.push(" 20\\"), [text("answer", " 20")]);
    assert_eq!(
        fields.push("u00b0 C\", \"unknown\": \"x\", \"action\": {\"si"),
        [text("answer", "\u{b0} C"), value("action", json!({}))]
    );
    assert_eq!(fields.push("ze\": \"lar"), [value("action", json!({ "size": "lar" }))]);
}

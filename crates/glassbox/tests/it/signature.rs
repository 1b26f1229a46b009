//! `#[derive(Signature)]`, on the coffee shop.

use glassbox::{Field, FieldSpec, Signature, object_schema};
use rust_decimal::Decimal;
use rust_decimal_macros::dec;
use serde_json::{Value, json};

/// Analyze customer request and take appropriate action.
#[derive(Signature)]
struct CoffeeShop {
    /// What the customer said.
    #[input]
    customer_request: String,
    #[input]
    customer_mood: Mood,
    #[input]
    time_of_day: TimeOfDay,
    /// What to do now.
    #[output]
    action: Action,
    /// What to tell the customer.
    #[output]
    friendly_response: String,
}

#[derive(Clone, Debug, PartialEq, Field)]
enum Mood {
    Happy,
    Neutral,
    Upset,
}

#[derive(Clone, Debug, PartialEq, Field)]
enum TimeOfDay {
    Morning,
    Afternoon,
    Evening,
    RushHour,
}

#[derive(Clone, Debug, PartialEq, Field)]
enum Action {
    /// Brew a drink.
    MakeDrink {
        drink_type: String,
        size: Size,
        customizations: Vec<String>,
    },
    RefundOrder {
        order_id: Option<String>,
        reason: String,
        /// In dollars.
        refund_amount: Decimal,
    },
    CallManager {
        issue: String,
        urgency: Urgency,
    },
    Joke {
        setup: String,
        punchline: String,
    },
}

#[derive(Clone, Debug, PartialEq, Field)]
enum Size {
    Small,
    Medium,
    Large,
}

#[derive(Clone, Debug, PartialEq, Field)]
enum Urgency {
    Low,
    Medium,
    High,
}

#[test]
fn the_struct_says_it_all() {
    assert_eq!(CoffeeShop::NAME, "CoffeeShop");
    assert_eq!(CoffeeShop::INSTRUCTIONS, "Analyze customer request and take appropriate action.");

    let described = |fields: &[FieldSpec]| -> Vec<_> {
        fields.iter().map(|field| (field.name, field.description, field.required)).collect()
    };
    assert_eq!(
        described(CoffeeShop::INPUTS),
        [
            ("customer_request", "What the customer said.", true),
            ("customer_mood", "", true),
            ("time_of_day", "", true),
        ]
    );
    assert_eq!(
        described(CoffeeShop::OUTPUTS),
        [
            ("action", "What to do now.", true),
            ("friendly_response", "What to tell the customer.", true),
        ]
    );
}

#[test]
fn input_is_written_as_an_object() {
    let input = CoffeeShopInput {
        customer_request: "Do you sell hamburgers?".to_owned(),
        customer_mood: Mood::Neutral,
        time_of_day: TimeOfDay::RushHour,
    };

    let expected = json!({
        "customer_request": "Do you sell hamburgers?",
        "customer_mood": "neutral",
        "time_of_day": "rush_hour",
    });
    assert_eq!(input.to_json(), expected);
    assert_eq!(CoffeeShopInput::from_json(&expected).unwrap().to_json(), expected);
}

#[test]
fn schema_of_the_outputs() {
    let schema = object_schema(&[REASONING], CoffeeShop::OUTPUTS);
    insta::assert_json_snapshot!(schema);
}

const REASONING: FieldSpec = FieldSpec {
    name: "reasoning",
    description: "Think step by step.",
    required: true,
    schema: <String as Field>::schema,
};

#[test]
fn each_action_is_read() {
    let check = |action: Value, expected: Action| {
        let answer = json!({"action": action, "friendly_response": "Sure!"});
        let output = CoffeeShopOutput::from_json(&answer).unwrap();
        assert_eq!(output.action, expected);
        assert_eq!(CoffeeShopOutput::from_json(&output.to_json()).unwrap().action, expected);
    };

    check(
        json!({"MakeDrink": {
            "drink_type": "iced latte",
            "size": "large",
            "customizations": ["oat milk", "extra shot"],
        }}),
        Action::MakeDrink {
            drink_type: "iced latte".to_owned(),
            size: Size::Large,
            customizations: vec!["oat milk".to_owned(), "extra shot".to_owned()],
        },
    );
    check(
        json!({"type": "refund_order", "reason": "tastes terrible", "refund_amount": "$5.75"}),
        Action::RefundOrder {
            order_id: None,
            reason: "tastes terrible".to_owned(),
            refund_amount: dec!(5.75),
        },
    );
    check(
        json!({"issue": "wants hamburgers", "urgency": "LOW"}),
        Action::CallManager { issue: "wants hamburgers".to_owned(), urgency: Urgency::Low },
    );
    check(
        json!("```json\n{\"Joke\": {\"setup\": \"Why?\", \"punchline\": \"It got mugged.\"}}\n```"),
        Action::Joke { setup: "Why?".to_owned(), punchline: "It got mugged.".to_owned() },
    );
}

#[test]
fn errors_lead_to_the_place() {
    let check = |action: Value, message: &str| {
        let answer = json!({"action": action, "friendly_response": "Sure!"});
        let error = CoffeeShopOutput::from_json(&answer).unwrap_err();
        assert_eq!(error.to_string(), message);
    };

    check(
        json!({"MakeDrink": {"drink_type": "latte", "size": "huge", "customizations": []}}),
        r#"action.MakeDrink.size: expected one of small, medium, large, found "huge""#,
    );
    check(
        json!({"kind": "CallManager", "issue": "rats"}),
        "action.CallManager.urgency: expected one of low, medium, high, found nothing",
    );
    check(
        json!({"MakeDrink": {"drink_type": "latte", "size": "small", "customizations": ["ice", {}]}}),
        "action.MakeDrink.customizations[1]: expected a string, found {}",
    );
    check(
        json!({"MakeTea": {}}),
        "action: expected an object with one of the keys MakeDrink, RefundOrder, CallManager, Joke, \
         found {\"MakeTea\":{}}",
    );
    let error = CoffeeShopOutput::from_json(&json!("Sure!")).unwrap_err().to_string();
    assert_eq!(error, r#"expected an object with action, friendly_response, found "Sure!""#);
}

/// Summarize.
///
/// Two rules:
///   - short
///   - true
#[derive(Signature)]
struct Summarize {
    #[input]
    #[field(rename = "document", description = "Markdown or text.")]
    text: String,
    #[input]
    #[field(default = 3)]
    sentences: u8,
    #[input]
    #[field(default = "English")]
    language: String,
    #[input]
    #[field(default)]
    glossary: Vec<String>,
    #[output]
    reasoning: String,
    #[output]
    summary: Option<String>,
    #[output]
    #[field(default = Mood::Neutral)]
    r#type: Mood,
}

#[test]
fn attributes_change_name_description_and_default() {
    assert_eq!(Summarize::INSTRUCTIONS, "Summarize.\n\nTwo rules:\n  - short\n  - true");
    let text = &Summarize::INPUTS[0];
    assert_eq!((text.name, text.description), ("document", "Markdown or text."));
    assert_eq!(
        Summarize::INPUTS.iter().map(|f| f.required).collect::<Vec<_>>(),
        [true, false, false, false]
    );

    let input = SummarizeInput::from_json(&json!({"document": "Lorem", "glossary": null})).unwrap();
    assert_eq!(input.text, "Lorem");
    assert_eq!(input.sentences, 3);
    assert_eq!(input.language, "English");
    assert_eq!(input.glossary, [""; 0]);

    let output = SummarizeOutput::from_json(&json!({"reasoning": "short text"})).unwrap();
    assert_eq!(output.reasoning, "short text");
    assert_eq!(output.summary, None);
    assert_eq!(output.r#type, Mood::Neutral);
}

#[test]
fn a_field_replaces_the_leading_one_of_its_name() {
    let check = |leading: &[FieldSpec], names: &[&str]| {
        let schema = object_schema(leading, Summarize::OUTPUTS);
        let properties = schema["properties"].as_object().unwrap();
        assert!(properties.keys().eq(names), "{schema}");
        assert_eq!(schema["required"], json!(["reasoning"]));
        assert_eq!(properties["reasoning"], json!({"type": "string"}));
    };
    check(&[], &["reasoning", "summary", "type"]);
    check(&[REASONING], &["reasoning", "summary", "type"]);
}

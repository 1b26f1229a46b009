//! The same logical answer in whatever format is asked for.

use glassbox_sim::{Fault, FaultPlan, Provider};
use serde_json::{Value, json};

use crate::client::{HAMBURGERS, PROVIDERS, call, content, shop, shop_with};

const LATTE: &str = "Can I get a large iced latte with oat milk and an extra shot?";
const TERRIBLE: &str = "This coffee tastes terrible and I waited 20 minutes!";
const JOKES: &str = "It's been a long day... got any coffee jokes?";

const SENTENCE: &str = "Respond with the corresponding output fields, starting with the field `[[ ## reasoning ## ]]`, then \
                        `[[ ## action ## ]]`, then `[[ ## friendly_response ## ]]`, and then ending with the marker for \
                        `[[ ## completed ## ]]`.";

fn marked(customer: &str) -> String {
    format!("[[ ## customer_request ## ]]\n{customer}\n\n{SENTENCE}")
}

/// The fields of an answer in marker format, in order.
fn fields(text: &str) -> Vec<(String, String)> {
    let parts = text.split("[[ ## ").skip(1).filter_map(|part| part.split_once(" ## ]]"));
    parts.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

#[tokio::test]
async fn the_four_customers_in_marker_format() {
    let sim = shop().start().unwrap();
    for provider in PROVIDERS {
        for (customer, action) in [
            (LATTE, "MakeDrink"),
            (TERRIBLE, "RefundOrder"),
            (HAMBURGERS, "CallManager"),
            (JOKES, "Joke"),
        ] {
            let text = call(&sim, provider, false, &marked(customer)).text(provider).await;
            assert!(text.ends_with("[[ ## completed ## ]]"), "{text}");
            let fields = fields(&text);
            let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["reasoning", "action", "friendly_response", "completed"]);
            let parsed: Value = serde_json::from_str(&fields[1].1).unwrap();
            assert!(parsed.get(action).is_some_and(Value::is_object), "{parsed}");
            assert!(fields[0].1.matches(". ").count() >= 1 && fields[2].1.len() > 80);
        }
    }
}

#[tokio::test]
async fn exactly_what_the_coffee_shop_says() {
    let sim = shop().start().unwrap();
    let text = call(&sim, Provider::OpenAi, false, &marked(LATTE)).text(Provider::OpenAi).await;
    let action: Value = serde_json::from_str(&fields(&text)[1].1).unwrap();
    let customizations = json!(["oat milk", "extra shot"]);
    let drink =
        json!({"drink_type": "iced latte", "size": "large", "customizations": customizations});
    assert_eq!(action, json!({"MakeDrink": drink}));

    let text = call(&sim, Provider::OpenAi, false, &marked(JOKES)).text(Provider::OpenAi).await;
    let action: Value = serde_json::from_str(&fields(&text)[1].1).unwrap();
    let joke =
        json!({"setup": "Why did the coffee file a police report?", "punchline": "It got mugged!"});
    assert_eq!(action, json!({"Joke": joke}));
}

#[tokio::test]
async fn markers_named_in_the_system_prompt_with_schemas_and_no_script() {
    let sim = shop().start().unwrap();
    let mut call = call(&sim, Provider::OpenAi, false, "Something nobody scripted");
    let schema =
        json!({"type": "object", "properties": {"kind": {"enum": ["tea"]}}, "required": ["kind"]});
    let system = format!(
        "1. `reasoning`: why\n2. `action` (JSON matching this schema: {schema}): what to do\n\n{SENTENCE}"
    );
    let user = call.body["messages"][0].clone();
    call.body["messages"] = json!([{"role": "system", "content": system}, user]);
    let text = call.text(Provider::OpenAi).await;
    let fields = fields(&text);
    assert_eq!(fields[1], ("action".to_owned(), json!({"kind": "tea"}).to_string()));
    assert!(fields[0].1.ends_with('.'));
}

#[tokio::test]
async fn spoiled_markers() {
    let spoiled = |fault| async {
        let sim = shop_with(FaultPlan::none().always(fault));
        call(&sim, Provider::OpenAi, false, &marked(LATTE)).text(Provider::OpenAi).await
    };
    assert!(!spoiled(Fault::Prose).await.contains("[[ ##"));
    let cut = spoiled(Fault::TruncatedJson).await;
    assert!(cut.starts_with("[[ ## reasoning ## ]]") && !cut.contains("completed"), "{cut}");
    let wrong = fields(&spoiled(Fault::WrongTypes).await);
    assert_eq!(wrong[1].1, "a value of the wrong type");
    assert!(wrong[0].1.starts_with("The customer"));
}

#[tokio::test]
async fn json_without_a_schema() {
    let sim = shop().start().unwrap();
    for provider in [Provider::OpenAi, Provider::Gemini] {
        let asked = |message: &str| {
            let mut call = call(&sim, provider, false, message);
            call.body["response_format"] = json!({"type": "json_object"});
            call.body["generationConfig"] = json!({"responseMimeType": "application/json"});
            call
        };
        let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let scripted = parse(asked(HAMBURGERS).text(provider).await);
        assert_eq!(scripted["action"]["CallManager"]["urgency"], "low");
        let schema =
            json!({"type": "object", "properties": {"friendly_response": {"type": "string"}}});
        let described = parse(
            asked(&format!("{HAMBURGERS} Answer with JSON for this schema: {schema}"))
                .text(provider)
                .await,
        );
        assert_eq!(
            described.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["friendly_response"]
        );
        assert!(parse(asked("anything").text(provider).await).is_object());
    }
}

#[tokio::test]
async fn a_follow_up_still_gets_the_answer_to_what_was_asked() {
    let sim = shop().start().unwrap();
    let mut call = call(&sim, Provider::OpenAi, false, "");
    call.body["messages"] = json!([
        {"role": "user", "content": HAMBURGERS},
        {"role": "assistant", "content": "nonsense"},
        {"role": "user", "content": [{"type": "text", "text": "That was not what I asked for."}]},
    ]);
    assert!(call.text(Provider::OpenAi).await.starts_with("We do not have hamburgers"));
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_and_another_seed_another() {
    let (one, other) = (shop().start().unwrap(), shop().seed(8).start().unwrap());
    let ask = |sim| call(sim, Provider::Anthropic, false, "Something nobody scripted");
    let answers = [
        ask(&one).exchange().await.2,
        ask(&one).exchange().await.2,
        ask(&other).exchange().await.2,
    ];
    let texts = answers.each_ref().map(|body| content(Provider::Anthropic, body));
    assert_eq!(texts[0], texts[1]);
    assert_ne!(texts[0], texts[2]);
}

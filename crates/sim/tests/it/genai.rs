//! Each wire format, whole and streamed, through `genai`: a client that we did not write.

use futures::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatStreamEvent, JsonSpec, StopReason, StreamEnd, Tool,
    ToolCall, ToolChoice, ToolResponse,
};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use glassbox_sim::{Entry, Script, Sim};
use serde_json::{Value, json};

use crate::client::{HAMBURGERS, shop};

const KINDS: [AdapterKind; 3] = [AdapterKind::OpenAI, AdapterKind::Anthropic, AdapterKind::Gemini];

fn target(sim: &Sim, kind: AdapterKind) -> ServiceTarget {
    let (url, model) = match kind {
        AdapterKind::OpenAI => (sim.openai_url(), "gpt-4o-mini"),
        AdapterKind::Anthropic => (sim.anthropic_url(), "claude-haiku-4-5"),
        _ => (sim.gemini_url(), "gemini-2.5-flash"),
    };
    ServiceTarget {
        endpoint: Endpoint::from_owned(url),
        auth: AuthData::from_single("key"),
        model: ModelIden::new(kind, model),
    }
}

fn client() -> Client {
    Client::new().unwrap()
}

fn options() -> ChatOptions {
    ChatOptions::default()
        .with_capture_usage(true)
        .with_capture_content(true)
        .with_capture_tool_calls(true)
}

/// The coffee shop's output, as a schema that every provider accepts.
fn schema() -> Value {
    let object = |properties: Value| {
        let required: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    };
    let urgency = json!({"type": "string", "enum": ["low", "medium", "high"]});
    let call_manager = object(json!({"issue": {"type": "string"}, "urgency": urgency}));
    let joke = object(json!({"setup": {"type": "string"}, "punchline": {"type": "string"}}));
    let action = json!({"anyOf": [object(json!({"Joke": joke})), object(json!({"CallManager": call_manager}))]});
    let text = json!({"type": "string"});
    object(json!({"reasoning": text, "action": action, "friendly_response": text}))
}

async fn streamed(
    sim: &Sim,
    kind: AdapterKind,
    request: ChatRequest,
    options: &ChatOptions,
) -> (Vec<String>, StreamEnd) {
    let response =
        client().exec_chat_stream(target(sim, kind), request, Some(options)).await.unwrap();
    let mut stream = response.stream;
    let (mut chunks, mut end) = (Vec::new(), None);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            ChatStreamEvent::Chunk(chunk) => chunks.push(chunk.content),
            ChatStreamEvent::End(last) => end = Some(last),
            _ => {}
        }
    }
    (chunks, end.expect("the stream ends"))
}

#[tokio::test]
async fn text_whole_and_streamed() {
    let sim = shop().start().unwrap();
    for kind in KINDS {
        let request = || {
            ChatRequest::from_system("You sell coffee.")
                .append_message(ChatMessage::user(HAMBURGERS))
        };
        let whole =
            client().exec_chat(target(&sim, kind), request(), Some(&options())).await.unwrap();
        let text = whole.first_text().unwrap().to_owned();
        assert!(text.starts_with("We do not have hamburgers"), "{kind}: {text}");
        assert!(
            matches!(whole.stop_reason, Some(StopReason::Completed(_))),
            "{kind}: {:?}",
            whole.stop_reason
        );
        let dated = match kind {
            AdapterKind::OpenAI => "gpt-4o-mini-2024-07-18",
            AdapterKind::Anthropic => "claude-haiku-4-5-20251001",
            _ => "gemini-2.5-flash",
        };
        assert_eq!(&*whole.provider_model_iden.model_name, dated);
        let (prompt, completion) =
            (whole.usage.prompt_tokens.unwrap(), whole.usage.completion_tokens.unwrap());
        assert!(prompt > 0 && (prompt as usize) <= "You sell coffee.".len() + HAMBURGERS.len());
        assert!(completion > 0 && (completion as usize) <= text.len());

        let (chunks, end) = streamed(&sim, kind, request(), &options()).await;
        assert!(chunks.len() > 3, "{kind}: {} chunks", chunks.len());
        assert_eq!(chunks.concat(), text, "{kind}");
        assert_eq!(end.captured_first_text(), Some(text.as_str()), "{kind}");
        assert!(matches!(end.captured_stop_reason, Some(StopReason::Completed(_))), "{kind}");
        let usage = end.captured_usage.unwrap();
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens),
            (Some(prompt), Some(completion)),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn structured_output_whole_and_streamed() {
    let sim = shop().start().unwrap();
    for kind in KINDS {
        let options = options().with_response_format(JsonSpec::new("coffee_shop", schema()));
        let request = || ChatRequest::from_user(HAMBURGERS);
        let whole =
            client().exec_chat(target(&sim, kind), request(), Some(&options)).await.unwrap();
        let answer: Value = serde_json::from_str(whole.first_text().unwrap()).unwrap();
        assert_eq!(
            answer.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["reasoning", "action", "friendly_response"]
        );
        assert_eq!(answer["action"]["CallManager"]["urgency"], "low", "{kind}");

        let (chunks, _) = streamed(&sim, kind, request(), &options).await;
        assert_eq!(serde_json::from_str::<Value>(&chunks.concat()).unwrap(), answer, "{kind}");
    }
}

fn weather_tool() -> Tool {
    let city = json!({"type": "string"});
    let unit = json!({"type": "string", "enum": ["celsius", "fahrenheit"]});
    Tool::new("get_weather").with_description("Tells the weather").with_schema(json!({
        "type": "object", "properties": {"city": city, "unit": unit}, "required": ["city", "unit"],
        "additionalProperties": false,
    }))
}

fn check_call(kind: AdapterKind, calls: &[&ToolCall], city: Option<&str>) {
    let [call] = calls else { panic!("{kind}: {calls:?}") };
    assert_eq!(call.fn_name, "get_weather", "{kind}");
    assert!(
        ["celsius", "fahrenheit"].contains(&call.fn_arguments["unit"].as_str().unwrap()),
        "{kind}: {call:?}"
    );
    match city {
        Some(city) => assert_eq!(call.fn_arguments["city"], city, "{kind}"),
        None => assert!(call.fn_arguments["city"].is_string(), "{kind}"),
    }
}

#[tokio::test]
async fn tools_whole_and_streamed_and_the_answer_after_their_result() {
    let arguments = json!({"city": "Oslo", "unit": "celsius"});
    let script =
        Script::new().with(Entry::when("Oslo").call("get_weather", arguments).text("It rains."));
    let sim = shop().script(script).start().unwrap();
    for kind in KINDS {
        let request =
            ChatRequest::from_user("How is the weather in Oslo?").with_tools(vec![weather_tool()]);
        let whole = client()
            .exec_chat(target(&sim, kind), request.clone(), Some(&options()))
            .await
            .unwrap();
        check_call(kind, &whole.tool_calls(), Some("Oslo"));

        let (_, end) = streamed(&sim, kind, request.clone(), &options()).await;
        check_call(kind, &end.captured_tool_calls().unwrap(), Some("Oslo"));

        let calls: Vec<ToolCall> = whole.into_tool_calls();
        let result = ToolResponse::from_tool_call(&calls[0], r#"{"sky": "rain"}"#);
        let request = request.append_message(calls).append_message(result);
        let answer =
            client().exec_chat(target(&sim, kind), request, Some(&options())).await.unwrap();
        assert_eq!(answer.first_text(), Some("It rains."), "{kind}");
    }
}

#[tokio::test]
async fn a_tool_is_called_when_it_must_be_and_without_a_script() {
    let sim = shop().start().unwrap();
    for kind in KINDS {
        let ask = |message: &str| ChatRequest::from_user(message).with_tools(vec![weather_tool()]);
        let required = options().with_tool_choice(ToolChoice::Required);
        let forced =
            client().exec_chat(target(&sim, kind), ask(HAMBURGERS), Some(&required)).await.unwrap();
        check_call(kind, &forced.tool_calls(), None);

        let named = options().with_tool_choice(ToolChoice::tool("get_weather"));
        let forced =
            client().exec_chat(target(&sim, kind), ask(HAMBURGERS), Some(&named)).await.unwrap();
        check_call(kind, &forced.tool_calls(), None);

        let free = client()
            .exec_chat(target(&sim, kind), ask("What now?"), Some(&options()))
            .await
            .unwrap();
        check_call(kind, &free.tool_calls(), None);

        let scripted = client()
            .exec_chat(target(&sim, kind), ask(HAMBURGERS), Some(&options()))
            .await
            .unwrap();
        assert!(scripted.tool_calls().is_empty(), "{kind}");

        let never = options().with_tool_choice(ToolChoice::None);
        let text =
            client().exec_chat(target(&sim, kind), ask("What now?"), Some(&never)).await.unwrap();
        assert!(text.tool_calls().is_empty() && text.first_text().is_some(), "{kind}");
    }
}

#[tokio::test]
async fn models_are_listed() {
    let sim = shop().start().unwrap();
    for kind in KINDS {
        let ServiceTarget { endpoint, auth, model } = target(&sim, kind);
        let names = client().all_model_names(kind, (endpoint, auth)).await.unwrap();
        assert!(names.len() > 3, "{kind}: {names:?}");
        if kind != AdapterKind::Anthropic {
            assert!(names.contains(&model.model_name.to_string()), "{kind}: {names:?}");
        }
    }
}

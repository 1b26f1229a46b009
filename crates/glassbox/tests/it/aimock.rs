//! The coffee shop with a simulated provider that was not written here: `@copilotkit/aimock`, which `cargo xtask check`
//! installs. It keeps our own simulation honest: both have to be understood.

use crate::coffee_shop::{CoffeeShopAgent, iced_latte, latte};
use crate::stage::{Stage, generation};
use glassbox::trace::message::{Part, ToolResult};
use glassbox::{
    ErrorKind, EventName, Finish, Lm, Message, Module, Request, RetryPolicy, Role, ToolDefinition,
};
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The variable with the path of aimock's script.
const SCRIPT: &str = "GLASSBOX_AIMOCK";

/// A running aimock, which ends with this.
struct Aimock {
    url: String,
    _process: Child,
}

impl Aimock {
    /// Starts aimock with the answers in `aimock/fixtures.json`; `None`, and said so, where it is not installed.
    async fn start() -> Option<Self> {
        #[allow(
            clippy::disallowed_methods,
            reason = "only the environment knows where aimock is installed"
        )]
        let Ok(script) = std::env::var(SCRIPT) else {
            #[allow(
                clippy::print_stderr,
                reason = "a test that did not run must not look as if it had"
            )]
            {
                eprintln!(
                    "SKIPPED: {SCRIPT} is not set; `cargo xtask check` installs aimock and sets it"
                );
            }
            return None;
        };
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/aimock/fixtures.json");
        let mut process = Command::new("node")
            .args([&script, "--port", "0", "--fixtures", fixtures])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = async {
            loop {
                let line =
                    lines.next_line().await.unwrap().expect("aimock ended before it listened");
                if let Some((_, url)) = line.split_once("listening on ") {
                    return url.trim().to_owned();
                }
            }
        };
        let url =
            timeout(Duration::from_secs(20), listening).await.expect("aimock does not listen");
        // It blocks when nobody reads what it writes.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { url, _process: process })
    }

    fn lm(&self, model: &str, stream: bool) -> Lm {
        let path = if model.starts_with("gemini/") { "v1beta" } else { "v1" };
        let lm = Lm::builder(model)
            .base_url(format!("{}/{path}/", self.url))
            .api_key("test")
            .stream(stream);
        lm.retry(RetryPolicy::never()).build().unwrap()
    }
}

/// The coffee shop: the typed answer, the tree, and what aimock says it used.
async fn check_coffee_shop(lm: &Lm, stream: bool) {
    let stage = Stage::new();
    let reply = stage.scope().run(CoffeeShopAgent::new(lm).call(latte())).await.unwrap();
    assert_eq!(reply.action, iced_latte());
    assert_eq!(reply.reasoning(), Some("A clear order."));
    let (_, model) = lm.name().split_once('/').unwrap();
    let tree = format!(
        "CoffeeShopAgent.forward [span]\n  ChainOfThought(CoffeeShop) [chain]\n    chat {model} [generation]\n"
    );
    assert_eq!(stage.tree(), tree);

    let span = stage.span(&format!("chat {model}"));
    let call = generation(&span);
    assert_eq!((call.usage.input_total(), call.usage.output_total()), (Some(310), Some(47)));
    assert!(call.cost.total().unwrap() > 0.into());
    // Gemini tells these two as well, but aimock's Gemini does not.
    let told = &*call.provider != "gcp.gemini";
    assert_eq!(call.response_model.as_deref(), told.then_some(model));
    assert_eq!(call.response_id.is_some(), told);
    assert_eq!(call.finish_reasons.len(), 1);
    assert_eq!(
        (call.first_chunk.is_some(), stage.count(EventName::LlmFirstChunk)),
        (stream, usize::from(stream))
    );
}

/// A tool call and the turn after it.
async fn check_tools(lm: &Lm) {
    let stage = Stage::new();
    let menu = ToolDefinition {
        name: "menu".into(),
        description: "Reads a section of the menu.".into(),
        parameters: json!({
            "type": "object",
            "properties": { "section": { "type": "string" } },
            "required": ["section"],
            "additionalProperties": false,
        }),
    };
    let mut messages = vec![Message::user("What is on the menu?")];
    let ask = |messages: &[Message]| {
        lm.generate(Request {
            messages: messages.into(),
            tools: [menu.clone()].into(),
            ..Request::default()
        })
    };
    let first = stage.scope().run(ask(&messages)).await.unwrap();
    assert_eq!(first.finish, Finish::ToolCalls);
    let call = first.tool_calls().next().unwrap().clone();
    assert_eq!((&*call.name, &call.arguments), ("menu", &json!({ "section": "cakes" })));

    messages.push(first.message);
    let result = ToolResult { id: call.id, result: json!(["carrot cake"]) };
    messages.push(Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] });
    let second = stage.scope().run(ask(&messages)).await.unwrap();
    assert_eq!(
        (second.text().as_str(), second.finish),
        ("Today there is carrot cake.", Finish::Stop)
    );

    // The first span holds the tools and the wish to call one.
    let spans = stage.generations();
    let asked = generation(&spans[0]);
    assert_eq!(*asked.tools, [menu]);
    assert!(matches!(asked.output.as_ref().unwrap().parts[..], [Part::ToolCall(_)]));
    assert_eq!(generation(&spans[1]).messages.len(), 3);
}

async fn check(model: &str) {
    let Some(aimock) = Aimock::start().await else { return };
    for stream in [false, true] {
        let lm = aimock.lm(model, stream);
        check_coffee_shop(&lm, stream).await;
        check_tools(&lm).await;
        let request = Request::new([Message::user("Too many at once")]);
        let error = Stage::new().scope().run(lm.generate(request)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::RateLimited, Some(429)));
        assert!(error.to_string().contains("Slow down, please."), "{error}");
    }
}

#[tokio::test]
async fn openai() {
    check("openai/gpt-4o-mini").await;
}

#[tokio::test]
async fn anthropic() {
    check("anthropic/claude-haiku-4-5").await;
}

#[tokio::test]
async fn gemini() {
    check("gemini/gemini-2.5-flash").await;
}

//! Spans of the coffee shop, with fixed ids and times.

use glassbox_trace::cost::{Cost, CostDetails};
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::message::{Message, Part, Role, ToolCall, ToolDefinition};
use glassbox_trace::span::{
    Agent, Attempt, Chain, Detail, Embedding, Evaluator, Generation, Guardrail, Note, OutputType,
    Parameters, PromptLink, Retriever, Span, Status, Tool, TraceAttributes,
};
use glassbox_trace::time::Timestamp;
use glassbox_trace::usage::Usage;
use rust_decimal_macros::dec;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const START: u64 = 1_795_352_738_000_000_000;

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_nanos(START + millis * 1_000_000)
}

/// A span of one second that is the root of its trace.
pub(crate) fn span(detail: Detail) -> Span {
    Span {
        trace_id: TraceId::from_bytes([0xaa; 16]),
        span_id: SpanId::from_bytes([1; 8]),
        parent_id: None,
        name: "CoffeeShopAgent.forward".into(),
        start: at(0),
        end: Some(at(1000)),
        status: Status::Ok,
        trace: Arc::default(),
        input: None,
        output: None,
        notes: Vec::new(),
        detail,
        attributes: Vec::new(),
    }
}

pub(crate) fn failed(detail: Detail) -> Span {
    Span { status: Status::error("429", "too many requests"), ..span(detail) }
}

fn child(id: u8, name: &str, detail: Detail) -> Span {
    Span {
        span_id: SpanId::from_bytes([id; 8]),
        parent_id: Some(SpanId::from_bytes([1; 8])),
        name: name.into(),
        ..span(detail)
    }
}

fn trace() -> Arc<TraceAttributes> {
    Arc::new(TraceAttributes {
        name: Some("coffee shop".into()),
        session_id: Some("session-7".into()),
        user_id: Some("customer-42".into()),
        tags: vec!["demo".into(), "coffee".into()],
        metadata: vec![("mood".into(), json!("happy")), ("visits".into(), json!(3))],
        environment: Some("production".into()),
        release: Some("4f2c1d9".into()),
        version: Some("2".into()),
        remote_parent: None,
    })
}

fn in_trace(mut spans: Vec<Span>) -> Vec<Span> {
    for span in &mut spans {
        span.trace = trace();
    }
    spans
}

pub(crate) fn generation() -> Generation {
    Generation {
        provider: "openai".into(),
        request_model: "gpt-4o-mini".into(),
        response_model: Some("gpt-4o-mini-2024-07-18".into()),
        response_id: Some("chatcmpl-abc".into()),
        finish_reasons: vec!["stop".into()],
        parameters: Parameters {
            temperature: Some(0.7),
            max_tokens: Some(1024),
            service_tier: Some("priority".into()),
            stream: true,
            ..Parameters::default()
        },
        output_type: Some(OutputType::Json),
        messages: [
            Message::system("Analyze customer request and take appropriate action."),
            Message::user("Can I get a large iced latte with oat milk and an extra shot?"),
        ]
        .into(),
        output: Some(Message::assistant(r#"{"friendly_response":"Coming right up!"}"#)),
        tools: [].into(),
        usage: Usage::from_totals(Some(1200), Some(1024), None, Some(310), Some(100)),
        cost: Cost::known(CostDetails {
            input: dec!(0.0000264),
            cache_read: dec!(0.0000768),
            output: dec!(0.000126),
            reasoning: dec!(0.00006),
            ..CostDetails::default()
        }),
        first_chunk: Some(at(412)),
        attempts: 1,
        server_address: Some("api.openai.com".into()),
        server_port: Some(443),
        prompt: Some(PromptLink { name: "coffee-shop".into(), version: 3 }),
        ..Generation::default()
    }
}

/// `CoffeeShopAgent.forward` > `ChainOfThought(CoffeeShop)` > `chat gpt-4o-mini`.
pub(crate) fn coffee_shop() -> Vec<Span> {
    let input =
        json!({"customer_request": "Can I get a large iced latte?", "customer_mood": "happy"});
    let output = json!({"action": {"MakeDrink": {"size": "large"}}, "friendly_response": "Coming right up!"});
    let agent = Span {
        input: Some(input.clone().into()),
        output: Some("Coming right up!".into()),
        attributes: vec![("app.counter".into(), json!(2))],
        ..span(Detail::Span)
    };
    let chain = Span {
        input: Some(input.into()),
        output: Some(output.into()),
        ..child(
            2,
            "ChainOfThought(CoffeeShop)",
            Detail::Chain(Chain { signature: Some("CoffeeShop".into()) }),
        )
    };
    let chat = child(3, "chat gpt-4o-mini", Detail::Generation(Box::new(generation())));
    let chat = Span { parent_id: Some(chain.span_id), ..chat };
    in_trace(vec![agent, chain, chat])
}

/// A model call that failed three times, its last failed attempt, and a fallback that was noted.
pub(crate) fn trouble() -> Vec<Span> {
    let call = Generation {
        output: None,
        response_model: None,
        response_id: None,
        finish_reasons: Vec::new(),
        usage: Usage::UNKNOWN,
        cost: Cost::UNKNOWN,
        first_chunk: None,
        attempts: 3,
        limiter_wait: Duration::from_millis(20),
        backoff_wait: Duration::from_millis(1500),
        retry_after_wait: Duration::from_secs(1),
        ..generation()
    };
    let status = Status::error("429", "openai: rate limit reached, asked to wait 1 s");
    let call = Span {
        status: status.clone(),
        ..child(2, "chat gpt-4o-mini", Detail::Generation(Box::new(call)))
    };
    let attempt =
        Attempt { number: 3, http_status: Some(429), retry_after: Some(Duration::from_secs(1)) };
    let attempt = Span {
        status,
        parent_id: Some(call.span_id),
        ..child(3, "attempt 3 (429)", Detail::Attempt(attempt))
    };
    let note = Note {
        at: at(700),
        name: "adapter.fallback".into(),
        message: "json schema refused, using chat".into(),
    };
    let noted = Span { notes: vec![note], ..span(Detail::Span) };
    in_trace(vec![noted, call, attempt])
}

/// One span of every other kind.
pub(crate) fn kinds() -> Vec<Span> {
    let agent = Agent { name: "ReAct(CoffeeShop)".into(), signature: Some("CoffeeShop".into()) };
    let tool = Tool {
        name: "order_drink".into(),
        call_id: Some("call_1".into()),
        description: Some("Orders a drink.".into()),
    };
    let tool = Span {
        input: Some(json!({"drink": "latte"}).into()),
        output: Some(json!(["ordered", 1]).into()),
        ..child(2, "execute_tool order_drink", Detail::Tool(tool))
    };
    let retriever = Retriever { source: Some("menu".into()), top_k: Some(5) };
    let retriever = Span {
        input: Some("iced".into()),
        output: Some(json!([{"id": "iced-latte", "score": 0.91}]).into()),
        ..child(3, "retrieval menu", Detail::Retriever(retriever))
    };
    let embedding = Embedding {
        provider: "openai".into(),
        request_model: "text-embedding-3-small".into(),
        response_model: None,
        dimensions: Some(1536),
        usage: Usage { input: Some(8), ..Usage::UNKNOWN },
        cost: Cost::known(CostDetails { input: dec!(0.00000016), ..CostDetails::default() }),
    };
    let embedding =
        child(4, "embeddings text-embedding-3-small", Detail::Embedding(Box::new(embedding)));
    let evaluator =
        Evaluator { name: "friendliness".into(), score: Some(0.9), label: Some("friendly".into()) };
    let guardrail = Guardrail { name: "no refunds over $100".into(), passed: Some(false) };
    let with_tools = Generation {
        output: Some(Message {
            role: Role::Assistant,
            parts: vec![
                Part::Reasoning("They want a drink.".into()),
                Part::ToolCall(ToolCall {
                    id: "call_1".into(),
                    name: "order_drink".into(),
                    arguments: json!({"drink": "latte"}),
                }),
            ],
        }),
        finish_reasons: vec!["tool_calls".into()],
        tools: [ToolDefinition {
            name: "order_drink".into(),
            description: "Orders a drink.".into(),
            parameters: json!({"type": "object", "properties": {"drink": {"type": "string"}}}),
        }]
        .into(),
        ..generation()
    };
    in_trace(vec![
        Span { name: "ReAct(CoffeeShop)".into(), ..span(Detail::Agent(agent)) },
        tool,
        retriever,
        embedding,
        child(5, "evaluate friendliness", Detail::Evaluator(evaluator)),
        child(6, "guard refunds", Detail::Guardrail(guardrail)),
        child(7, "chat gpt-4o-mini", Detail::Generation(Box::new(with_tools))),
        child(8, "order placed", Detail::Event),
    ])
}

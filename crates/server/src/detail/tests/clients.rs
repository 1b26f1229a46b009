//! What clients really sent, shortened, where that is more or other than the conventions say.

use super::{assert_said, check, line, read_all};
use crate::message::Message;
use crate::received::ReceivedSpan;
use glassbox_trace::span::Kind;
use serde_json::{Value, json};

const MODEL: &str = "gpt-4o-mini";
const CALL: &str = r#"get_weather({"city":"Oslo"})"#;
const RESULT: &str = r#"call_1: {"city":"Oslo","sky":"rain"}"#;

/// The span, what it says of itself besides, and its messages with the reply.
fn of(name: &str, attributes: &Value) -> (ReceivedSpan, super::SpanDetail, Vec<Message>) {
    let (span, detail) = read_all(name, attributes);
    let messages = detail.messages.iter().flatten().chain(&detail.reply).cloned().collect();
    (span, detail, messages)
}

#[test]
fn vercel_7() {
    let asked = r#"[{"role":"user","parts":[{"type":"text","content":"The weather?"}]}]"#;
    let (call, detail, messages) = of(
        "chat gpt-4o-mini",
        &json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": MODEL,
            "gen_ai.system_instructions": r#"[{"type":"text","content":"Be brief"}]"#, "gen_ai.input.messages": asked,
            "gen_ai.tool.definitions": r#"[{"type":"function","name":"get_weather","inputSchema":{"type":"object"},"description":"Tells."}]"#,
            "gen_ai.client.operation.duration": 0.105, "gen_ai.client.operation.time_to_first_chunk": 0.064,
            "gen_ai.response.finish_reasons": ["tool-calls"], "gen_ai.usage.input_tokens": 1200,
            "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 1000,
            "gen_ai.output.messages": r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"call_1","name":"get_weather","arguments":{"city":"Oslo"}}],"finish_reason":"tool_call"}]"#,
            "ai.usage.outputTokenDetails.reasoningTokens": 40,
        }),
    );
    assert_eq!(line(&call), "generation gpt-4o-mini openai 200/1000/-/60/40 0.000165 Some(64000)");
    assert_said(
        &messages,
        &[("system", "Be brief"), ("user", "The weather?"), ("assistant", CALL)],
    );
    assert_eq!(detail.tools[0].parameters, Some(json!({"type": "object"})));

    let agent = json!({
        "gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": MODEL, "gen_ai.agent.name": "weather",
        "gen_ai.input.messages": asked, "gen_ai.usage.input_tokens": 1200, "gen_ai.request.max_tokens": 500,
        "gen_ai.output.messages": r#"[{"role":"assistant","parts":[{"type":"text","content":"It rains."}],"finish_reason":"stop"}]"#,
        "ai.settings.context.userId": "ada", "ai.settings.context.sessionId": "morning",
        "ai.settings.context.tags": ["vip"], "ai.settings.context.shop": 7,
    });
    let (agent, detail, messages) = of("invoke_agent gpt-4o-mini", &agent);
    assert_eq!(line(&agent), "agent - - -/-/-/-/- - None");
    assert_said(&messages, &[("user", "The weather?"), ("assistant", "It rains.")]);
    let context = &agent.context;
    assert_eq!(context.name.as_deref(), Some("weather"));
    assert_eq!(
        (context.user_id.as_deref(), context.session_id.as_deref(), context.tags.as_slice()),
        (Some("ada"), Some("morning"), &["vip".to_owned()][..])
    );
    let shop = json!({"shop": 7});
    assert_eq!(
        (Value::Object(context.metadata.clone()), Value::Object(detail.metadata)),
        (shop.clone(), shop)
    );
    assert_eq!(Value::Object(detail.parameters), json!({"max_tokens": 500}));
    let step = json!({"gen_ai.operation.name": "agent_step"});
    assert_eq!(read_all("step 1", &step).0.kind, Kind::Chain);
}

#[test]
fn vercel_6() {
    let call = json!({
        "ai.operationId": "ai.streamText.doStream", "ai.telemetry.functionId": "weather", "ai.model.id": MODEL,
        "ai.model.provider": "openai.chat", "gen_ai.system": "openai.chat", "ai.response.text": "",
        "ai.prompt.messages": r#"[{"role":"user","content":[{"type":"text","text":"The weather?"}]},{"role":"assistant","content":[{"type":"tool-call","toolCallId":"call_1","toolName":"get_weather","input":{"city":"Oslo"}}]},{"role":"tool","content":[{"type":"tool-result","toolCallId":"call_1","toolName":"get_weather","output":{"type":"json","value":{"city":"Oslo","sky":"rain"}}}]}]"#,
        "ai.response.toolCalls": r#"[{"type":"tool-call","toolCallId":"call_2","toolName":"get_weather","input":{"city":"Oslo"}}]"#,
        "ai.usage.inputTokens": 1200, "ai.usage.outputTokens": 100,
        "ai.usage.inputTokenDetails.cacheReadTokens": 900, "ai.usage.inputTokenDetails.cacheWriteTokens": 100,
        "ai.usage.outputTokenDetails.reasoningTokens": 40, "ai.response.msToFirstChunk": 22.3,
        "ai.telemetry.metadata.userId": "ada", "ai.telemetry.metadata.tags": ["vip"], "ai.telemetry.metadata.shop": 7,
    });
    let span = check(
        &call,
        "generation gpt-4o-mini openai 200/900/100/60/40 0.0001725 Some(22300)",
        &[("user", "The weather?"), ("assistant", CALL), ("tool", RESULT), ("assistant", CALL)],
    );
    assert!(span.output_preview.unwrap().contains("call_2"));
    assert_eq!(span.context.name.as_deref(), Some("weather"));
    assert_eq!(span.context.tags, ["vip"]);
    assert_eq!(Value::Object(span.context.metadata), json!({"shop": 7}));

    let object = json!({
        "ai.operationId": "ai.generateObject.doGenerate", "ai.model.id": MODEL, "ai.model.provider": "openai.chat",
        "ai.response.object": r#"{"answer":"Paris"}"#, "ai.usage.promptTokens": 57, "ai.usage.completionTokens": 12,
    });
    let (_, _, messages) = of("ai.generateObject.doGenerate", &object);
    assert_said(&messages, &[("assistant", r#"{"answer":"Paris"}"#)]);
    let embedding = json!({
        "ai.operationId": "ai.embed.doEmbed", "ai.model.id": "text-embedding-3-small", "ai.usage.tokens": 2,
        "ai.model.provider": "openai.embedding", "ai.values": ["\"latte\""],
    });
    let embedding = read_all("ai.embed.doEmbed", &embedding).0;
    assert!(embedding.has_input);
    assert_eq!(
        line(&embedding),
        "embedding text-embedding-3-small openai 2/-/-/-/- 0.00000004 None"
    );
}

#[test]
fn pydantic_ai() {
    let (agent, detail, messages) = of(
        "invoke_agent weather_agent",
        &json!({
            "gen_ai.operation.name": "invoke_agent", "model_name": MODEL, "gen_ai.agent.name": "weather_agent",
            "gen_ai.conversation.id": "morning", "gen_ai.aggregated_usage.input_tokens": 166,
            "logfire.msg": "weather_agent run", "final_result": "It rains.",
            "gen_ai.system_instructions": r#"[{"type":"text","content":"Be brief"}]"#,
            "pydantic_ai.all_messages": r#"[{"role":"user","parts":[{"type":"text","content":"The weather?"}]},{"role":"assistant","parts":[{"type":"tool_call","id":"call_1","name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}],"finish_reason":"tool_call"},{"role":"user","parts":[{"type":"tool_call_response","id":"call_1","name":"get_weather","result":{"city":"Oslo","sky":"rain"}}]},{"role":"assistant","parts":[{"type":"text","content":"It rains."}],"finish_reason":"stop"}]"#,
        }),
    );
    assert_eq!(line(&agent), "agent - - -/-/-/-/- - None");
    assert_eq!(agent.context.name, None);
    assert_eq!(detail.output, Some(json!("It rains.")));
    assert_said(
        &messages,
        &[
            ("system", "Be brief"),
            ("user", "The weather?"),
            ("assistant", CALL),
            ("tool", RESULT),
            ("assistant", "It rains."),
        ],
    );
}

#[test]
fn langchain_by_openinference() {
    let (span, detail, messages) = of(
        "ChatOpenAI",
        &json!({
            "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o-mini-2024-07-18", "llm.provider": "openai",
            "llm.invocation_parameters": r#"{"model":"gpt-4o-mini","model_name":"gpt-4o-mini","stop":null,"temperature":0.2,"_type":"openai-chat","tools":[{"type":"function","function":{"name":"get_weather"}}]}"#,
            "input.value": r#"{"messages":[[{"lc":1,"type":"constructor","id":["langchain","schema","messages","SystemMessage"],"kwargs":{"content":"Be brief","type":"system"}},{"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],"kwargs":{"content":"The weather?","type":"human"}},{"lc":1,"type":"constructor","id":[],"kwargs":{"content":"","type":"ai","tool_calls":[{"name":"get_weather","args":{"city":"Oslo"},"id":"call_1","type":"tool_call"}]}},{"lc":1,"type":"constructor","id":[],"kwargs":{"content":"{\"city\":\"Oslo\",\"sky\":\"rain\"}","type":"tool","tool_call_id":"call_1","status":"success"}}]]}"#,
            "output.value": r#"{"generations":[[{"text":"It rains.","type":"ChatGeneration"}]]}"#,
            "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "It rains.",
            "llm.token_count.prompt": 37, "llm.token_count.completion": 7, "session.id": "morning",
            "metadata": r#"{"shop":7,"ls_provider":"openai","langgraph_step":1,"lc_versions":{},"user":null}"#,
        }),
    );
    assert_eq!(line(&span), "generation gpt-4o-mini openai 37/-/-/7/- 0.00000975 None");
    assert_said(
        &messages,
        &[
            ("system", "Be brief"),
            ("user", "The weather?"),
            ("assistant", CALL),
            ("tool", RESULT),
            ("assistant", "It rains."),
        ],
    );
    assert_eq!(Value::Object(span.context.metadata), json!({"shop": 7}));
    assert_eq!(detail.metadata["langgraph_step"], 1);
    assert_eq!(Value::Object(detail.parameters), json!({"temperature": 0.2}));
    assert_eq!(detail.tools[0].name, "get_weather");
    // A call that failed has an answer without anything in it.
    let (_, detail, _) = of(
        "ChatOpenAI",
        &json!({
            "openinference.span.kind": "LLM", "output.value": r#"{"generations":[[{"text":""}]]}"#,
            "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "",
        }),
    );
    assert_eq!(detail.reply, None);
}

#[test]
fn langchain_by_langfuse() {
    let (span, detail, messages) = of(
        "ChatOpenAI",
        &json!({
            "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini-2024-07-18",
            "langfuse.observation.metadata.ls_provider": "\"openai\"", "langfuse.trace.metadata.shop": "7",
            "langfuse.observation.input": r#"[{"role":"user","content":"The weather?"},{"role":"tool","content":{"type":"function","function":{"name":"get_weather","description":"Tells.","parameters":{"type":"object"}}}}]"#,
            "langfuse.observation.output": r#"{"role":"assistant","content":"","tool_calls":[{"name":"get_weather","args":{"city":"Oslo"},"id":"call_1","type":"tool_call"}],"additional_kwargs":{"refusal":null}}"#,
            "langfuse.observation.usage_details": r#"{"input":37,"output":7,"total":44,"input_audio":0,"input_cache_read":0,"output_audio":0,"output_reasoning":0}"#,
        }),
    );
    assert_eq!(line(&span), "generation gpt-4o-mini-2024-07-18 openai 37/0/-/7/0 0.00000975 None");
    assert_said(&messages, &[("user", "The weather?"), ("assistant", CALL)]);
    assert_eq!(detail.tools[0].description.as_deref(), Some("Tells."));
}

#[test]
fn litellm() {
    let otel = json!({
        "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": MODEL,
        "llm.request.type": "completion", "gen_ai.cost.total_cost": 8.999_999_999_999_999e-6,
        "gen_ai.usage.input_tokens": 32, "gen_ai.usage.output_tokens": 7, "metadata.user_api_key_hash": "",
        "llm.request.functions.0.name": "get_weather", "llm.request.functions.0.parameters": r#"{"type":"object"}"#,
        "gen_ai.input.messages": r#"[{"role":"user","parts":[{"type":"text","content":"The weather?"}]}]"#,
        "gen_ai.output.messages": r#"[{"role":"assistant","parts":[],"finish_reason":"tool_calls"}]"#,
        "gen_ai.response.finish_reasons": r#"["tool_calls"]"#,
        "gen_ai.completion.0.function_call.arguments": r#"{"city":"Oslo"}"#,
        "gen_ai.completion.0.function_call.name": "get_weather",
    });
    let (span, detail, messages) = of("litellm_request", &otel);
    assert_eq!(line(&span), "generation gpt-4o-mini openai 32/-/-/7/- 0.000009 None");
    assert_said(&messages, &[("user", "The weather?"), ("assistant", CALL)]);
    assert_eq!(detail.tools[0].parameters, Some(json!({"type": "object"})));
    assert_eq!(detail.finish_reasons, ["tool_calls"]);

    // It says `TOOL` of a model call.
    let langfuse = json!({
        "openinference.span.kind": "TOOL", "llm.model_name": "openai/gpt-4o-mini", "llm.provider": "openai",
        "llm.token_count.prompt": 32, "llm.token_count.completion": 7, "llm.output_messages.0.message.content": "",
        "langfuse.observation.input": r#"[{"role":"user","content":"The weather?"}]"#,
        "langfuse.observation.output": r#"[{"id":"chatcmpl-1","name":"get_weather","call_id":"call_1","type":"function_call","arguments":{"city":"Oslo"}}]"#,
    });
    let (span, _, messages) = of("litellm_request", &langfuse);
    assert_eq!(line(&span), "generation gpt-4o-mini openai 32/-/-/7/- 0.000009 None");
    assert_said(&messages, &[("user", "The weather?"), ("assistant", CALL)]);
}

#[test]
fn tokens_of_the_cache_count_once_whoever_counted() {
    // Version 5 of Vercel's SDK hands Anthropic's own counts on.
    let vercel = json!({
        "ai.operationId": "ai.streamText.doStream", "ai.model.id": "claude-sonnet-4-5", "ai.model.provider": "anthropic.messages",
        "ai.usage.inputTokens": 57, "ai.usage.cachedInputTokens": 7168, "ai.usage.outputTokens": 4,
    });
    check(&vercel, "generation claude-sonnet-4-5 anthropic 57/7168/-/4/- 0.0023814 None", &[]);
    let litellm = json!({
        "openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-5", "llm.provider": "anthropic",
        "llm.token_count.prompt": 10974, "llm.token_count.completion": 4,
        "metadata": r#"{"usage_object":{"completion_tokens":4,"prompt_tokens":10974,"total_tokens":10978,"prompt_tokens_details":{"cached_tokens":10917},"cache_creation_input_tokens":0,"cache_read_input_tokens":10917}}"#,
    });
    check(&litellm, "generation claude-sonnet-4-5 anthropic 57/10917/0/4/- 0.0035061 None", &[]);
}

#[test]
fn dspy_rb() {
    let said =
        r#"[{"role":"system","content":"You sell coffee"},{"role":"user","content":"A joke"}]"#;
    let answer = r#"{"reasoning":"They are sad.","action":{"punchline":"It got mugged."}}"#;
    let call = json!({
        "langfuse.observation.type": "generation", "langfuse.observation.input": said, "gen_ai.prompt": said,
        "langfuse.observation.output": answer, "gen_ai.completion": answer, "gen_ai.system": "openai",
        "gen_ai.request.model": MODEL, "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.usage.prompt_tokens": 1200, "gen_ai.usage.completion_tokens": 100, "gen_ai.usage.total_tokens": 1300,
        "dspy.signature": "CoffeeShopSignature", "duration.ms": 12.3,
    });
    let (span, _, messages) = of("llm.generate", &call);
    assert_eq!(line(&span), "generation gpt-4o-mini openai 1200/-/-/100/- 0.00024 None");
    let expected = r#"{"reasoning":"They are sad.","action":{"punchline":"It got mugged."}}"#;
    assert_said(
        &messages,
        &[("system", "You sell coffee"), ("user", "A joke"), ("assistant", expected)],
    );
    let module = json!({
        "langfuse.observation.type": "chain", "langfuse.trace.name": "DSPy::ChainOfThought.forward",
        "langfuse.observation.input": r#"{"request":"A joke"}"#, "langfuse.observation.output": answer,
        "dspy.module": "DSPy::ChainOfThought",
    });
    let (module, detail, messages) = of("DSPy::ChainOfThought.forward", &module);
    assert_eq!((module.kind, messages), (Kind::Chain, Vec::new()));
    assert_eq!(detail.input, Some(json!({"request": "A joke"})));
}

#[test]
fn items_of_openai_s_responses() {
    check(
        &json!({
            "langfuse.observation.type": "generation", "langfuse.observation.model.name": MODEL,
            "langfuse.observation.input": r#"[{"role":"user","content":[{"type":"input_text","text":"The weather?"}]},{"type":"function_call","id":"fc_1","call_id":"call_1","name":"get_weather","arguments":"{\"city\":\"Oslo\"}"},{"type":"function_call_output","call_id":"call_1","output":"{\"city\":\"Oslo\",\"sky\":\"rain\"}"}]"#,
            "langfuse.observation.output": r#"[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Once more."}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"It rains."}]}]"#,
        }),
        "generation gpt-4o-mini - -/-/-/-/- - None",
        &[
            ("user", "The weather?"),
            ("assistant", CALL),
            ("tool", RESULT),
            ("assistant", r#"Reasoning { text: "Once more." }|It rains."#),
        ],
    );
}

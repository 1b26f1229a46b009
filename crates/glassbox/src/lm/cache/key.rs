//! What makes two requests the same: a hash of all that the answer depends on.

use crate::lm::Inner;
use crate::lm::request::Request;
use glassbox_trace::message::{Message, Part};
use glassbox_trace::span::Parameters;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The hash of a request.
pub(crate) type Key = [u8; 32];

/// Changes when the same request would be written otherwise, so that old files are not misread.
const VERSION: u32 = 1;

/// Hashes all that an answer depends on. The key of the provider is not part of it, and neither is streaming.
pub(crate) fn key(lm: &Inner, parameters: &Parameters, request: &Request) -> Key {
    let schema = request.schema.as_ref().map(|schema| json!([schema.name, schema.schema]));
    let tools: Vec<_> = request
        .tools
        .iter()
        .map(|tool| json!([&*tool.name, &*tool.description, tool.parameters]))
        .collect();
    let stops: Vec<_> = parameters.stop_sequences.iter().map(|stop| &**stop).collect();
    let whole = json!({
        "version": VERSION,
        "provider": &*lm.provider,
        "base_url": lm.base_url().map(url::Url::as_str),
        "model": &*lm.model,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "max_tokens": parameters.max_tokens,
        "seed": parameters.seed,
        "stop": stops,
        "reasoning_effort": parameters.reasoning_effort.as_deref(),
        "service_tier": parameters.service_tier.as_deref(),
        "messages": request.messages.iter().map(message).collect::<Vec<_>>(),
        "schema": schema,
        "tools": tools,
        "rollout": request.rollout,
    });
    Sha256::digest(whole.to_string().as_bytes()).into()
}

fn message(message: &Message) -> Value {
    let parts: Vec<_> = message.parts.iter().map(part).collect();
    json!([message.role.as_str(), parts])
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!(["text", &**text]),
        Part::Reasoning(text) => json!(["reasoning", &**text]),
        Part::ToolCall(call) => json!(["call", &*call.id, &*call.name, call.arguments]),
        Part::ToolResult(result) => json!(["result", &*result.id, result.result]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::{Lm, LmBuilder, ResponseSchema};
    use glassbox_trace::message::ToolDefinition;
    use std::collections::HashSet;
    use std::sync::Arc;

    #[test]
    fn whatever_differs_makes_another_key() {
        let lm = || Lm::builder("openai/one").base_url("http://one.example/v1").api_key("a");
        let question = || Request::new([Message::user("Why?")]);
        let of = |lm: LmBuilder, request: Request| {
            let lm = lm.build().unwrap();
            key(&lm.0, &lm.0.parameters, &request)
        };
        let tool =
            ToolDefinition { name: "t".into(), description: "d".into(), parameters: json!({}) };
        let schema = ResponseSchema { name: "s".to_owned(), schema: json!({}) };
        let keys = [
            of(lm(), question()),
            of(lm().temperature(0.5), question()),
            of(lm().top_p(0.5), question()),
            of(lm().seed(1), question()),
            of(lm().max_tokens(5), question()),
            of(lm().stop_sequence("."), question()),
            of(lm().reasoning_effort("low"), question()),
            of(lm().service_tier("flex"), question()),
            of(lm().base_url("http://two.example/v1"), question()),
            of(Lm::builder("openai/two").base_url("http://one.example/v1"), question()),
            of(Lm::builder("groq/one").base_url("http://one.example/v1"), question()),
            of(lm(), Request::new([Message::user("Why not?")])),
            of(lm(), Request::new([Message::system("Why?")])),
            of(lm(), Request::new([Message::user("Wh"), Message::user("y?")])),
            of(lm(), Request { rollout: Some(0), ..question() }),
            of(lm(), Request { rollout: Some(1), ..question() }),
            of(lm(), Request { tools: Arc::new([tool]), ..question() }),
            of(lm(), Request { schema: Some(Arc::new(schema)), ..question() }),
        ];
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        // What does not change the answer does not change the key.
        assert_eq!(keys[0], of(lm().api_key("b").stream(true), question()));
    }
}

//! What a provider's own words tell of an answer: its id, the model that gave it, why it stopped, what it used.
//!
//! It is read from the raw body, since the transport below normalises unknown counts to zero and drops ids.

use genai::adapter::AdapterKind;
use glassbox_trace::usage::Usage;
use serde_json::{Value, json};
use std::sync::Arc;

/// The families of protocols, by the shape of their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

impl Wire {
    pub(crate) const fn of(kind: AdapterKind) -> Self {
        match kind {
            AdapterKind::Anthropic => Self::Anthropic,
            AdapterKind::Gemini => Self::Gemini,
            AdapterKind::Ollama => Self::Ollama,
            _ => Self::OpenAi,
        }
    }
}

/// The facts of an answer, gathered from one body or from the frames of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnswerFacts {
    pub(crate) id: Option<Arc<str>>,
    pub(crate) model: Option<Arc<str>>,
    pub(crate) finish_reason: Option<Arc<str>>,
    /// Why the model or the provider declined to answer.
    pub(crate) refusal: Option<Arc<str>>,
    /// The provider's usage object, or null; frames of a stream add to it.
    usage: Value,
}

impl AnswerFacts {
    /// Tells whether nothing of the protocol was found in what came.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.id, &self.model, &self.finish_reason, &self.refusal]
            .iter()
            .all(|fact| fact.is_none())
            && self.usage.is_null()
    }

    /// Takes over what a body or a frame tells.
    pub(crate) fn read(&mut self, wire: Wire, body: &Value) {
        match wire {
            Wire::OpenAi => self.read_openai(body),
            Wire::Anthropic => self.read_anthropic(body),
            Wire::Gemini => self.read_gemini(body),
            Wire::Ollama => self.read_ollama(body),
        }
    }

    /// Returns the tokens used, in exclusive buckets.
    pub(crate) fn usage(&self, wire: Wire) -> Usage {
        let usage = &self.usage;
        match wire {
            _ if usage.is_null() => Usage::UNKNOWN,
            Wire::OpenAi => Usage::from_openai(usage),
            Wire::Anthropic => Usage::from_anthropic(usage),
            Wire::Gemini => Usage::from_gemini(usage),
            Wire::Ollama => Usage::from_ollama(usage),
        }
    }

    /// Returns what an answer that broke off had used, as far as the provider told. The output stays unknown where it is
    /// counted at the end only: Anthropic begins with one token.
    pub(crate) fn usage_so_far(&self, wire: Wire) -> Usage {
        let usage = self.usage(wire);
        match wire {
            Wire::Anthropic if self.finish_reason.is_none() => {
                Usage { output: None, reasoning: None, ..usage }
            }
            _ => usage,
        }
    }

    fn read_openai(&mut self, body: &Value) {
        take(&mut self.id, &body["id"]);
        take(&mut self.model, &body["model"]);
        take(&mut self.finish_reason, &body["choices"][0]["finish_reason"]);
        take(&mut self.refusal, &body["choices"][0]["message"]["refusal"]);
        // A stream refuses word by word.
        let more = body["choices"][0]["delta"]["refusal"].as_str().unwrap_or_default();
        if !more.is_empty() {
            let said = self.refusal.as_deref().unwrap_or_default();
            self.refusal = Some(format!("{said}{more}").into());
        }
        self.add_usage(&body["usage"]);
    }

    fn read_anthropic(&mut self, body: &Value) {
        // A stream wraps the message in `message_start` and ends it with `message_delta`.
        for message in [body, &body["message"], &body["delta"]] {
            take(&mut self.id, &message["id"]);
            take(&mut self.model, &message["model"]);
            take(&mut self.finish_reason, &message["stop_reason"]);
            self.add_usage(&message["usage"]);
        }
    }

    fn read_gemini(&mut self, body: &Value) {
        take(&mut self.id, &body["responseId"]);
        take(&mut self.model, &body["modelVersion"]);
        take(&mut self.finish_reason, &body["candidates"][0]["finishReason"]);
        take(&mut self.refusal, &body["promptFeedback"]["blockReason"]);
        self.add_usage(&body["usageMetadata"]);
    }

    fn read_ollama(&mut self, body: &Value) {
        take(&mut self.model, &body["model"]);
        take(&mut self.finish_reason, &body["done_reason"]);
        for key in ["prompt_eval_count", "eval_count"] {
            if let Some(count) = body.get(key) {
                self.add_usage(&json!({ key: count }));
            }
        }
    }

    fn add_usage(&mut self, usage: &Value) {
        let Some(news) = usage.as_object().filter(|news| !news.is_empty()) else { return };
        match &mut self.usage {
            Value::Object(known) => {
                known.extend(news.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => self.usage = usage.clone(),
        }
    }
}

fn take(slot: &mut Option<Arc<str>>, value: &Value) {
    if let Some(text) = value.as_str().filter(|text| !text.is_empty()) {
        *slot = Some(text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_anthropics_adds_up() {
        let mut facts = AnswerFacts::default();
        facts.read(
            Wire::Anthropic,
            &json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-x",
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}}}),
        );
        facts.read(
            Wire::Anthropic,
            &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 7}}),
        );
        assert_eq!(facts.id.as_deref(), Some("msg_1"));
        assert_eq!(facts.finish_reason.as_deref(), Some("end_turn"));
        let usage = facts.usage(Wire::Anthropic);
        assert_eq!((usage.input, usage.cache_read, usage.output), (Some(10), Some(5), Some(7)));
    }

    #[test]
    fn a_stream_refuses_word_by_word() {
        let mut facts = AnswerFacts::default();
        for delta in [
            json!({"role": "assistant", "refusal": null}),
            json!({"refusal": "I will "}),
            json!({"refusal": "not."}),
        ] {
            facts.read(Wire::OpenAi, &json!({ "choices": [{ "delta": delta }] }));
        }
        assert_eq!(facts.refusal.as_deref(), Some("I will not."));
    }

    #[test]
    fn an_answer_without_usage_is_unknown_and_not_zero() {
        let mut facts = AnswerFacts::default();
        facts.read(
            Wire::OpenAi,
            &json!({"id": "x", "choices": [{"finish_reason": "stop"}], "usage": null}),
        );
        assert!(facts.usage(Wire::OpenAi).is_unknown());
    }
}

//! What kind of work a span is.

use super::keys;
use crate::wire::{Any, WireSpan};
use glassbox_trace::span::Kind;
use glassbox_trace::vocabulary::dialects::{openinference as inference, traceloop, vercel};
use glassbox_trace::vocabulary::{gen_ai, glassbox, langfuse, openinference};

/// Reads the kind: what is said outright first, then what the attributes betray.
pub(super) fn kind(wire: &WireSpan<'_>) -> Kind {
    let attributes = &wire.attributes;
    let said = |key: &str, read: fn(&str) -> Option<Kind>| {
        attributes.get(key).and_then(Any::as_text).and_then(read)
    };
    // LiteLLM says `TOOL` of a model call that was answered with calls of tools.
    let is_model_call = || attributes.get(inference::TOKENS_PROMPT).is_some();
    said(glassbox::KIND, own)
        .or_else(|| said(langfuse::OBSERVATION_TYPE, of_langfuse))
        .or_else(|| match said(openinference::SPAN_KIND, of_openinference) {
            Some(Kind::Tool) if is_model_call() => Some(Kind::Generation),
            kind => kind,
        })
        .or_else(|| said(gen_ai::OPERATION_NAME, of_operation))
        .or_else(|| said(vercel::OPERATION_ID, of_vercel))
        .or_else(|| said(traceloop::SPAN_KIND, of_traceloop))
        .or_else(|| said(traceloop::REQUEST_TYPE, of_request_type))
        .or_else(|| attributes.text(keys::TOOL_NAME).map(|_| Kind::Tool))
        .or_else(|| keys::model(attributes).map(|_| Kind::Generation))
        .unwrap_or(Kind::Span)
}

fn own(name: &str) -> Option<Kind> {
    match name {
        "span" | "attempt" => Some(Kind::Span),
        "event" => Some(Kind::Event),
        _ => None,
    }
}

pub(crate) fn of_langfuse(name: &str) -> Option<Kind> {
    let kinds = [
        Kind::Span,
        Kind::Event,
        Kind::Generation,
        Kind::Agent,
        Kind::Tool,
        Kind::Chain,
        Kind::Retriever,
        Kind::Embedding,
        Kind::Evaluator,
        Kind::Guardrail,
    ];
    kinds.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
}

fn of_openinference(name: &str) -> Option<Kind> {
    Some(match name.to_ascii_uppercase().as_str() {
        "LLM" => Kind::Generation,
        "EMBEDDING" => Kind::Embedding,
        "CHAIN" | "PROMPT" => Kind::Chain,
        "RETRIEVER" | "RERANKER" => Kind::Retriever,
        "TOOL" => Kind::Tool,
        "AGENT" => Kind::Agent,
        "GUARDRAIL" => Kind::Guardrail,
        "EVALUATOR" => Kind::Evaluator,
        _ => return None,
    })
}

fn of_operation(name: &str) -> Option<Kind> {
    Some(match name {
        "chat" | "completion" | "text_completion" | "generate_content" | "generate" => {
            Kind::Generation
        }
        "embeddings" => Kind::Embedding,
        "execute_tool" => Kind::Tool,
        "invoke_agent" | "create_agent" => Kind::Agent,
        "retrieval" | "search_memory" => Kind::Retriever,
        // The last one is Vercel's.
        "invoke_workflow" | "plan" | "agent_step" => Kind::Chain,
        _ => return None,
    })
}

/// The outer spans of the AI SDK repeat the usage of the inner ones, which are the model calls.
fn of_vercel(name: &str) -> Option<Kind> {
    Some(match name {
        vercel::TOOL_CALL => Kind::Tool,
        name if name.ends_with(".doEmbed") => Kind::Embedding,
        name if name.ends_with(".doGenerate") || name.ends_with(".doStream") => Kind::Generation,
        name if name.starts_with("ai.") => Kind::Chain,
        _ => return None,
    })
}

fn of_traceloop(name: &str) -> Option<Kind> {
    Some(match name {
        "workflow" => Kind::Chain,
        "agent" => Kind::Agent,
        "tool" => Kind::Tool,
        "task" => Kind::Span,
        _ => return None,
    })
}

fn of_request_type(name: &str) -> Option<Kind> {
    Some(match name {
        "chat" | "completion" => Kind::Generation,
        "embedding" => Kind::Embedding,
        "rerank" => Kind::Retriever,
        _ => return None,
    })
}

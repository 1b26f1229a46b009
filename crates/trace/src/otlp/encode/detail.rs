//! The facts that are the same in both profiles but for their keys.

use crate::otlp::field::{
    AGENT_NAME, ATTEMPTS, BACKOFF_WAIT, CACHE_HIT, DIMENSIONS, EVALUATION, FINISH_REASONS,
    GUARDRAIL, HTTP_STATUS, LABEL, LIMITER_WAIT, OUTPUT_TYPE, PASSED, PROVIDER, RESPONSE_ID,
    RETRY_AFTER, RETRY_AFTER_WAIT, SCORE, SERVER_ADDRESS, SERVER_PORT, SIGNATURE, SOURCE,
    TOKENS_PER_SECOND, TOOL_CALL_ID, TOOL_DESCRIPTION, TOOL_NAME, TOP_K,
};
use crate::otlp::writer::Writer;
use crate::span::{Detail, Generation, OutputType, Span};

/// Writes what a span of this kind has.
pub(super) fn write(span: &Span, out: &mut Writer<'_>) {
    match &span.detail {
        Detail::Span | Detail::Event => {}
        Detail::Generation(generation) => {
            write_generation(generation, out);
            out.number(&TOKENS_PER_SECOND, span.tokens_per_second());
        }
        Detail::Attempt(attempt) => {
            out.optional_count(&HTTP_STATUS, attempt.http_status);
            if let Some(wait) = attempt.retry_after {
                out.seconds(&RETRY_AFTER, wait);
            }
        }
        Detail::Agent(agent) => {
            out.name(&AGENT_NAME, &agent.name);
            out.optional_text(&SIGNATURE, agent.signature.as_ref());
        }
        Detail::Tool(tool) => {
            out.name(&TOOL_NAME, &tool.name);
            out.optional_text(&TOOL_CALL_ID, tool.call_id.as_ref());
            out.optional_text(&TOOL_DESCRIPTION, tool.description.as_ref());
        }
        Detail::Chain(chain) => out.optional_text(&SIGNATURE, chain.signature.as_ref()),
        Detail::Retriever(retriever) => {
            out.optional_text(&SOURCE, retriever.source.as_ref());
            out.optional_count(&TOP_K, retriever.top_k);
        }
        Detail::Embedding(embedding) => {
            out.name(&PROVIDER, &embedding.provider);
            out.optional_count(&DIMENSIONS, embedding.dimensions);
        }
        Detail::Evaluator(evaluator) => {
            out.name(&EVALUATION, &evaluator.name);
            out.number(&SCORE, evaluator.score);
            out.optional_text(&LABEL, evaluator.label.as_ref());
        }
        Detail::Guardrail(guardrail) => {
            out.name(&GUARDRAIL, &guardrail.name);
            if let Some(passed) = guardrail.passed {
                out.flag(&PASSED, passed);
            }
        }
    }
}

fn write_generation(generation: &Generation, out: &mut Writer<'_>) {
    out.name(&PROVIDER, &generation.provider);
    out.optional_text(&RESPONSE_ID, generation.response_id.as_ref());
    out.texts(&FINISH_REASONS, &generation.finish_reasons);
    if let Some(kind) = generation.output_type {
        out.word(&OUTPUT_TYPE, output_type(kind));
    }
    out.positive_count(&ATTEMPTS, generation.attempts.into());
    out.wait(&LIMITER_WAIT, generation.limiter_wait);
    out.wait(&BACKOFF_WAIT, generation.backoff_wait);
    out.wait(&RETRY_AFTER_WAIT, generation.retry_after_wait);
    out.only_true(&CACHE_HIT, generation.cache_hit);
    out.optional_text(&SERVER_ADDRESS, generation.server_address.as_ref());
    out.optional_count(&SERVER_PORT, generation.server_port);
}

const fn output_type(output_type: OutputType) -> &'static str {
    match output_type {
        OutputType::Text => "text",
        OutputType::Json => "json",
    }
}

//! Traces, observations and scores as Langfuse's API shows them, so that its clients read what they sent.
//!
//! Ids are ours: 32 and 16 hex digits. What Langfuse has and we do not, such as its own prices of a model, is `null`.

use crate::detail::SpanDetail;
use crate::received::{State, TraceContext};
use crate::view::{GroupSummary, ScoreView, TraceSummary};
use glassbox_trace::usage::Usage;
use glassbox_trace::vocabulary::langfuse as keys;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Map, Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// The project that everything belongs to.
pub const PROJECT: &str = "glassbox";

/// The environment of what names none.
pub const DEFAULT_ENVIRONMENT: &str = "default";

/// Shows an instant, microseconds since the epoch, as `2026-01-01T00:00:00.000Z`.
#[must_use]
pub fn instant(us: i64) -> String {
    // 9999 is the last year that can be written.
    let us = u64::try_from(us).unwrap_or(0).min(253_402_300_799_000_000);
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_micros(us)).to_string()
}

fn dollars(pico: Option<i64>) -> Option<f64> {
    Decimal::new(pico?, 12).to_f64()
}

fn seconds(us: Option<i64>) -> Option<f64> {
    us.map(|us| us as f64 / 1e6)
}

/// Shows tokens by Langfuse's names of the buckets.
#[must_use]
pub fn usage_details(usage: &Usage) -> Map<String, Value> {
    let buckets = [
        ("input", usage.input),
        ("input_cached_tokens", usage.cache_read),
        ("input_cache_creation", usage.cache_write),
        ("output", usage.output),
        ("output_reasoning_tokens", usage.reasoning),
        ("total", (!usage.is_unknown()).then(|| usage.total())),
    ];
    buckets
        .into_iter()
        .filter_map(|(name, tokens)| Some((name.to_owned(), tokens?.into())))
        // A bucket that nothing is in is not told, as Langfuse does.
        .filter(|(name, tokens): &(String, Value)| {
            matches!(name.as_str(), "input" | "output" | "total") || *tokens != json!(0)
        })
        .collect()
}

/// Shows a span as an observation.
#[must_use]
pub fn observation(detail: SpanDetail, context: &TraceContext, trace_name: Option<&str>) -> Value {
    let span = detail.summary;
    let usage = span.tokens.map(|tokens| tokens.0).unwrap_or_default();
    let cost = dollars(span.cost_usd.map(|dollars| dollars.0));
    let (sent, answered) = (
        usage.input.unwrap_or(0) + usage.cache_read.unwrap_or(0) + usage.cache_write.unwrap_or(0),
        usage.output.unwrap_or(0) + usage.reasoning.unwrap_or(0),
    );
    let attribute = |key: &str| detail.attributes.get(key);
    let level = attribute(keys::OBSERVATION_LEVEL)
        .and_then(Value::as_str)
        .map(str::to_ascii_uppercase)
        .filter(|level| matches!(level.as_str(), "DEBUG" | "DEFAULT" | "WARNING" | "ERROR"));
    let of_state = if span.state == State::Error { "ERROR" } else { "DEFAULT" };
    let said = attribute(keys::OBSERVATION_STATUS_MESSAGE).and_then(Value::as_str);
    let first_chunk = span.phases.as_ref().and_then(|phases| phases.first_chunk_us);
    let started = instant(span.start_us);
    let core = json!({
        "id": span.span_id,
        "traceId": span.trace_id,
        "projectId": PROJECT,
        "parentObservationId": span.parent_id,
        "isRootObservation": span.parent_id.is_none(),
        "type": span.kind.to_ascii_uppercase(),
        "name": span.name,
        "startTime": started,
        "endTime": span.end_us.map(instant),
        "completionStartTime": first_chunk.map(|us| instant(span.start_us.saturating_add(us))),
        "createdAt": started,
        "updatedAt": span.end_us.map_or(started.clone(), instant),
        "level": level.as_deref().unwrap_or(of_state),
        "statusMessage": said.or(span.error.as_ref().map(|error| error.message.as_str())),
        "version": context.version,
        "release": context.release,
        "environment": context.environment.as_deref().unwrap_or(DEFAULT_ENVIRONMENT),
        "userId": context.user_id,
        "sessionId": context.session_id,
        "traceName": trace_name,
        "tags": context.tags,
        "bookmarked": false,
        "public": false,
    });
    let content = json!({
        "input": detail.input,
        "output": detail.output,
        "metadata": detail.metadata,
        "model": span.model,
        "providedModelName": span.model,
        "internalModelId": null,
        "modelId": null,
        "modelParameters": detail.parameters,
        "inputPrice": null,
        "outputPrice": null,
        "totalPrice": null,
        "promptId": null,
        "promptName": attribute(keys::OBSERVATION_PROMPT_NAME),
        "promptVersion": attribute(keys::OBSERVATION_PROMPT_VERSION),
    });
    let numbers = json!({
        "usage": {
            "input": sent,
            "output": answered,
            "total": usage.total(),
            "unit": "TOKENS",
            "inputCost": null,
            "outputCost": null,
            "totalCost": cost,
        },
        "usageDetails": usage_details(&usage),
        "costDetails": cost.map(|cost| json!({ "total": cost })).unwrap_or_else(|| json!({})),
        "totalCost": cost,
        "calculatedInputCost": null,
        "calculatedOutputCost": null,
        "calculatedTotalCost": cost,
        "promptTokens": sent,
        "completionTokens": answered,
        "totalTokens": usage.total(),
        "unit": "TOKENS",
        "latency": seconds(span.duration_us),
        "timeToFirstToken": seconds(first_chunk),
    });
    let parts = [core, content, numbers];
    let fields = parts.into_iter().filter_map(|part| match part {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    fields.flatten().collect::<Map<_, _>>().into()
}

/// Shows a trace, with what went into and came out of it as a whole.
#[must_use]
pub fn trace(trace: &TraceSummary, input: Option<&Value>, output: Option<&Value>) -> Value {
    let started = instant(trace.start_us);
    json!({
        "id": trace.trace_id,
        "projectId": PROJECT,
        "timestamp": started,
        "createdAt": started,
        "updatedAt": trace.end_us.map_or(started.clone(), instant),
        "name": trace.name,
        "input": input,
        "output": output,
        "sessionId": trace.session_id,
        "userId": trace.user_id,
        "release": trace.release,
        "version": trace.version,
        "environment": trace.environment.as_deref().unwrap_or(DEFAULT_ENVIRONMENT),
        "metadata": trace.metadata,
        "tags": trace.tags,
        "public": false,
        "bookmarked": false,
        "externalId": null,
        "htmlPath": format!("/trace/{}", trace.trace_id),
        "latency": seconds(trace.duration_us).unwrap_or(0.0),
        "totalCost": dollars(trace.cost_usd.map(|dollars| dollars.0)).unwrap_or(0.0),
    })
}

/// Shows a session.
#[must_use]
pub fn session(session: &GroupSummary) -> Value {
    json!({
        "id": session.session_id,
        "createdAt": instant(session.first_us),
        "projectId": PROJECT,
        "environment": DEFAULT_ENVIRONMENT,
    })
}

/// Shows a score. Texts are categories, as Langfuse takes them when nothing else is said.
#[must_use]
pub fn score(score: &ScoreView) -> Value {
    let at = instant(score.at_us);
    let mut shown = json!({
        "id": score.id,
        "projectId": PROJECT,
        "traceId": score.trace_id,
        "observationId": score.span_id,
        "sessionId": null,
        "datasetRunId": null,
        "name": score.name,
        "source": "API",
        "timestamp": at,
        "createdAt": at,
        "updatedAt": at,
        "authorUserId": null,
        "comment": score.comment,
        "metadata": {},
        "configId": null,
        "queueId": null,
        "environment": DEFAULT_ENVIRONMENT,
    });
    let (kind, value, text) = match &score.value {
        Value::Bool(flag) => {
            ("BOOLEAN", json!(i32::from(*flag)), Some(if *flag { "True" } else { "False" }))
        }
        Value::String(text) => ("CATEGORICAL", json!(0), Some(text.as_str())),
        number => ("NUMERIC", number.clone(), None),
    };
    shown["dataType"] = kind.into();
    shown["value"] = value;
    if let Some(text) = text {
        shown["stringValue"] = text.into();
    }
    shown
}

/// Shows a score as the third version of the API does: with a value of its own type, and the groups of fields that are
/// asked for.
#[must_use]
pub fn score_v3(score: &ScoreView, environment: Option<Value>, groups: &[&str]) -> Value {
    let at = instant(score.at_us);
    let kind = match &score.value {
        Value::Bool(_) => "BOOLEAN",
        Value::String(_) => "CATEGORICAL",
        _ => "NUMERIC",
    };
    let mut shown = json!({
        "id": score.id,
        "projectId": PROJECT,
        "name": score.name,
        "value": score.value,
        "dataType": kind,
        "source": "API",
        "timestamp": at,
        "createdAt": at,
        "updatedAt": at,
        "environment": environment.unwrap_or_else(|| DEFAULT_ENVIRONMENT.into()),
    });
    for group in groups {
        let fields = match *group {
            "details" => json!({ "comment": score.comment, "configId": null, "metadata": {} }),
            "annotation" => json!({ "authorUserId": null, "queueId": null }),
            _ => json!({ "subject": match &score.span_id {
                Some(span) => json!({ "kind": "observation", "id": span, "traceId": score.trace_id }),
                None => json!({ "kind": "trace", "id": score.trace_id }),
            } }),
        };
        if let (Value::Object(shown), Value::Object(fields)) = (&mut shown, fields) {
            shown.extend(fields);
        }
    }
    shown
}

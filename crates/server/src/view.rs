//! The shapes of the query API: what leaves the server as JSON.

use crate::received::{ErrorInfo, Note, Phases, ReceivedSpan, State, TraceContext};
use glassbox_trace::usage::Usage;
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Tokens in buckets that exclude one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens(pub Usage);

impl Serialize for Tokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let Usage { input, cache_read, cache_write, output, reasoning } = self.0;
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("input", &input)?;
        map.serialize_entry("cache_read", &cache_read)?;
        map.serialize_entry("cache_write", &cache_write)?;
        map.serialize_entry("output", &output)?;
        map.serialize_entry("reasoning", &reasoning)?;
        let total = (!self.0.is_unknown()).then(|| self.0.total());
        map.serialize_entry("total", &total)?;
        map.end()
    }
}

impl JsonSchema for Tokens {
    fn schema_name() -> Cow<'static, str> {
        "Tokens".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let bucket =
            |what: &str| json_schema!({ "type": ["integer", "null"], "description": what });
        json_schema!({
            "description": "Tokens in buckets that exclude one another; null is unknown",
            "type": "object",
            "properties": {
                "input": bucket("Read for the full price"),
                "cache_read": bucket("Read from the provider's cache"),
                "cache_write": bucket("Written to the provider's cache"),
                "output": bucket("Written by the model, without its reasoning"),
                "reasoning": bucket("Written by the model while it was thinking"),
                "total": bucket("All of them together"),
            },
            "required": ["input", "cache_read", "cache_write", "output", "reasoning", "total"],
        })
    }
}

/// An amount in millionths of a millionth of a dollar; written in dollars, as a text of decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dollars(pub i64);

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Decimal::new(self.0, 12).normalize())
    }
}

impl JsonSchema for Dollars {
    fn schema_name() -> Cow<'static, str> {
        "Dollars".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "US dollars in decimal digits, such as \"0.0081\"" })
    }
}

/// A trace in a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TraceSummary {
    /// 32 hex digits.
    pub trace_id: String,
    /// Its own name, or that of its root.
    pub name: String,
    /// How far it has come: running while a span is, failed if its root failed.
    pub state: State,
    /// When its first span began, microseconds since the epoch.
    pub start_us: i64,
    /// When its last span ended; `None` while it is running.
    pub end_us: Option<i64>,
    /// From the one to the other.
    pub duration_us: Option<i64>,
    /// How many spans have arrived.
    pub spans: i64,
    /// How many of them are running.
    pub open_spans: i64,
    /// How many of them failed.
    pub errors: i64,
    /// How many of them are model calls.
    pub model_calls: i64,
    /// How many attempts of model calls there were beyond the first ones.
    pub retries: i64,
    /// How many model calls the program's own cache answered.
    pub cache_hits: i64,
    /// The tokens of all model calls; each counted once.
    pub tokens: Tokens,
    /// The cost of all model calls whose cost is known; `None` if none is.
    pub cost_usd: Option<Dollars>,
    /// The models that were called, in alphabetical order.
    pub models: Vec<String>,
    /// The conversation.
    pub session_id: Option<String>,
    /// The end user.
    pub user_id: Option<String>,
    /// Where the program runs.
    pub environment: Option<String>,
    /// The release of the program.
    pub release: Option<String>,
    /// The version of the program.
    pub version: Option<String>,
    /// The service that sent it.
    pub service: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Further facts.
    pub metadata: Map<String, Value>,
    /// How the input of the root begins.
    pub input_preview: Option<String>,
    /// How the output of the root begins.
    pub output_preview: Option<String>,
    /// Counts changes of the store; later is larger.
    pub updated_seq: i64,
}

/// A row of the waterfall.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SpanSummary {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// The parent, 16 hex digits.
    pub parent_id: Option<String>,
    /// What ran.
    pub name: String,
    /// What kind of work, by Langfuse's name.
    pub kind: &'static str,
    /// How far it has come.
    pub state: State,
    /// When it began, microseconds since the epoch.
    pub start_us: i64,
    /// When it ended.
    pub end_us: Option<i64>,
    /// From the one to the other.
    pub duration_us: Option<i64>,
    /// Why it failed.
    pub error: Option<ErrorInfo>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Who serves it.
    pub provider: Option<String>,
    /// The tokens of a model call.
    pub tokens: Option<Tokens>,
    /// The cost of a model call.
    pub cost_usd: Option<Dollars>,
    /// What a model call spent its time with.
    pub phases: Option<Phases>,
    /// What went differently than hoped for.
    pub notes: Vec<Note>,
    /// What is odd about the span itself.
    pub odd: Vec<String>,
    /// The service that sent it.
    pub service: Option<String>,
    /// Whether it has an input.
    pub has_input: bool,
    /// Whether it has an output.
    pub has_output: bool,
}

impl SpanSummary {
    /// Makes a row of a span that has just arrived.
    #[must_use]
    pub fn of(span: &ReceivedSpan) -> Self {
        Self {
            trace_id: span.trace_id.to_string(),
            span_id: span.span_id.to_string(),
            parent_id: span.parent_id.map(|id| id.to_string()),
            name: span.name.clone(),
            kind: span.kind.as_str(),
            state: span.state,
            start_us: span.start_us,
            end_us: span.end_us,
            duration_us: span.duration_us(),
            error: span.error.clone(),
            model: span.model.clone(),
            provider: span.provider.clone(),
            tokens: (!span.usage.is_unknown()).then_some(Tokens(span.usage)),
            cost_usd: span.cost_pico.map(Dollars),
            phases: span.phases.clone(),
            notes: span.notes.clone(),
            odd: span.odd.clone(),
            service: span.context.service.clone(),
            has_input: span.has_input,
            has_output: span.has_output,
        }
    }
}

/// A part of a list, and how to ask for the next one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Page<T> {
    /// The items, in the order that was asked for.
    pub items: Vec<T>,
    /// What to hand in for the next part; `None` at the end.
    pub next_cursor: Option<String>,
}

/// One trace with its spans.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TraceView {
    /// What lists show of it.
    pub trace: TraceSummary,
    /// Its spans, the first to begin first.
    pub spans: Vec<SpanSummary>,
    /// Whether spans were left out since there are too many.
    pub truncated: bool,
}

/// A session, or a user.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GroupSummary {
    /// The session, if this is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The user, if this is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// How many traces it has.
    pub traces: i64,
    /// When the first one began.
    pub first_us: i64,
    /// When the last one began.
    pub last_us: i64,
    /// The users of a session.
    pub users: Vec<String>,
    /// The tokens of all its traces.
    pub tokens: Tokens,
    /// The cost of all its traces.
    pub cost_usd: Option<Dollars>,
    /// The failed spans of all its traces.
    pub errors: i64,
}

/// What a model did in some time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ModelSummary {
    /// Who serves it.
    pub provider: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// How often it was called.
    pub calls: i64,
    /// How many calls failed.
    pub errors: i64,
    /// How many attempts there were beyond the first ones.
    pub retries: i64,
    /// The tokens of all calls.
    pub tokens: Tokens,
    /// The cost of all calls.
    pub cost_usd: Option<Dollars>,
    /// The median duration of calls that ended, in microseconds.
    pub p50_us: Option<i64>,
    /// 95 of 100 calls took no longer.
    pub p95_us: Option<i64>,
    /// 99 of 100 calls took no longer.
    pub p99_us: Option<i64>,
    /// The median time to the first chunk.
    pub first_chunk_p50_us: Option<i64>,
}

/// Numbers over time, by group.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stats {
    /// How long a bucket is.
    pub bucket_us: i64,
    /// The groups, the largest first.
    pub groups: Vec<StatsGroup>,
}

/// Numbers over time of one group.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StatsGroup {
    /// The model or name; `None` if it has none, or if there are no groups.
    pub key: Option<String>,
    /// The buckets in which something happened, in order.
    pub points: Vec<StatsPoint>,
}

/// What happened in one bucket of time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StatsPoint {
    /// When the bucket begins.
    pub at_us: i64,
    /// How many.
    pub count: i64,
    /// How many failed.
    pub errors: i64,
    /// The median duration.
    pub p50_us: Option<i64>,
    /// 95 of 100 took no longer.
    pub p95_us: Option<i64>,
    /// 99 of 100 took no longer.
    pub p99_us: Option<i64>,
    /// All tokens.
    pub tokens: Tokens,
    /// All that is known to be paid.
    pub cost_usd: Option<Dollars>,
}

/// A judgement of a trace or span.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ScoreView {
    /// Its own id.
    pub id: String,
    /// The trace, 32 hex digits.
    pub trace_id: String,
    /// The span, 16 hex digits; `None` for the whole trace.
    pub span_id: Option<String>,
    /// What was judged.
    pub name: String,
    /// A number, a word or yes or no.
    pub value: Value,
    /// Why.
    pub comment: Option<String>,
    /// When it arrived, microseconds since the epoch.
    pub at_us: i64,
}

/// A value of a key, and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Facet {
    /// The value.
    pub value: String,
    /// In how many traces or spans.
    pub count: i64,
}

/// A span as it arrived, for whoever wants all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RawSpan {
    /// What lists show of it.
    pub summary: SpanSummary,
    /// What the trace shares, as this span carries it.
    pub context: TraceContext,
    /// The span, an OTLP message.
    pub bytes: Vec<u8>,
    /// The resource, an OTLP message.
    pub resource: Vec<u8>,
    /// The instrumentation scope, an OTLP message.
    pub scope: Vec<u8>,
}

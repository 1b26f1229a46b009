//! What stands in the columns: small numbers for closed sets, and rows as the views have them.

use crate::received::{ErrorInfo, Note, Phases, State};
use crate::view::{Dollars, SpanSummary, Tokens, TraceSummary};
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::span::Kind;
use glassbox_trace::usage::Usage;
use rusqlite::Row;
use serde::{Deserialize, Serialize};

/// The kinds by their number. The order is in files: only ever append.
const KINDS: [Kind; 10] = [
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

/// The states by their number. The order is in files.
const STATES: [State; 4] = [State::Running, State::Abandoned, State::Done, State::Error];

pub(super) fn kind_number(kind: Kind) -> i64 {
    number(KINDS.iter().position(|known| *known == kind))
}

pub(super) fn kind_of(number: i64) -> Kind {
    usize::try_from(number).ok().and_then(|at| KINDS.get(at)).copied().unwrap_or(Kind::Span)
}

/// Returns the numbers of the kinds whose names fit.
pub(super) fn kinds(fits: impl Fn(&str) -> bool) -> impl Iterator<Item = i64> {
    KINDS.into_iter().filter(move |kind| fits(kind.as_str())).map(kind_number)
}

/// Returns the numbers of those kinds and states that fit together.
pub(super) fn kinds_and_states(
    fits: impl Fn(Kind, State) -> bool,
) -> impl Iterator<Item = (i64, i64)> {
    let pairs = KINDS.into_iter().flat_map(|kind| STATES.map(|state| (kind, state)));
    pairs
        .filter(move |(kind, state)| fits(*kind, *state))
        .map(|(kind, state)| (kind_number(kind), state_number(state)))
}

pub(super) fn state_number(state: State) -> i64 {
    number(STATES.iter().position(|known| *known == state))
}

pub(super) fn state_of(number: i64) -> State {
    usize::try_from(number).ok().and_then(|at| STATES.get(at)).copied().unwrap_or(State::Running)
}

/// Every kind and state is in its list.
fn number(position: Option<usize>) -> i64 {
    position.and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
}

/// Yes and no of a span.
pub(super) mod flags {
    pub(in super::super) const LOCAL_ROOT: i64 = 1;
    pub(in super::super) const HAS_INPUT: i64 = 2;
    pub(in super::super) const HAS_OUTPUT: i64 = 4;
    /// It is what is said of the trace, and no span.
    pub(in super::super) const TRACE_RECORD: i64 = 8;
    pub(in super::super) const CACHE_HIT: i64 = 16;
}

pub(super) fn span_number(id: SpanId) -> i64 {
    i64::from_be_bytes(id.to_bytes())
}

pub(super) const fn span_id(number: i64) -> SpanId {
    SpanId::from_bytes(number.to_be_bytes())
}

pub(super) fn trace_id(bytes: &[u8]) -> TraceId {
    TraceId::from_bytes(bytes.try_into().unwrap_or_default())
}

/// What few spans have and no list asks for.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phases: Option<Phases>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<Note>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) odd: Vec<String>,
}

/// Tokens are kept as they are, and what is too large as the largest.
pub(super) fn count(tokens: Option<u64>) -> Option<i64> {
    tokens.map(|tokens| i64::try_from(tokens).unwrap_or(i64::MAX))
}

/// Reads five columns of tokens, from this one on.
pub(super) fn usage(row: &Row<'_>, at: usize) -> rusqlite::Result<Usage> {
    let tokens = |at| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(at)?.and_then(|tokens| u64::try_from(tokens).ok()))
    };
    Ok(Usage {
        input: tokens(at)?,
        cache_read: tokens(at + 1)?,
        cache_write: tokens(at + 2)?,
        output: tokens(at + 3)?,
        reasoning: tokens(at + 4)?,
    })
}

/// The columns of [`trace_summary`].
pub(super) const TRACE_COLUMNS: &str = "t.trace_id, t.name, t.state, t.start_us, t.end_us, t.duration_us, t.spans, \
     t.open_spans, t.errors, t.model_calls, t.retries, t.cache_hits, t.input, t.cache_read, t.cache_write, t.output, \
     t.reasoning, t.cost, t.models, t.tags, t.metadata, t.session_id, t.user_id, t.environment, t.release, t.version, \
     t.service, t.input_preview, t.output_preview, t.seq";

/// Reads a trace from [`TRACE_COLUMNS`].
pub(super) fn trace_summary(row: &Row<'_>) -> rusqlite::Result<TraceSummary> {
    Ok(TraceSummary {
        trace_id: trace_id(row.get_ref(0)?.as_blob().unwrap_or_default()).to_string(),
        name: row.get(1)?,
        state: state_of(row.get(2)?),
        start_us: row.get(3)?,
        end_us: row.get(4)?,
        duration_us: row.get(5)?,
        spans: row.get(6)?,
        open_spans: row.get(7)?,
        errors: row.get(8)?,
        model_calls: row.get(9)?,
        retries: row.get(10)?,
        cache_hits: row.get(11)?,
        tokens: Tokens(usage(row, 12)?),
        cost_usd: row.get::<_, Option<i64>>(17)?.map(Dollars),
        models: json(row, 18)?,
        tags: json(row, 19)?,
        metadata: json(row, 20)?,
        session_id: row.get(21)?,
        user_id: row.get(22)?,
        environment: row.get(23)?,
        release: row.get(24)?,
        version: row.get(25)?,
        service: row.get(26)?,
        input_preview: row.get(27)?,
        output_preview: row.get(28)?,
        updated_seq: row.get(29)?,
    })
}

/// The columns of [`span_summary`]; the trace's id and service come with the trace `t`.
pub(super) const SPAN_COLUMNS: &str = "t.trace_id, s.span_id, s.parent_id, s.name, s.kind, s.state, s.start_us, \
     s.end_us, s.error_type, s.error_message, s.model, s.provider, s.input, s.cache_read, s.cache_write, s.output, \
     s.reasoning, s.cost, s.extra, s.flags, t.service, s.id";

/// Reads a span from [`SPAN_COLUMNS`].
pub(super) fn span_summary(row: &Row<'_>) -> rusqlite::Result<SpanSummary> {
    let (start_us, end_us): (i64, Option<i64>) = (row.get(6)?, row.get(7)?);
    let error = row.get::<_, Option<String>>(8)?;
    let error = match error {
        Some(kind) => {
            Some(ErrorInfo { kind, message: row.get::<_, Option<String>>(9)?.unwrap_or_default() })
        }
        None => None,
    };
    let usage = usage(row, 12)?;
    let extra = match row.get_ref(18)?.as_str_or_null().unwrap_or_default() {
        Some(json) => serde_json::from_str(json).unwrap_or_default(),
        None => Extra::default(),
    };
    let flags: i64 = row.get(19)?;
    Ok(SpanSummary {
        trace_id: trace_id(row.get_ref(0)?.as_blob().unwrap_or_default()).to_string(),
        span_id: span_id(row.get(1)?).to_string(),
        parent_id: row.get::<_, Option<i64>>(2)?.map(|id| span_id(id).to_string()),
        name: row.get(3)?,
        kind: kind_of(row.get(4)?).as_str(),
        state: state_of(row.get(5)?),
        start_us,
        end_us,
        duration_us: end_us.map(|end| end.saturating_sub(start_us)),
        error,
        model: row.get(10)?,
        provider: row.get(11)?,
        tokens: (!usage.is_unknown()).then_some(Tokens(usage)),
        cost_usd: row.get::<_, Option<i64>>(17)?.map(Dollars),
        phases: extra.phases,
        notes: extra.notes,
        odd: extra.odd,
        service: row.get(20)?,
        has_input: flags & flags::HAS_INPUT != 0,
        has_output: flags & flags::HAS_OUTPUT != 0,
    })
}

/// Writes texts and JSON values, which can always be written.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads JSON that we wrote ourselves; a damaged one is empty.
fn json<T: serde::de::DeserializeOwned + Default>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    Ok(serde_json::from_str(row.get_ref(at)?.as_str().unwrap_or_default()).unwrap_or_default())
}

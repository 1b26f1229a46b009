//! The routes of the API: what they are for, what they can be asked, what they answer with.

use super::super::api::{PathAnswer, TraceAnswer};
use super::super::health::Health;
use super::super::lists::Facets;
use super::super::numbers::Models;
use super::super::records::Records;
use super::super::scores::ScoreRequest;
use crate::detail::SpanDetail;
use crate::view::{GroupSummary, Page, ScoreView, SpanSummary, Stats, TraceSummary};
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Something that can be asked.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    /// Name, type and meaning of what can be added to the address.
    pub(super) query: &'static [(&'static str, &'static str, &'static str)],
    pub(super) body: Option<Body>,
    pub(super) status: &'static str,
    pub(super) answer: Body,
    /// Whether nobody is asked for a token or keys.
    pub(super) is_open: bool,
}

/// What is sent or answered.
pub(super) enum Body {
    /// JSON of a shape of ours.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Something that is described elsewhere: its types, and where.
    Other(&'static [&'static str], &'static str),
}

const fn shape<T: JsonSchema>() -> Body {
    Body::Json(|shapes| shapes.subschema_for::<T>())
}

const fn get(path: &'static str, about: &'static str, answer: Body) -> Route {
    Route {
        method: "get",
        path,
        about,
        query: &[],
        body: None,
        status: "200",
        answer,
        is_open: false,
    }
}

const fn post(path: &'static str, about: &'static str, body: Body, answer: Body) -> Route {
    Route { method: "post", body: Some(body), ..get(path, about, answer) }
}

const JSON: &[&str] = &["application/json"];
const OTLP: Body = Body::Other(
    &["application/x-protobuf", "application/json"],
    "An ExportTraceServiceRequest of OTLP, plain or gzip",
);
const OTLP_ANSWER: Body = Body::Other(
    &["application/x-protobuf", "application/json"],
    "An ExportTraceServiceResponse of OTLP, with partialSuccess if spans were rejected",
);
const LANGFUSE: Body = Body::Other(JSON, "As Langfuse's own API answers");

const Q: (&str, &str, &str) = ("q", "string", "A filter: model:gpt-* cost:>0.01 -tag:test words");
const LIMIT: (&str, &str, &str) = ("limit", "integer", "The most items, 1 to 500; 50 if left out");
const CURSOR: (&str, &str, &str) =
    ("cursor", "string", "Where to go on: next_cursor of the part before");
const FROM: (&str, &str, &str) =
    ("from_us", "integer", "From when; 24 hours before to_us if left out");
const TO: (&str, &str, &str) = ("to_us", "integer", "To when, excluded; now if left out");
const LIST: &[(&str, &str, &str)] = &[Q, LIMIT, CURSOR];
const PAGE: (&str, &str, &str) = ("page", "integer", "Which page, from 1");
const PAGES: &[(&str, &str, &str)] =
    &[PAGE, ("limit", "integer", "The most items, 1 to 100; 50 if left out")];

const FROM_TIME: (&str, &str, &str) = ("fromTimestamp", "string", "Only from this time on");
const TO_TIME: (&str, &str, &str) = ("toTimestamp", "string", "Only before this time");
const LEVEL: (&str, &str, &str) = ("level", "string", "ERROR or DEFAULT");
const FILTER: (&str, &str, &str) = (
    "filter",
    "string",
    "Conditions in JSON, in place of the other fields: column, operator and value",
);

pub(super) const ROUTES: &[Route] = &[
    Route {
        query: &[
            Q,
            ("sort", "string", "start, duration, cost or tokens"),
            ("order", "string", "desc or asc"),
            LIMIT,
            CURSOR,
        ],
        ..get("/api/v1/traces", "Lists traces", shape::<Page<TraceSummary>>())
    },
    get(
        "/api/v1/traces/{trace_id}",
        "One trace with its spans, without payloads",
        shape::<TraceAnswer>(),
    ),
    get(
        "/api/v1/traces/{trace_id}/path",
        "What a trace waited for at each moment",
        shape::<PathAnswer>(),
    ),
    get(
        "/api/v1/traces/{trace_id}/spans/{span_id}",
        "One span with its payload",
        shape::<SpanDetail>(),
    ),
    get(
        "/api/v1/traces/{trace_id}/records",
        "What was said of a trace itself, and of none of its spans",
        shape::<Records>(),
    ),
    get(
        "/api/v1/traces/{trace_id}/otlp",
        "The spans of a trace that have ended, with its scores, as OTLP in JSON",
        Body::Other(JSON, "An ExportTraceServiceRequest of OTLP"),
    ),
    Route {
        query: LIST,
        ..get(
            "/api/v1/spans",
            "Lists spans, the last to arrive first",
            shape::<Page<SpanSummary>>(),
        )
    },
    Route {
        query: LIST,
        ..get(
            "/api/v1/sessions",
            "Lists sessions, the last used first",
            shape::<Page<GroupSummary>>(),
        )
    },
    Route {
        query: LIST,
        ..get("/api/v1/users", "Lists users, the last seen first", shape::<Page<GroupSummary>>())
    },
    Route {
        query: &[("key", "string", "model, name, session, user, tag, environment or service"), Q],
        ..get("/api/v1/facets", "Lists the values of a key with their counts", shape::<Facets>())
    },
    Route {
        query: &[FROM, TO],
        ..get("/api/v1/models", "What models did in some time", shape::<Models>())
    },
    Route {
        query: &[
            FROM,
            TO,
            ("bucket_us", "integer", "How long a bucket is; a hundredth of the time if left out"),
            ("group", "string", "none or name: traces; calls or model: model calls"),
            Q,
        ],
        ..get("/api/v1/stats", "Counts over time", shape::<Stats>())
    },
    Route {
        query: &[
            ("trace_id", "string", "Only those of this trace"),
            ("name", "string", "Only those of this name"),
            ("alone", "boolean", "Only those of traces that are not there"),
            LIMIT,
            CURSOR,
        ],
        ..get(
            "/api/v1/scores",
            "Lists scores, the last to arrive first",
            shape::<Page<ScoreView>>(),
        )
    },
    Route {
        status: "201",
        ..post(
            "/api/v1/scores",
            "Adds a score, or replaces the one with the same id",
            shape::<ScoreRequest>(),
            shape::<ScoreView>(),
        )
    },
    get(
        "/api/v1/health",
        "Whether anything is being lost, who sends, and how to connect",
        shape::<Health>(),
    ),
    Route {
        query: &[Q],
        ..get(
            "/api/v1/stream",
            "Follows what happens; Last-Event-ID goes on where it broke off",
            Body::Other(
                &["text/event-stream"],
                "Events span_start and span_end (SpanSummary, and preview: the last words of the output), trace \
                 (TraceSummary, at most every 250 ms), missed (count: events that were skipped), heartbeat (seq, every 10 s)",
            ),
        )
    },
    get("/api/v1/openapi.json", "This description", Body::Other(JSON, "OpenAPI 3.1")),
    post(
        "/api/v1/live",
        "Announces spans that begin",
        Body::Other(
            &["application/x-ndjson"],
            "One object a line: process, start, heartbeat, health, bye",
        ),
        Body::Other(JSON, "known: whether the process was known; started: how many spans were new"),
    ),
    post("/v1/traces", "Takes spans of any OpenTelemetry program", OTLP, OTLP_ANSWER),
    post(
        "/api/public/otel/v1/traces",
        "Takes spans where Langfuse's clients send them",
        OTLP,
        OTLP_ANSWER,
    ),
    Route {
        status: "207",
        ..post(
            "/api/public/ingestion",
            "Takes a batch of Langfuse's events",
            Body::Other(JSON, "A batch as Langfuse's clients send it"),
            LANGFUSE,
        )
    },
    get("/api/public/projects", "Langfuse: the project that the keys belong to", LANGFUSE),
    Route {
        query: &[
            PAGE,
            PAGES[1],
            ("userId", "string", "Only of this user"),
            ("name", "string", "Only of this name"),
            ("sessionId", "string", "Only of this session"),
            ("tags", "string", "Only with this tag; may be given several times"),
            ("environment", "string", "Only of this environment; may be given several times"),
            ("version", "string", "Only of this version"),
            ("release", "string", "Only of this release"),
            FROM_TIME,
            TO_TIME,
            (
                "orderBy",
                "string",
                "timestamp, latency, totalCost or totalTokens, and .asc or .desc",
            ),
            LEVEL,
            FILTER,
        ],
        ..get("/api/public/traces", "Langfuse: lists traces", LANGFUSE)
    },
    get(
        "/api/public/traces/{trace_id}",
        "Langfuse: one trace with observations and scores",
        LANGFUSE,
    ),
    Route {
        query: OBSERVATIONS,
        ..get("/api/public/observations", "Langfuse: lists observations", LANGFUSE)
    },
    get("/api/public/observations/{observation_id}", "Langfuse: one observation", LANGFUSE),
    Route {
        query: OBSERVATIONS,
        ..get("/api/public/v2/observations", "Langfuse: lists observations by cursor", LANGFUSE)
    },
    Route {
        query: &[
            PAGE,
            PAGES[1],
            ("environment", "string", "Only of this environment; may be given several times"),
            FROM_TIME,
            TO_TIME,
            LEVEL,
        ],
        ..get("/api/public/sessions", "Langfuse: lists sessions", LANGFUSE)
    },
    get("/api/public/sessions/{session_id}", "Langfuse: one session with its traces", LANGFUSE),
    Route { query: SCORES, ..get("/api/public/scores", "Langfuse: lists scores", LANGFUSE) },
    post(
        "/api/public/scores",
        "Langfuse: adds a score or a list of them",
        Body::Other(JSON, "A score, or a list of scores, as Langfuse's clients send it"),
        LANGFUSE,
    ),
    get("/api/public/scores/{score_id}", "Langfuse: one score", LANGFUSE),
    Route { query: SCORES, ..get("/api/public/v2/scores", "Langfuse: lists scores", LANGFUSE) },
    get("/api/public/v2/scores/{score_id}", "Langfuse: one score", LANGFUSE),
    Route {
        query: SCORES_V3,
        ..get("/api/public/v3/scores", "Langfuse: lists scores by cursor", LANGFUSE)
    },
    Route {
        query: METRICS,
        ..get("/api/public/metrics", "Langfuse: numbers by any facts", LANGFUSE)
    },
    Route {
        query: METRICS,
        ..get("/api/public/v2/metrics", "Langfuse: numbers by any facts", LANGFUSE)
    },
    Route {
        query: &[
            PAGE,
            PAGES[1],
            ("traceName", "string", "Only of traces of this name"),
            ("userId", "string", "Only of this user"),
            ("tags", "string", "Only with this tag; may be given several times"),
            ("environment", "string", "Only of this environment; may be given several times"),
            FROM_TIME,
            TO_TIME,
            LEVEL,
        ],
        ..get(
            "/api/public/metrics/daily",
            "Langfuse: counts, tokens and cost by day and model",
            LANGFUSE,
        )
    },
    Route {
        is_open: true,
        ..get("/api/public/health", "Langfuse: whether the server answers", LANGFUSE)
    },
    Route {
        is_open: true,
        ..get(
            "/healthz",
            "Whether the server answers",
            Body::Other(JSON, "status, name and version"),
        )
    },
];

const METRICS: &[(&str, &str, &str)] = &[(
    "query",
    "string",
    "JSON: view, metrics, dimensions, filters, timeDimension, fromTimestamp, toTimestamp, orderBy, config",
)];

const SCORES: &[(&str, &str, &str)] = &[
    PAGES[0],
    PAGES[1],
    ("traceId", "string", "Only of this trace"),
    ("observationId", "string", "Only of this observation"),
    ("userId", "string", "Only of traces of this user"),
    ("name", "string", "Only of this name"),
    ("scoreIds", "string", "Only these, with commas between"),
    ("dataType", "string", "NUMERIC, BOOLEAN or CATEGORICAL"),
    ("environment", "string", "Only of traces of this environment; may be given several times"),
    ("operator", "string", "=, <, <=, > or >=, which compares with value"),
    ("value", "number", "What numbers are compared with"),
    FROM_TIME,
    TO_TIME,
];

const SCORES_V3: &[(&str, &str, &str)] = &[
    PAGES[1],
    CURSOR,
    ("fields", "string", "details, subject and annotation, with commas between"),
    ("traceId", "string", "Only of these traces, with commas between"),
    ("observationId", "string", "Only of these observations of the traces"),
    ("id", "string", "Only these, with commas between"),
    ("name", "string", "Only of these names, with commas between"),
    ("dataType", "string", "NUMERIC, BOOLEAN or CATEGORICAL, with commas between"),
    ("value", "string", "Only of these values of the one dataType"),
    ("valueMin", "number", "Only numbers from this one on"),
    ("valueMax", "number", "Only numbers up to this one"),
    ("environment", "string", "Only of traces of these environments, with commas between"),
    FROM_TIME,
    TO_TIME,
];

const OBSERVATIONS: &[(&str, &str, &str)] = &[
    PAGE,
    ("limit", "integer", "The most items, 1 to 100, or to 1000 by cursor; 50 if left out"),
    ("cursor", "string", "Where to go on; only by cursor"),
    ("name", "string", "Only of this name"),
    ("userId", "string", "Only of this user"),
    ("sessionId", "string", "Only of this session"),
    ("type", "string", "Only of this type, such as GENERATION"),
    ("traceId", "string", "Only of this trace"),
    ("parentObservationId", "string", "Only those below this one; an empty one has none above"),
    ("isRootObservation", "boolean", "Only those with none above, or with one"),
    LEVEL,
    ("environment", "string", "Only of this environment; may be given several times"),
    ("version", "string", "Only of this version"),
    FILTER,
    ("fields", "string", "Groups of fields, with commas between; only by cursor"),
    ("parseIoAsJson", "boolean", "Whether input and output are JSON, not text; only by cursor"),
    ("fromStartTime", "string", "Only from this time on"),
    ("toStartTime", "string", "Only before this time"),
];
